"""How sure a score is: intervals, clusters, pairs, repeated samples, tests against chance, trends, many tests at once.

Where a docstring says Miller 2024, it means "Adding Error Bars to Evals: A Statistical Approach to Language Model
Evaluations" (arXiv:2411.00640).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.analysis.stats.distributions import binom, false_discovery_control, norm
from harness.analysis.stats.normalise import tested_chance
from harness.analysis.stats.types import CONFIDENCE, Estimate, Interval, Repeated, Trend, Trends
from harness.records import Score
from harness.specs import MetricSpec


def is_proportion(score: Score, metric: MetricSpec) -> bool:
    """True when the score is a mean of zeros and ones.

    Headers keep no per-document scores, but the standard error gives them away: the sample standard error of
    n zeros and ones with mean p is exactly sqrt(p (1 - p) / (n - 1)), and any fractional score makes it smaller.
    Continuous metrics are never proportions. Corpus scores (span F1) fail the test except when all documents
    failed or all succeeded, where the Wilson interval is the honest one too: the normal one has no width.
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

    The item part is not divided by S: every seed asks the same documents, and more seeds cannot make a small
    document sample larger (Miller 2024: resampling leaves the variance between questions). The seed part uses the
    sample variance (S - 1). Chance differences between
    seeds on single documents are in both parts, which errs on the wide side.

    Args:
        scores: one per seed, the same metric; at least one.
        metric: how the score is read.
    """
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


def interval(of: Estimate, confidence: float = CONFIDENCE) -> Interval:
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
    """Wilson (1927) score interval of a proportion `p` of `n`; never leaves [0, 1] and has width at 0 and 1.

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

    Exact binomial for proportions: P(K >= k | n, c). With several seeds k and n are the effective ones, rounded
    down. Otherwise a normal test with the score's own standard error; where that is 0 the largest one possible at
    chance is taken, sqrt(c (1 - c) / n).

    >>> acc = MetricSpec(name="acc", chance=0.5)
    >>> above_chance_p(Estimate(1.0, 0.0, 4, 1, True), acc)
    0.0625
    """
    if metric.chance is None:
        return None
    if of.proportion and metric.higher_is_better:
        n = math.floor(of.n_effective + 1e-9)
        k = math.floor(of.value * n + 1e-6)
        return float(binom.sf(k - 1, n, tested_chance(metric.chance)))
    if of.stderr is None:
        return None
    bounded = 0.0 <= metric.chance < 1.0
    spread = of.stderr or (math.sqrt(tested_chance(metric.chance) * (1 - metric.chance) / of.n) if bounded else 0.0)
    if spread == 0.0:
        return None
    gain = (of.value - metric.chance) * (1 if metric.higher_is_better else -1)
    return float(norm.sf(gain / spread))


def clustered_stderr(scores: ArrayLike, clusters: Sequence[Hashable] | None) -> float | None:
    """Standard error of a mean over documents that come in clusters; None with fewer than two clusters.

        SE² = s² / n  +  sum over clusters of sum over i != j of (s_i - mean) (s_j - mean) / n²

    (Miller 2024, on clustered standard errors): questions about one passage succeed and fail together, and counting
    them as independent makes the error too small. Holds for many clusters; with fewer than about 30 it is itself
    too small. With one document per cluster it is the ordinary standard error.

    Args:
        scores: of each document, shape (n,).
        clusters: what the document belongs to: its passage, subject or source; n labels. None when each stands alone.

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
    # the pairs i != j of a cluster: the square of its sum less the squares
    return math.sqrt(squares / (n - 1) / n + (float(np.sum(sums**2)) - squares) / n**2)


class Difference(NamedTuple):
    """What one model or setting scores above another on the documents both answered."""

    value: float
    """Mean of the first less mean of the second, in units of the score."""
    stderr: float | None
    """Standard error of `value` over documents; None when it is unknown (one document or one cluster)."""
    correlation: float | None
    """Of the two scores over documents; None when one of them does not vary."""
    z: float | None
    """`value` over `stderr`; None when that cannot be formed."""
    p: float | None
    """Two-sided p of "no difference", normal; None without `z`. With few documents trust `p_exact` instead."""
    p_exact: float | None
    """Two-sided exact p of McNemar's test; None unless every score is 0 or 1."""
    n: int
    """Documents."""

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Normal interval of the difference."""
        return normal_interval(self.value, self.stderr, confidence)


def paired_difference(a: ArrayLike, b: ArrayLike, *, clusters: Sequence[Hashable] | None = None) -> Difference:
    """How much better `a` is than `b`, document by document.

        SE = sd(a_i - b_i) / sqrt(n) = sqrt(SE_a² + SE_b² - 2 r SE_a SE_b)

    (Miller 2024, on paired differences): documents that are hard for both cost no precision. For zeros and ones also
    the exact test on the documents they disagree about (McNemar 1947): b of b + c heads of a fair coin.

    Args:
        a: score of each document, shape (n,); the mean over seeds where there are several.
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
    # equal gains differ in the last digit of the subtraction; such a spread says nothing
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


