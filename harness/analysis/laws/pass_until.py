"""Abilities too rare for one sample per document: pass rates from many samples, and the law they follow over scale.

With one sample per document a model that solves each with probability 0.001 shows 0 of 100, and so does one that solves
none: an ability then seems to come from nothing. Sampling each document until it is solved resolves any rate (Hu et al.
2023, "Predicting Emergent Abilities with Infinite Resolution Evaluation"). Temperature and top-p must be the same for
all sizes, and answers that can be guessed put a floor under the rate.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from harness.analysis.stats import Array

_UNDEFINED = 0.01
"""Share of bootstrap replicates that may lack a value before an interval is refused."""


def pass_rates(successes: Array, draws: Array, *, until: int | None = None) -> Array:
    """Unbiased pass rate of each document.

    Sampling a fixed number of times, c of n gives c / n. Sampling until the r-th success makes r / n too large;
    unbiased is (r - 1) / (n - 1) (Haldane 1945), for which r must be at least 2. A document given up before its r-th
    success keeps c / n: with both rules together the estimate is unbiased for sampling that ends at r successes or
    after a fixed number of draws, whichever comes first (Girshick, Mosteller and Savage 1946).

    Args:
        successes: of each document, any shape.
        draws: samples taken of each document, the same shape, at least 1.
        until: successes r after which sampling stopped; None when the number of draws was fixed beforehand.

    >>> pass_rates(np.array([2.0, 1.0]), np.array([11.0, 500.0]), until=2).tolist()
    [0.1, 0.002]
    """
    if until is None:
        return successes / draws
    if until < 2:
        raise ValueError(f"sampling until {until} success has no unbiased pass rate; sample until 2 or more")
    return np.where(successes == until, (until - 1) / np.maximum(draws - 1, 1), successes / draws)


class PassUntil(NamedTuple):
    """PU, the mean pass rate of each size; arrays over sizes."""

    value: Array
    """Mean over documents, (m,)."""
    stderr: Array
    """Its standard error over documents, which all samples of a document move together, (m,)."""


def pass_until(rates: Array) -> PassUntil:
    """The mean pass rate of each size with its document-clustered error.

    The spread of the documents' estimated rates already holds the noise of their samples, so nothing is added for it.

    Args:
        rates: of each document at each size, (m, documents), at least two documents.
    """
    return PassUntil(rates.mean(axis=1), rates.std(axis=1, ddof=1) / np.sqrt(rates.shape[1]))


def none_correct(rates: Array, *, samples: int = 1) -> Array:
    """Probability that an evaluation with few samples per document shows 0 correct: prod_i (1 - p_i)^samples, (m,).

    Where it is large, a score of 0 says nothing about the ability: the evaluation lacks resolution.

    Args:
        rates: of each document at each size, (m, documents).
        samples: per document.

    >>> none_correct(np.full((1, 128), 0.00065)).round(2).tolist()
    [0.92]
    """
    return np.asarray(np.prod((1 - rates) ** samples, axis=1))


class PassLaw(NamedTuple):
    """-ln PU as a power of scale: log10(-ln PU) = intercept + slope x."""

    intercept: float
    """At x = 0, that is at a scale of 1."""
    slope: float
    """Exponent; negative when larger models pass more often."""
    r2: float
    """Share of the variance of log10(-ln PU) that the line explains, unweighted."""

    def rate(self, x: Array) -> Array:
        """PU expected at positions `x` = log10 of scale."""
        return np.exp(-(10.0 ** (self.intercept + self.slope * x)))


def pass_law(x: Array, value: Array, *, chance: float = 0.0) -> PassLaw | None:
    """The straight line of log10(-ln PU) over log10 of scale, least squares (Hu et al. 2023).

    The slope equals that of ln(-ln PU) over ln of scale.

    Args:
        x: log10 of scale, (m,).
        value: PU of each size, (m,).
        chance: rate of a random answer, taken out as (PU - chance) / (1 - chance).

    Returns:
        None for fewer than three sizes, for equal scales, or when a size is at or below chance or at 1, where the law
        has no value.
    """
    height = _height(value, chance)
    if len(np.unique(x)) < 3 or not np.isfinite(height).all():
        return None
    slope, intercept = np.polyfit(x, height, 1)
    residual = height - intercept - slope * x
    total = float(np.sum((height - height.mean()) ** 2))
    return PassLaw(float(intercept), float(slope), 1 - float(residual @ residual) / total if total else 1.0)


class Bending(NamedTuple):
    """How the law departs from a straight line."""

    curvature: float
    """Quadratic coefficient of log10(-ln PU) over log10 of scale."""
    low: float
    """Lower end of its 95 % bootstrap interval."""
    high: float
    """Upper end of its 95 % bootstrap interval."""

    @property
    def name(self) -> Literal["accelerating", "straight", "decelerating"]:
        """Accelerating when concave for sure, decelerating when convex for sure, else straight."""
        return "accelerating" if self.high < 0 else "decelerating" if self.low > 0 else "straight"


def bending(
    x: Array, rates: Array, rng: np.random.Generator, *, chance: float = 0.0, replicates: int = 1000
) -> Bending | None:
    """Does the pass rate grow faster or slower than the law? (Hu et al. 2023, "accelerated emergence").

    The interval comes from drawing documents with replacement, the same for every size. The noise between training runs
    is not in it.

    Args:
        x: log10 of scale, (m,).
        rates: of each document at each size, (m, documents).
        rng: source of the replicates.
        chance: rate of a random answer.
        replicates: bootstrap replicates.

    Returns:
        None for fewer than four sizes, which a parabola follows too easily, or where the law has no value (see
        `pass_law`), also in more than 1 % of the replicates.
    """
    if len(np.unique(x)) < 4:
        return None
    documents = rates.shape[1]
    drawn = rng.multinomial(documents, np.full(documents, 1 / documents), size=replicates) / documents
    heights = _height(np.vstack([rates.mean(axis=1), drawn @ rates.T]), chance)
    defined = np.asarray(np.isfinite(heights).all(axis=1))
    if not defined[0] or np.mean(defined) < 1 - _UNDEFINED:
        return None
    # centred, or the columns of the fit are nearly the same
    curvature = np.polyfit(x - x.mean(), heights[defined].T, 2)[0]
    low, high = np.quantile(curvature[1:], [0.025, 0.975])
    return Bending(float(curvature[0]), float(low), float(high))


def _height(value: Array, chance: float) -> Array:
    """log10(-ln PU) above chance; NaN where it has no value."""
    above = (value - chance) / (1 - chance)
    inside = (above > 0) & (above < 1)
    return np.where(inside, np.log10(-np.log(np.where(inside, above, 0.5))), np.nan)
