"""The tokenizer of a model as its `tokenizer.json` describes it: within limits, and made of parts of a known cost.

A tokenizer of the library `tokenizers` is a chain of parts: a normalizer, a pre-tokenizer, a model, a post-processor
and a decoder. Most parts take time in proportion to the text. Some do not: a regular expression can need years for one
line, and a chain of replacements can double a text thirty times. `costly_part` tells them apart by what is known to be
harmless, so that a part that nobody has heard of counts as costly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.bounded.files import is_regular, read_bytes
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import ADDED_TOKENS, HINT, TOKENIZER_BYTES, TOKENIZER_VALUES, UnreadableError
from harness.errors import ModelError
from harness.wording import count

PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
"""What a tokenizer.json holds beside the model and its tokens."""
TOKENIZER = "tokenizer.json"
FILES = (TOKENIZER, "tokenizer_config.json", "vocab.json", "added_tokens.json", "special_tokens_map.json")
"""The JSON files of a tokenizer."""

_PLAIN = frozenset(
    # normalizers
    "NFC NFD NFKC NFKD Lowercase StripAccents BertNormalizer Nmt Strip "
    # pre-tokenizers, post-processors and decoders
    "ByteLevel Whitespace WhitespaceSplit BertPreTokenizer Metaspace Digits Punctuation CharDelimiterSplit "
    "UnicodeScripts BertProcessing RobertaProcessing ByteFallback Fuse WordPiece BPEDecoder CTC "
    # whatever it holds is looked at by itself
    "Sequence".split()
)
"""Parts whose time is in proportion to the text, whatever their options say."""
_SEQUENCES = ("normalizers", "pretokenizers", "processors", "decoders")
_TEMPLATES = ("single", "pair", "special_tokens")
_MOST_PARTS, _MOST_GROWTH = 30, 64
_LONGEST_WORD, _LONGEST_PIECE, _LONGEST_TEMPLATE = 1_000, 1_000, 20_000
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_REST = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_OTHERS = rf" ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_REST}"
KNOWN_PATTERNS = frozenset(
    {
        # GPT-2 and what follows it; the same with digits in groups (Llama 3, cl100k) or one by one (Qwen 2 and 3)
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{_OTHERS}",
        rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{_OTHERS}",
        # o200k: GPT-OSS, Llama 4
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTIONS}?|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
        rf"{_CONTRACTIONS}?|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_REST}",
        # DeepSeek
        r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{_REST}",
        # BLOOM
        " ?[^(\\s|[.,!?…。，、।۔،])]+",
    }
)
"""Regular expressions of tokenizers that are widely used, none of which goes back and forth over a text."""
_CHARACTER = r"(?:\\[pP]\{\^?\w+\}|\\[dDwWsSnrt]|\\[^\w\s]|\[(?:[^\[\]\\&]|\\.)*\]|[^\\()\[\]{}*+?|.^$])"
_CHOICE = rf"(?:{_CHARACTER}\??)*{_CHARACTER}(?:[*+?]|\{{\d{{0,3}},?\d{{0,3}}\}})?"
_STRAIGHT = re.compile(rf"{_CHOICE}(?:\|{_CHOICE})*")
"""Choices that repeat their last class of characters at most: such an expression never goes back over a text."""
_LONGEST_PATTERN = 2_000


def check_tokenizer(folder: Path) -> str | None:
    """Check the files of a tokenizer before a library reads them, which takes several times their size in memory.

    Returns:
        The part of its `tokenizer.json` whose cost is not known (`costly_part`); None where there is none of either.

    Raises:
        ModelError: one is no regular file, too large, has too many values, or is no JSON.
    """
    costly = None
    for name in FILES:
        if is_regular(folder / name):
            content = read_tokenizer(folder / name)
            for key in ("added_tokens", "added_tokens_decoder"):
                _check_added(folder / name, content.get(key))
            costly = costly_part(content) if name == TOKENIZER else costly
    return costly


def _check_added(path: Path, added: Any) -> None:
    """Tokens beside the vocabulary, each with its number: some readers make a list that reaches up to the largest."""
    if not isinstance(added, list | dict):
        return
    numbers = added if isinstance(added, dict) else [one.get("id") for one in added if isinstance(one, dict)]
    largest = max((int(str(n)) for n in numbers if str(n).isdecimal()), default=0)
    try:
        ADDED_TOKENS.check(len(added))
        if largest > TOKENIZER_VALUES.allowed:
            most = f"at most {count(TOKENIZER_VALUES.allowed)}{HINT}"
            raise UnreadableError(f"an added token has the number {count(largest)}; expected {most}")
    except UnreadableError as error:
        raise ModelError(f"{path.parent}: {path.name}: {error}") from error


def read_tokenizer(path: Path) -> dict[str, Any]:
    """The keys of a tokenizer's JSON file.

    Raises:
        ModelError: it is too large, has too many values, or is no JSON object.
    """
    try:
        content = read_bytes(path, TOKENIZER_BYTES)
        # an upper bound that takes milliseconds; reading first would make the values
        TOKENIZER_VALUES.check(content.count(b","))
        parsed = parsed_json(content)
    except UnreadableError as error:
        said = str(error).replace(
            "is not JSON", "is damaged: not JSON; expected the file that was saved with the model"
        )
        raise ModelError(f"{path.parent}: {path.name} {said}") from error
    if not isinstance(parsed, dict):
        raise ModelError(f"{path.parent}: {path.name} holds a {type(parsed).__name__}; expected keys and values")
    return parsed


def costly_part(content: Mapping[str, Any]) -> str | None:
    """The first part whose time or memory is not known to be in proportion to the text; None when there is none.

    Args:
        content: keys of a tokenizer.json; those of its model may be without vocabulary and merges.
    """
    growth, n = 1.0, 0
    for name in PARTS:
        for part in _flat(content.get(name)):
            n += 1
            kind = part.get("type") if isinstance(part, Mapping) else None
            larger = _growth(kind, part)
            if larger is None or n > _MOST_PARTS or (growth := growth * larger) > _MOST_GROWTH:
                return name
    model = content.get("model")
    if not isinstance(model, Mapping) or not _is_plain_model(model):
        return "model"
    return None


def _flat(part: Any) -> Iterator[Any]:
    """A part and all that it is made of, where it is a sequence."""
    waiting = [part] if part is not None else []
    while waiting:
        yield (one := waiting.pop())
        if isinstance(one, Mapping):
            waiting += [each for key in _SEQUENCES if isinstance(one.get(key), list) for each in one[key]]


def _growth(kind: Any, part: Any) -> float | None:
    """How many times longer the part makes a text at most; None where that, or its time, is not known."""
    if kind in _PLAIN:
        return 1.0
    if kind == "Prepend":
        return 1.0 if len(str(part.get("prepend"))) <= _LONGEST_PIECE else None
    if kind == "FixedLength":
        return 1.0 if part.get("length") not in (0, None) else None
    if kind in ("Split", "Replace"):
        replaced = len(str(part.get("content"))) if kind == "Replace" else 0
        match part.get("pattern"):
            case {"String": str(text)} if text:
                return max(1.0, replaced / len(text))
            case {"Regex": str(pattern)} if is_known_pattern(pattern):
                return 1.0 + replaced  # it may match between any two characters
    if kind == "TemplateProcessing":
        return 1.0 if all(len(str(part.get(key))) <= _LONGEST_TEMPLATE for key in _TEMPLATES) else None
    return None


def is_known_pattern(pattern: Any) -> bool:
    """Whether a regular expression is known to go over a text once.

    >>> is_known_pattern(" {2,}"), is_known_pattern(" ?[a-z]+|[0-9]"), is_known_pattern("(a+)+$")
    (True, True, False)
    """
    if not isinstance(pattern, str) or len(pattern) > _LONGEST_PATTERN:
        return False
    return pattern in KNOWN_PATTERNS or _STRAIGHT.fullmatch(pattern) is not None


def _is_plain_model(model: Mapping[str, Any]) -> bool:
    kind, vocab = model.get("type"), model.get("vocab")
    if kind == "WordPiece":
        return 0 <= int(model.get("max_input_chars_per_word") or 0) <= _LONGEST_WORD
    if kind == "Unigram":
        return all(len(str(piece[0])) <= _LONGEST_PIECE for piece in vocab or () if isinstance(piece, list) and piece)
    return kind in ("BPE", "WordLevel")
