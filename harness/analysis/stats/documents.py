"""Scores of single documents: clusters of documents, pairs of models, several answers to each document.

Where a docstring says Miller 2024, it means "Adding Error Bars to Evals: A Statistical Approach to Language Model
Evaluations" (arXiv:2411.00640).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.stats.arrays import Array
from harness.analysis.stats.distributions import binom, norm
from harness.analysis.stats.types import Difference, RepeatedScore


def clustered_stderr(scores: ArrayLike, clusters: Sequence[Hashable] | None) -> float | None:
    """Standard error of a mean over documents that come in clusters; None with fewer than two clusters.

        SE² = s² / n  +  sum over clusters of sum over i != j of (s_i - mean) (s_j - mean) / n²

    (Miller 2024, on clustered standard errors). Questions about one passage succeed and fail together, and an error
    that takes them as independent is too small. The formula holds for many clusters; with fewer than about 30 its
    result is too small as well. With one document per cluster it is the usual standard error.

    Args:
        scores: score of each document, shape (n,).
        clusters: label of the passage, subject or source that each document belongs to, n labels; None when all
            documents are independent.

    Raises:
        ValueError: the lengths differ, or a score is not finite.

    >>> halves = [0, 0, 1, 1]
    >>> round(clustered_stderr(halves, "abcd"), 4), round(clustered_stderr(halves, "aabb"), 4)
    (0.2887, 0.3819)
    """
    values = _documents(scores)
    n, residual = len(values), values - values.mean()
    squares = float(np.sum(residual**2))
    if clusters is None:
        return math.sqrt(squares / (n - 1) / n) if n > 1 else None
    codes = {label: code for code, label in enumerate(dict.fromkeys(clusters))}
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} cluster labels for {n} scores")
    if len(codes) < 2:
        return None
    sums = np.bincount([codes[label] for label in clusters], weights=residual)
    # The sum over pairs i != j of a cluster is the square of its sum minus the sum of its squares.
    return math.sqrt(squares / (n - 1) / n + (float(np.sum(sums**2)) - squares) / n**2)


def paired_difference(a: ArrayLike, b: ArrayLike, *, clusters: Sequence[Hashable] | None = None) -> Difference:
    """How much better `a` is than `b`, document by document.

        SE = sd(a_i - b_i) / sqrt(n) = sqrt(SE_a² + SE_b² - 2 r SE_a SE_b)

    (Miller 2024, on paired differences). Documents that are hard for both cost no precision. For zeros and ones there
    is also the exact test of McNemar (1947) on the documents they disagree about: whether the first is right on b of b
    + c of them as often as a fair coin shows heads.

    Args:
        a: score of each document, shape (n,); the mean over seeds where there are several seeds.
        b: scores of the same documents in the same order.
        clusters: label of the passage, subject or source of each document; None when documents are independent.

    Raises:
        ValueError: the lengths differ, there is no document, or a score is not finite.

    >>> found = paired_difference([1, 1, 1, 1, 0, 0], [0, 0, 0, 1, 0, 0])
    >>> found.value, round(found.stderr, 4), found.p_exact
    (0.5, 0.2236, 0.25)
    """
    first, second = _documents(a), _documents(b)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} scores; expected the same documents on both sides")
    gains = first - second
    n, value = len(gains), float(gains.mean())
    stderr = clustered_stderr(gains, clusters)
    z = None
    # Equal gains may differ in the last digit of the subtraction; such a spread means nothing.
    if stderr is not None and stderr > 1e-12 * max(np.abs(first).max(), np.abs(second).max()):
        z = value / stderr
    elif stderr is not None and not gains.any():
        z = 0.0
    varied = n > 1 and first.std() > 0 and second.std() > 0
    return Difference(
        value=value,
        stderr=stderr,
        correlation=float(np.corrcoef(first, second)[0, 1]) if varied else None,
        z=z,
        p=None if z is None else float(2 * norm.sf(abs(z))),
        p_exact=_mcnemar(gains) if np.isin([first, second], (0.0, 1.0)).all() else None,
        n=n,
    )


def repeated_samples(answers: ArrayLike) -> RepeatedScore:
    """Mean of sampled answers, with its error split into a part of the documents and a part of the answers.

        Var(mean) = (between + within / K) / n

    (Miller 2024, on resampling answers). More answers K shrink only the second part and can never replace documents.
    The parts are those of a one-way analysis of variance: the sample variance of the documents' means estimates between
    + within / K, so that `stderr` needs no subtraction.

    Args:
        answers: score of every answer, shape (documents, answers).

    Raises:
        ValueError: not two-dimensional, empty, or not finite.

    >>> found = repeated_samples([[1, 1], [0, 0], [1, 0], [0, 1]])
    >>> found.value, round(found.stderr, 4), round(found.within, 4), round(found.between, 4)
    (0.5, 0.2041, 0.25, 0.0417)
    """
    scores = np.asarray(answers, dtype=float)
    if scores.ndim != 2 or scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError(f"answers of shape {scores.shape}: expected (documents, answers), all finite")
    n, samples = scores.shape
    means = scores.mean(axis=1)
    spread = float(means.var(ddof=1)) if n > 1 else None
    within = float(scores.var(axis=1, ddof=1).mean()) if samples > 1 else None
    return RepeatedScore(
        value=float(means.mean()),
        stderr=None if spread is None else math.sqrt(spread / n),
        between=None if spread is None or within is None else max(0.0, spread - within / samples),
        within=within,
        n=n,
        samples=samples,
    )


def _mcnemar(gains: Array) -> float:
    """Exact two-sided p from the documents that only one side has right."""
    better, worse = int(np.sum(gains > 0)), int(np.sum(gains < 0))
    return min(1.0, 2 * float(binom.cdf(min(better, worse), better + worse, 0.5)))


def _documents(scores: ArrayLike) -> Array:
    values = np.asarray(scores, dtype=float)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"scores of shape {values.shape}: expected one finite number per document")
    return values
