"""Graded comparisons of two texts, for answers that are written and not chosen."""

from __future__ import annotations

import re
import string
from collections import Counter

from rapidfuzz.distance import Levenshtein

from harness.scoring.metrics import Answer

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def edit_similarity(answer: Answer) -> float:
    """1 - Levenshtein distance / length of the longer text, after strip; two empty texts are equal."""
    return Levenshtein.normalized_similarity(answer.output.strip(), answer.target.strip())


def token_f1(answer: Answer) -> float:
    """F1 of the shared words (Rajpurkar et al. 2016, SQuAD): lower case, no punctuation, no articles.

    As in SQuAD's own script, when either text has no words left they score 1 if both have none, else 0.
    """
    output, target = _words(answer.output), _words(answer.target)
    if not output or not target:
        return float(output == target)
    shared = sum((Counter(output) & Counter(target)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(output), shared / len(target)
    return 2 * precision * recall / (precision + recall)


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()
