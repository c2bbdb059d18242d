"""Standard errors of scores that only all documents together have, by the jackknife.

It computes a score again for each group of documents that is left out. BLEU, chrF and TER are computed from counts that
are summed over the documents. Counting takes nearly all of their time, so that each document is counted once here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sacrebleu
from lm_eval.api import metrics as lm_eval_metrics

JACKKNIFE_GROUPS = 50

Aggregate = Callable[[Sequence[Any]], Any]
"""The score of all documents, as lm-eval computes it from one item for each."""


def jackknife_stderr(statistic: Callable[[list[Any]], float], items: Sequence[Any]) -> float | None:
    """Standard error of any statistic by the delete-a-group jackknife (Kott 2001): sqrt((g-1)/g sum (t_i - mean)^2).

    Groups are every g-th item, at most 50 of them; for the mean and g = n this is sd/sqrt(n).

    >>> round(jackknife_stderr(lambda x: sum(x) / len(x), [1.0, 0.0, 1.0, 1.0]), 12)
    0.25
    """
    groups = min(len(items), JACKKNIFE_GROUPS)
    if groups < 2:
        return None
    left = [statistic([item for i, item in enumerate(items) if i % groups != g]) for g in range(groups)]
    mean = math.fsum(left) / groups
    return math.sqrt((groups - 1) / groups * math.fsum((value - mean) ** 2 for value in left))


def stderr_of(aggregate: Aggregate, items: Sequence[Any], value: float) -> float | None:
    """Standard error of `value`, which lm-eval's function `aggregate` gives for the items of all documents.

    Args:
        aggregate: lm-eval's function.
        items: what lm-eval's metric gives for each document.
        value: the score of all items.
    """
    if aggregate in _COUNTING:
        metric = _COUNTING[aggregate]()
        counts = _counts(metric, items)
        # a later version of lm-eval may choose other options, with which its own function has to compute everything
        if _score(metric, counts) == value:
            return jackknife_stderr(lambda some: _score(metric, some), counts)
    return jackknife_stderr(lambda some: float(aggregate(some)), items)


_COUNTING: Mapping[Aggregate, Callable[[], Any]] = {
    lm_eval_metrics.bleu: lambda: sacrebleu.BLEU(force=True),  # without advice, which lm-eval's function gives
    lm_eval_metrics.chrf: sacrebleu.CHRF,
    lm_eval_metrics.chrfpp: lambda: sacrebleu.CHRF(word_order=2),
    lm_eval_metrics.ter: sacrebleu.TER,
}
"""Function of lm-eval -> sacrebleu's metric, with the options that lm-eval gives it."""


def _counts(metric: Any, items: Sequence[tuple[Any, Any]]) -> Sequence[Any]:
    """The counts of each document, from its references and its output."""
    references, outputs = zip(*items, strict=True)
    listed = [[each] if isinstance(each, str) else each for each in references]
    texts = [each if isinstance(each, str) else each[0] for each in outputs]
    counts: Sequence[Any] = metric._extract_corpus_statistics(texts, list(zip(*listed, strict=True)))
    return counts


def _score(metric: Any, counts: Sequence[Any]) -> float:
    return float(metric._aggregate_and_compute(counts).score)
