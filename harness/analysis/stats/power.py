"""What a number of documents can show, and how many are needed to show something.

For right and wrong answers the exact binomial test is used, elsewhere the normal approximations of textbooks (Fleiss,
Levin and Paik 2003, "Statistical Methods for Rates and Proportions", chapters 2 and 4). In the formulas z(q) is the
q-quantile of the standard normal distribution. Imports nothing heavy, because `emergence plan` shows these numbers and
must start fast.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable
from statistics import NormalDist

from harness.analysis.stats.chance import assumed_chance
from harness.analysis.stats.conventions import ALPHA, POWER, PRACTICAL_EFFECT
from harness.analysis.stats.types import Resolution
from harness.specs import TaskSpec


def minimum_detectable_effect(
    n: float, chance: float, *, stderr: float | None = None, alpha: float = ALPHA, power: float = POWER
) -> float:
    """Smallest gain over chance that `n` documents show with the given power (one sample, one-sided).

        (z(1-alpha) + z(power)) * SE,   SE = sqrt(c (1 - c) / n), the standard error at chance c

    Of all scores between 0 and 1 with mean c, zeros and ones have the largest spread, so that the value is too large
    for partial credit. For right and wrong answers it is too small, because the spread grows as the score leaves 0 and
    the exact test of verdicts is stricter than the normal one. With n = 200 documents a true gain of this size is found
    in 76 % of evaluations for c = 0.25, and in 46 % for c = 0; `detectable_effect` is exact there.

    Args:
        n: documents.
        chance: level without the ability; taken as `LUCKY_MATCHES` at least.
        stderr: standard error to use instead, for scores whose spread is known.
        alpha: one-sided false-alarm rate.
        power: wanted probability of finding the gain.

    >>> round(minimum_detectable_effect(200, 0.25), 3)
    0.076
    """
    c = assumed_chance(chance)
    spread = math.sqrt(c * (1 - c) / n) if stderr is None else stderr
    return (_z(1 - alpha) + _z(power)) * spread


@functools.cache
def detectable_effect(n: int, chance: float, *, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """Smallest gain over chance that `n` right or wrong answers show with the given power, by the exact test.

    It is the smallest p - c with P(X >= k | n, p) >= power, where k is the smallest count that is significant,
    P(X >= k | n, c) <= alpha (binomial, one-sided). None when not even n right answers would be significant.

    Args:
        n: documents.
        chance: c, level without the ability; taken as `LUCKY_MATCHES` at least.
        alpha: one-sided false-alarm rate.
        power: wanted probability of finding the gain.

    >>> round(detectable_effect(200, 0.25), 3), round(detectable_effect(2, 0.0), 3), detectable_effect(2, 0.25)
    (0.081, 0.548, None)
    """
    c = assumed_chance(chance)
    k = _significant_from(n, c, alpha)
    if k > n:
        return None
    low, high = c, 1.0
    while high - low > 1e-9:
        p = (low + high) / 2
        low, high = (low, p) if _at_least(k, n, p) >= power else (p, high)
    return high - c


def required_documents(gain: float, chance: float, *, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """How many documents show a gain over chance (one sample, one-sided); None when chance + gain exceeds 1.

        n = (z(1-alpha) sqrt(c (1 - c)) + z(power) sqrt(p (1 - p)))² / gain²,   p = c + gain

    Unlike `minimum_detectable_effect` it uses the spread at the score that is to be found.

    Args:
        gain: rise over chance that is to be found, as a share of the best score; more than 0.
        chance: level without the ability; taken as `LUCKY_MATCHES` at least.
        alpha: one-sided false-alarm rate.
        power: wanted probability of finding the gain.

    >>> required_documents(0.05, 0.25), required_documents(0.6, 0.5)
    (483, None)
    """
    c = assumed_chance(chance)
    p = c + gain
    if p > 1:
        return None
    root = _z(1 - alpha) * math.sqrt(c * (1 - c)) + _z(power) * math.sqrt(p * (1 - p))
    return _up((root / gain) ** 2)


def required_documents_per_model(
    gain: float, base: float, *, correlation: float = 0.0, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """How many documents two models must each answer to tell `base` from `base + gain`; None when that exceeds 1.

        n = (z(1-alpha/2) sqrt(2 m (1 - m)) + z(power) sqrt(b (1 - b) + p (1 - p)))² (1 - r) / gain²

    (two-sided, p = b + gain, m the mean of b and p). When both models answer the same documents, fewer are needed, by
    the share r (Miller 2024, "Adding Error Bars to Evals", on paired differences).

    Args:
        gain: difference that is to be found, as a share of the best score; more than 0.
        base: score of the weaker model; taken as `LUCKY_MATCHES` at least.
        correlation: correlation r of the two models' scores over shared documents; 0 for different documents.
        alpha: two-sided false-alarm rate.
        power: wanted probability of finding the difference.

    >>> required_documents_per_model(0.05, 0.25), required_documents_per_model(0.05, 0.25, correlation=0.5)
    (1251, 626)
    """
    b = assumed_chance(base)
    p = b + gain
    if p > 1:
        return None
    m = (b + p) / 2
    root = _z(1 - alpha / 2) * math.sqrt(2 * m * (1 - m)) + _z(power) * math.sqrt(b * (1 - b) + p * (1 - p))
    return _up((root / gain) ** 2 * (1 - correlation))


def required_documents_sampled(
    gain: float,
    *,
    between: float,
    within: tuple[float, float],
    samples: tuple[int, int],
    alpha: float = ALPHA,
    power: float = POWER,
) -> int:
    """How many documents two models must share when each answers every document several times.

        n = (z(1-alpha/2) + z(power))² (w² + s_A² / K_A + s_B² / K_B) / gain²

    (Miller 2024, "Adding Error Bars to Evals", power analysis). More answers cannot make up for too few documents,
    because w² does not shrink with them.

    Args:
        gain: difference that is to be found, in units of the score; more than 0.
        between: w², variance over documents of the difference of the two models' expected scores.
        within: s², variance of a model's single answer about its expected score, mean over documents, of A and B.
        samples: K, answers of A and of B to each document.
        alpha: two-sided false-alarm rate.
        power: wanted probability of finding the difference.

    >>> [required_documents_sampled(0.05, between=0.1, within=(0.1, 0.1), samples=(k, k)) for k in (1, 10, 1000)]
    [942, 377, 315]
    """
    variance = between + within[0] / samples[0] + within[1] / samples[1]
    return _up((_z(1 - alpha / 2) + _z(power)) ** 2 * variance / gain**2)


def resolution(task: TaskSpec, limit: int | None = None) -> Resolution:
    """The smallest effect that a task can show, known before anything has run.

    It can be computed for scores from 0 to 1, whose spread at chance is known. The spread of a log-likelihood cannot be
    known beforehand.

    Args:
        task: the task.
        limit: how many of its documents are used, from the first on; None uses all.

    >>> from harness.specs import MetricSpec
    >>> acc = MetricSpec(name="acc", chance=0.25)
    >>> resolution(TaskSpec(name="t", kind="qa", suite="s", metrics=(acc,), config={}, n_docs=200)).documents_needed
    494
    """
    metric = task.headline
    known = task.expected_docs
    documents = known if known is None or limit is None else min(known, limit)
    chance = metric.chance
    if not documents or chance is None or metric.best != 1.0 or not 0.0 <= chance < 1.0:
        return Resolution(documents, chance, None, None)
    mde = detectable_effect(documents, chance)
    if mde is not None and mde <= PRACTICAL_EFFECT:
        return Resolution(documents, chance, mde, None)
    roughly = required_documents(PRACTICAL_EFFECT, chance)
    if roughly is None:
        return Resolution(documents, chance, mde, None)
    # The search may start near the normal approximation, which is never much too large.
    return Resolution(documents, chance, mde, _first_enough(max(documents + 1, roughly * 9 // 10), chance))


@functools.cache
def _first_enough(start: int, chance: float) -> int:
    """The smallest number of documents, `start` or more, that shows `PRACTICAL_EFFECT` by the exact test."""
    c = assumed_chance(chance)
    powers = ((n, _at_least(_significant_from(n, c, ALPHA), n, c + PRACTICAL_EFFECT)) for n in itertools.count(start))
    return next(n for n, power in powers if power >= POWER)


def _significant_from(n: int, c: float, alpha: float) -> int:
    """The smallest k with P(X >= k | n, c) <= alpha; n + 1 when there is none."""
    low, high = 0, n + 1  # P(X >= 0) is 1, P(X >= n + 1) is 0
    while high - low > 1:
        k = (low + high) // 2
        low, high = (low, k) if _at_least(k, n, c) <= alpha else (k, high)
    return high


def _at_least(k: int, n: int, p: float) -> float:
    """P(X >= k | n, p), p > 0."""
    if p >= 1:
        return float(k <= n)
    if k <= 0 or k > n:
        return float(k <= 0)
    # each sum begins next to k, where its terms are largest, and ends where they do not count any more
    if k > n * p:
        return _sum(_exactly(k, n, p), ((n - i) / (i + 1) * p / (1 - p) for i in range(k, n)))
    return 1.0 - _sum(_exactly(k - 1, n, p), (i / (n - i + 1) * (1 - p) / p for i in range(k - 1, 0, -1)))


def _sum(term: float, ratios: Iterable[float]) -> float:
    """A falling series: its first term and the ratio of each to the one before."""
    total = term
    for ratio in ratios:
        term *= ratio
        total += term
        if term < 1e-17 * total:
            break
    return total


def _exactly(k: int, n: int, p: float) -> float:
    """P(X = k | n, p), 0 < p < 1."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def _z(q: float) -> float:
    return NormalDist().inv_cdf(q)


def _up(n: float) -> int:
    """The next whole number above n; a rounding error above a whole number does not count."""
    return math.ceil(n - 1e-9)
