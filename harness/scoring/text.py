"""Graded comparisons of two texts, for answers that are written and not chosen."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

import regex
from rapidfuzz.distance import Levenshtein

from harness.scoring.metrics import Answer

_ARTICLE_WORDS = frozenset({"a", "an", "the"})
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)

_DIGIT_BY_DIGIT = regex.compile(r"(?<=\d)(?=\p{No})")
"""Before a superscript or a fraction that follows a number: as plain digits 10² would read 102."""
_MARKS = str.maketrans({"\u2044": "/", "\u2215": "/", "\u066b": ".", "\u066c": ",", "\u2212": "-"})
"""Slashes of fractions, Arabic separators and the minus sign, as numbers are written in ASCII."""
_INVISIBLE = regex.compile(r"\p{Cf}+")
_DASH = regex.compile(r"\p{Pd}")
_DIGIT = regex.compile(r"\d")
_THOUSANDS = regex.compile(r"(?<![\d.,])(\d{1,3})((?:,\d{3})+)(?!\d)")
_POINT_FIRST = regex.compile(r"(?<![\p{L}\p{M}\p{N}.])\.(?=\d)")
_BETWEEN_NUMBERS = regex.compile(r"(?<=\d)(?![.,:/]\d)[\p{P}\p{S}]+(?=\d)")
_DROPPED = regex.compile(
    r"(?!(?<=\d)[.,:/](?=\d))"  # but for the marks inside a number
    r"(?!(?<![\p{L}\p{M}\p{N}])-(?=\d))"  # and a sign before one
    r"[\p{P}\p{S}]"
)
_CHARACTER = regex.compile(r"([\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{scx=Bopomofo}]\p{M}*)")
"""A character that counts as a word by itself in Chinese, Japanese and Korean."""


def edit_similarity(answer: Answer) -> float:
    """1 - Levenshtein distance / length of the longer text, after strip; two empty texts are equal."""
    return Levenshtein.normalized_similarity(answer.output.strip(), answer.target.strip())


def token_f1(answer: Answer) -> float:
    """F1 of the shared words (Rajpurkar et al. 2016, SQuAD): lower case, no punctuation, no articles.

    As in SQuAD's own script, when either text has no words left they score 1 if both have none, else 0.
    """
    return _shared_f1(_words(answer.output), _words(answer.target))


def token_f1_unicode(answer: Answer) -> float:
    """F1 of the shared words as `unicode_words` tells them apart: `token_f1` for every script, and for numbers.

    SQuAD's rule knows ASCII punctuation only, takes it out of numbers, and can leave nothing of an answer: it gives 1
    for an empty answer to "A" and for "314" against "3.14", and 0 for "−5" against "-5" and "北京。" against "北京".
    """
    return _shared_f1(unicode_words(answer.output), unicode_words(answer.target))


def unicode_words(text: str) -> list[str]:
    """Words of a text in any script, for comparing; empty for white space only.

    Unicode's compatible forms (NFKC) and letters without case are the same, and digits of all scripts. Punctuation and
    symbols are left out, but for the sign, the point and the like that belong to a number: 3.14, -5, 1/2, 10:30. Commas
    that part thousands are left out, a range is its two numbers. Chinese, Japanese and Korean text is taken character
    by character, as MLQA (Lewis et al. 2020) and KorQuAD do. Articles are left out when other words remain, and when
    nothing but punctuation is there, it counts.

    >>> unicode_words("The 1990–1995 war: −3.50 ℃, ¥1,000。")
    ['1990', '1995', 'war', '-3.50', 'c', '1000']
    >>> unicode_words("北京市"), unicode_words("The"), unicode_words("+")
    (['北', '京', '市'], ['the'], ['+'])
    """
    plain = _plain(text)
    kept = _BETWEEN_NUMBERS.sub(" ", _POINT_FIRST.sub("0.", _THOUSANDS.sub(_without_commas, plain)))
    words: list[str] = _CHARACTER.sub(r" \1 ", _DROPPED.sub("", kept)).split()
    return [word for word in words if word not in _ARTICLE_WORDS] or words or [*"".join(plain.split())]


def _plain(text: str) -> str:
    """The text with one way to write each letter, digit, dash and mark."""
    text = unicodedata.normalize("NFKC", _DIGIT_BY_DIGIT.sub(" ", text)).casefold()
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_MARKS)
    return str(_DIGIT.sub(lambda found: str(unicodedata.decimal(found[0])), _DASH.sub("-", text)))


def _without_commas(found: regex.Match[str]) -> str:
    return str(found[0]).replace(",", "")


def _shared_f1(output: Sequence[str], target: Sequence[str]) -> float:
    """F1 of the words in common; with no words on a side, 1 when neither side has any."""
    if not output or not target:
        return float(not output and not target)
    shared = sum((Counter(output) & Counter(target)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(output), shared / len(target)
    return 2 * precision * recall / (precision + recall)


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()