def _mcnemar(gains: NDArray[np.float64]) -> float:
    """Exact two-sided p from the documents that one side alone has right."""
    better, worse = int(np.sum(gains > 0)), int(np.sum(gains < 0))
    return min(1.0, 2 * float(binom.cdf(min(better, worse), better + worse, 0.5)))


def repeated_samples(answers: ArrayLike) -> Repeated:
    """Mean of sampled answers, with its error taken apart into documents and answers.

        Var(mean) = (between + within / K) / n

    (Miller 2024, on resampling answers). More answers K shrink only the second part: they can never replace
    documents. The parts are those of a one-way analysis of variance: the sample variance of the documents' means
    estimates between + within / K, and so `stderr` needs no subtraction.

    Args:
        answers: score of every answer, shape (n documents, K answers).

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
    return Repeated(
        value=float(means.mean()),
        stderr=None if spread is None else math.sqrt(spread / n),
        between=None if spread is None or within is None else max(0.0, spread - within / samples),
        within=within,
        n=n,
        samples=samples,
    )


def _documents(scores: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=float)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"scores of shape {values.shape}: expected one finite number per document")
    return values


def trend(x: Sequence[float], estimates: Sequence[Estimate]) -> Trend | None:
    """The trend of one curve over scale, see `trends`; None when there is nothing to test (one scale, or no spread).

    Args:
        x: scale of each point, usually log10 of parameters.
        estimates: score at each point.

    >>> half = [Estimate(k / 10, None, 10, 1, True) for k in (2, 5, 8)]
    >>> round(trend((0, 1, 2), half).z, 4)
    2.6833
    """
    proportion = all(e.proportion for e in estimates)
    if not estimates or (not proportion and any(e.stderr is None for e in estimates)):
        return None
    n = np.array([[e.n_effective if proportion else e.n for e in estimates]], dtype=float)
    y = np.array([[e.value for e in estimates]])
    per_document = None if proportion else np.array([[e.stderr or 0.0 for e in estimates]]) ** 2 * n
    found = trends(np.array([x], dtype=float), n * y, n, per_document)
    return None if np.isnan(found.z[0]) else Trend(*(float(values[0]) for values in found))


def trends(
    x: NDArray[np.float64],
    k: NDArray[np.float64],
    n: NDArray[np.float64],
    variance: NDArray[np.float64] | None = None,
) -> Trends:
    """Cochran-Armitage trends over scale.

        z = sum k_i (x_i - x̄) / sqrt(s² sum n_i (x_i - x̄)²),   x̄ weighted by n

    For proportions s² = p (1 - p) with p pooled over scales (Armitage 1955); n_i are effective documents. For other
    scores s² is the pooled variance of single documents, which is the same formula without the binomial identity.
    Documents shared between scales are treated as independent: the test is on the cautious side.

    Args:
        x: scales, usually log10 of parameters, (B, m).
        k: sum of the scores of all documents, (B, m).
        n: documents, (B, m).
        variance: of the scores of single documents, (B, m); None for zeros and ones.
    """
    total = n.sum(axis=1)
    centred = x - ((n * x).sum(axis=1) / total)[:, None]
    spread = (n * centred**2).sum(axis=1)
    if variance is None:
        pooled = k.sum(axis=1) / total
        # Half a success is added to each side for the error of the range: all scores at 0 are not known to be 0.
        smooth = (k + 0.5) / (n + 1)
        within, residual = pooled * (1 - pooled), (n * smooth * (1 - smooth)).sum(axis=1) / total
    else:
        within = residual = (n * variance).sum(axis=1) / total
    lift, reach = (k * centred).sum(axis=1), x.max(axis=1) - x.min(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(within > 0, lift / np.sqrt(within * spread), 0.0)
        found = (z, 2 * norm.sf(np.abs(z)), lift / spread * reach, np.sqrt(residual / spread) * reach)
    return Trends(*(np.where((spread > 0) & (residual > 0), values, np.nan) for values in found))


def benjamini_hochberg(p: Sequence[float | None]) -> tuple[float | None, ...]:
    """False-discovery-rate adjusted values (Benjamini and Hochberg 1995); None stays None and is not counted.

    >>> benjamini_hochberg([0.01, None, 0.04, 0.03])
    (0.03, None, 0.04, 0.04)
    """
    known = [value for value in p if value is not None]
    adjusted = iter(false_discovery_control(known).tolist() if known else ())
    return tuple(None if value is None else next(adjusted) for value in p)
