"""F1 of several classes from counts in each document, and its standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.analysis.classes.types import Average, ClassScore, Scheme
from harness.analysis.stats import Array


class ClassCounts(NamedTuple):
    """What was right in each document, of each class; arrays of shape (documents, classes)."""

    right: Array
    """Named rightly; halves are right in part."""
    predicted: Array
    """Named."""
    expected: Array
    """There to be found."""


def f1_stderr(counts: ClassCounts, weights: Sequence[float]) -> float | None:
    """Standard error of a weighted sum of the F1 of classes over independent documents, by the delta method.

    With F_k = sum_i a_ik / sum_i b_ik, a = 2 right, b = predicted + expected,

        se = sqrt(n/(n-1) * sum_i (sum_k w_k (a_ik - F_k b_ik) / sum_i b_ik)^2)

    which for one class is the error of a ratio (Cochran 1977, Sampling Techniques, ch. 6) and for all of them with
    equal weights that of macro-F1 (Takahashi et al. 2022, doi:10.1007/s10489-021-02635-5). The weights are taken as
    they are. None for one document.

    >>> one = ClassCounts(*(np.array([column], dtype=float).T for column in ([1, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1])))
    >>> f1_stderr(one, [1.0])
    0.25
    """
    n = len(counts.right)
    doubled, totals = 2 * counts.right, counts.predicted + counts.expected
    sums = totals.sum(axis=0)
    if n < 2 or not sums.any():
        return None
    safe = np.where(sums > 0, sums, 1.0)
    f1 = doubled.sum(axis=0) / safe
    pull = ((doubled - f1 * totals) / safe) @ np.asarray(weights, dtype=float)
    return math.sqrt(n / (n - 1) * float(pull @ pull))


def class_scores(names: Sequence[str], counts: ClassCounts, scheme: Scheme) -> tuple[ClassScore, ...]:
    """The scores of every class.

    Args:
        names: the classes, in the order of the columns of `counts`.
        counts: what was right.
        scheme: what counts as right.
    """
    return tuple(
        _class_score(name, ClassCounts(*(part[:, [at]] for part in counts)), scheme) for at, name in enumerate(names)
    )


def averages(rows: Sequence[ClassScore], counts: ClassCounts, overall: ClassCounts) -> tuple[Average, ...]:
    """Micro, macro and weighted average.

    Args:
        rows: the scores of every class.
        counts: what they were computed from.
        overall: what was right in each document whatever its class, shape (documents, 1).
    """
    scheme, support = rows[0].scheme, sum(row.support for row in rows)
    micro = _class_score("", overall, scheme)
    even = [1 / len(rows)] * len(rows)
    weighted = [row.support / support for row in rows] if support else even
    return (
        Average(
            name="micro avg",
            scheme=scheme,
            precision=micro.precision,
            recall=micro.recall,
            f1=micro.f1,
            stderr=micro.stderr,
            support=support,
        ),
        _mean("macro avg", rows, even, f1_stderr(counts, even)),
        _mean("weighted avg", rows, weighted, f1_stderr(counts, weighted)),
    )


def _mean(name: str, rows: Sequence[ClassScore], weights: Sequence[float], stderr: float | None) -> Average:
    def mean(of: Sequence[float]) -> float:
        return math.fsum(weight * value for weight, value in zip(weights, of, strict=True))

    return Average(
        name="macro avg" if name == "macro avg" else "weighted avg",
        scheme=rows[0].scheme,
        precision=mean([row.precision for row in rows]),
        recall=mean([row.recall for row in rows]),
        f1=mean([row.f1 for row in rows]),
        stderr=stderr,
        support=sum(row.support for row in rows),
    )


def _class_score(name: str, counts: ClassCounts, scheme: Scheme) -> ClassScore:
    right, predicted, expected = (float(part.sum()) for part in counts)
    return ClassScore(
        name=name,
        scheme=scheme,
        precision=right / predicted if predicted else 0.0,
        recall=right / expected if expected else 0.0,
        f1=2 * right / (predicted + expected) if predicted + expected else 0.0,
        stderr=f1_stderr(counts, [1.0]),
        support=round(expected),
        predicted=round(predicted),
        right=right,
        n=int((counts.predicted + counts.expected > 0).sum()),
    )
