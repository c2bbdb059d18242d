"""A score with its uncertainty: all few-shot seeds as one number, its interval, and its test against chance.

Where a docstring says Miller 2024, it means "Adding Error Bars to Evals: A Statistical Approach to Language Model
Evaluations" (arXiv:2411.00640).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.analysis.stats.chance import assumed_chance
from harness.analysis.stats.conventions import CONFIDENCE
from harness.analysis.stats.distributions import binom, norm
from harness.analysis.stats.types import Estimate, Interval
from harness.records import Score
from harness.specs import MetricSpec


def is_proportion(score: Score, metric: MetricSpec) -> bool:
    """True when the score is a mean of zeros and ones.

    The header of a result has no scores of single documents, but its standard error shows what they are: for n zeros
    and ones with mean p it is exactly sqrt(p (1 - p) / (n - 1)), and any fractional score makes it smaller. Continuous
    metrics are never proportions. Scores of a whole corpus (span F1) are none either, except when all documents failed
    or all succeeded. The Wilson interval is right for them too then, because the normal interval would have no width.
    """
    p, n = score.value, score.n
    if metric.continuous or metric.best != 1.0 or not 0.0 <= p <= 1.0:
        return False
    if score.stderr is None or n < 2:
        return p in {0.0, 1.0}
    return math.isclose(score.stderr, math.sqrt(p * (1 - p) / (n - 1)), rel_tol=1e-6, abs_tol=1e-12)


def estimate(scores: Sequence[Score], metric: MetricSpec) -> Estimate:
    """All seeds of one cell as one number.

    The value is the mean over S seeds. Its variance is

        mean over seeds of the item variance  +  variance between seeds / S

    The first part is not divided by S: every seed asks the same documents, and more seeds cannot make a small sample of
    documents larger (Miller 2024: resampling leaves the variance between questions). The second part uses the sample
    variance (S - 1). Random differences between seeds on single documents are in both parts, which makes the error
    slightly too large.

    Args:
        scores: one score per seed, all of the same metric; at least one.
        metric: how the score is read.
    """
    if len(scores) == 1:  # most are, and there can be hundreds of thousands
        [one] = scores
        stderr = None if one.stderr is None else abs(one.stderr)
        return Estimate(value=one.value, stderr=stderr, n=one.n, seeds=1, proportion=is_proportion(one, metric))
    values = np.array([s.value for s in scores])
    errors = [s.stderr for s in scores if s.stderr is not None]
    stderr = None
    if len(errors) == len(scores):
        between = float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0
        stderr = math.sqrt(float(np.mean(np.square(errors))) + between)
    return Estimate(
        value=float(values.mean()),
        stderr=stderr,
        n=min(s.n for s in scores),
        seeds=len(scores),
        proportion=all(is_proportion(s, metric) for s in scores),
    )


def confidence_interval(of: Estimate, confidence: float = CONFIDENCE) -> Interval:
    """Wilson interval for proportions, normal interval otherwise.

    With several seeds the Wilson interval uses the effective number of documents.
    """
    if of.proportion:
        return wilson(of.value, of.n_effective, confidence)
    return normal_interval(of.value, of.stderr, confidence)


def normal_interval(value: float, stderr: float | None, confidence: float = CONFIDENCE) -> Interval:
    """Value plus and minus z standard errors; both ends None when the standard error is unknown.

    >>> low, high = normal_interval(0.0, 1.0)
    >>> round(low, 2), round(high, 2)
    (-1.96, 1.96)
    """
    if stderr is None:
        return Interval(None, None)
    half = float(norm.ppf(0.5 + confidence / 2)) * stderr
    return Interval(value - half, value + half)


def wilson(p: float, n: float, confidence: float = CONFIDENCE) -> Interval:
    """Wilson (1927) score interval of a proportion `p` of `n`. It stays within [0, 1] and has a width at 0 and 1 too.

    >>> low, high = wilson(0.5, 100)
    >>> round(low, 4), round(high, 4)
    (0.4038, 0.5962)
    """
    z2 = float(norm.ppf(0.5 + confidence / 2)) ** 2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # At p = 0 and p = 1 an end is exact; rounding must not leave -1e-17 there.
    return Interval(0.0 if p == 0 else centre - half, 1.0 if p == 1 else centre + half)


def above_chance_p(of: Estimate, metric: MetricSpec) -> float | None:
    """One-sided p of "no better than chance"; None when the metric has no chance level or the spread is unknown.

    For proportions the test is exact, P(K >= k | n, c) of the binomial distribution; with several seeds k and n are the
    effective numbers, rounded down. For other scores it is a normal test with the standard error of the score; where
    that is 0, the largest one possible at chance is used, sqrt(c (1 - c) / n).

    >>> acc = MetricSpec(name="acc", chance=0.5)
    >>> above_chance_p(Estimate(1.0, 0.0, 4, 1, True), acc)
    0.0625
    """
    if metric.chance is None:
        return None
    if of.proportion and metric.higher_is_better:
        n = math.floor(of.n_effective + 1e-9)
        k = math.floor(of.value * n + 1e-6)
        return float(binom.sf(k - 1, n, assumed_chance(metric.chance)))
    if of.stderr is None:
        return None
    bounded = 0.0 <= metric.chance < 1.0
    spread = of.stderr or (math.sqrt(assumed_chance(metric.chance) * (1 - metric.chance) / of.n) if bounded else 0.0)
    if spread == 0.0:
        return None
    gain = (of.value - metric.chance) * (1 if metric.higher_is_better else -1)
    return float(norm.sf(gain / spread))
