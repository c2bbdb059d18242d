"""ROUGE of a text beside a reference (Lin 2004): the words, pairs of words and longest sequence that both share.

As the package `rouge-score` computes it, with Porter's stemmer, like the reference implementations of BIG-bench, HELM
and the summarisation literature: F1 of each, from 0 to 1. Its words are runs of ASCII letters and digits in lower case,
so that other scripts have none; `token_f1_unicode` is for these.
"""

from __future__ import annotations

import functools
from typing import Any

from harness.scoring.metrics import Answer


def rouge_1(answer: Answer) -> float:
    """F1 of shared words."""
    return _f1(answer, "rouge1")


def rouge_2(answer: Answer) -> float:
    """F1 of shared pairs of neighbouring words."""
    return _f1(answer, "rouge2")


def rouge_l(answer: Answer) -> float:
    """F1 of the longest sequence of words that both have in this order, gaps allowed, over the whole text."""
    return _f1(answer, "rougeL")


def _f1(answer: Answer, kind: str) -> float:
    return float(_scores(answer.target, answer.output)[kind].fmeasure)


@functools.lru_cache(maxsize=4096)
def _scores(reference: str, text: str) -> Any:
    """All three, since they are mostly asked for together."""
    return _scorer().score(reference, text)


@functools.cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # with nltk half a second

    return RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
