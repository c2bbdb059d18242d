"""Abilities too rare for one sample per document: pass rates from many samples, and the law they follow over scale.

With one sample per document a model that solves each document with probability 0.001 scores 0 of 100, just like a model
that solves none, and the ability later seems to come from nothing. Sampling each document until it is solved measures
any rate (Hu et al. 2023, "Predicting Emergent Abilities with Infinite Resolution Evaluation"). Temperature and top-p
must be the same for all sizes. Where answers can be guessed, the rate cannot fall below that of guessing.
"""

from __future__ import annotations

import numpy as np

from harness.analysis.laws.types import Curvature, PassRateLaw, PassUntil
from harness.analysis.stats import Array

_UNDEFINED = 0.01
"""No interval is given when a larger share of bootstrap replicates has no value."""


def pass_rates(successes: Array, draws: Array, *, until: int | None = None) -> Array:
    """Unbiased pass rate of each document.

    A document with c successes in a fixed number n of samples has the rate c / n. If sampling stops at the r-th
    success, r / n is too large on average; (r - 1) / (n - 1) is unbiased (Haldane 1945), and r must be at least 2. A
    document whose sampling ended before its r-th success has the rate c / n. Together these two rules are unbiased for
    sampling that ends at r successes or after a fixed number of draws, whichever comes first (Girshick, Mosteller and
    Savage 1946).

    Args:
        successes: number of successes of each document, any shape.
        draws: number of samples of each document, the same shape, at least 1.
        until: number of successes r at which sampling stopped; None when the number of draws was fixed beforehand.

    >>> pass_rates(np.array([2.0, 1.0]), np.array([11.0, 500.0]), until=2).tolist()
    [0.1, 0.002]
    """
    if until is None:
        return successes / draws
    if until < 2:
        raise ValueError(f"sampling until {until} success has no unbiased pass rate; sample until 2 or more")
    return np.where(successes == until, (until - 1) / np.maximum(draws - 1, 1), successes / draws)


def pass_until(rates: Array) -> PassUntil:
    """The mean pass rate of each size, with its standard error over documents.

    The spread of the documents' rates already contains the noise of sampling, so nothing is added for it.

    Args:
        rates: pass rate of each document at each size, (m, documents), at least two documents.
    """
    return PassUntil(rates.mean(axis=1), rates.std(axis=1, ddof=1) / np.sqrt(rates.shape[1]))


def probability_of_none_correct(rates: Array, *, samples: int = 1) -> Array:
    """Probability that an evaluation with few samples per document shows 0 correct: prod_i (1 - p_i)^samples, (m,).

    Where it is large, a score of 0 says nothing about the ability, because the evaluation is too coarse.

    Args:
        rates: pass rate of each document at each size, (m, documents).
        samples: samples per document.

    >>> probability_of_none_correct(np.full((1, 128), 0.00065)).round(2).tolist()
    [0.92]
    """
    return np.asarray(np.prod((1 - rates) ** samples, axis=1))


def fit_pass_rate_law(x: Array, value: Array, *, chance: float = 0.0) -> PassRateLaw | None:
    """The straight line of log10(-ln PU) over log10 of scale, least squares (Hu et al. 2023).

    The slope equals that of ln(-ln PU) over ln of scale.

    Args:
        x: log10 of scale, (m,).
        value: mean pass rate PU of each size, (m,).
        chance: pass rate of guessing, removed as (PU - chance) / (1 - chance).

    Returns:
        None for fewer than three different scales, or when a size is at or below chance or at 1, where the logarithms
        do not exist.
    """
    height = _height(value, chance)
    if len(np.unique(x)) < 3 or not np.isfinite(height).all():
        return None
    slope, intercept = np.polyfit(x, height, 1)
    residual = height - intercept - slope * x
    total = float(np.sum((height - height.mean()) ** 2))
    return PassRateLaw(float(intercept), float(slope), 1 - float(residual @ residual) / total if total else 1.0)


def pass_rate_curvature(
    x: Array, rates: Array, rng: np.random.Generator, *, chance: float = 0.0, replicates: int = 1000
) -> Curvature | None:
    """Whether the pass rate grows faster or slower than a power law (Hu et al. 2023, "accelerated emergence").

    The interval comes from drawing documents with replacement, the same documents for every size. It does not contain
    the noise between training runs.

    Args:
        x: log10 of scale, (m,).
        rates: pass rate of each document at each size, (m, documents).
        rng: source of randomness for the replicates.
        chance: pass rate of guessing.
        replicates: bootstrap replicates.

    Returns:
        None for fewer than four sizes, through which a parabola passes too easily; and where the logarithms do not
        exist (see `fit_pass_rate_law`), for the rates themselves or for more than 1 % of the replicates.
    """
    if len(np.unique(x)) < 4:
        return None
    documents = rates.shape[1]
    drawn = rng.multinomial(documents, np.full(documents, 1 / documents), size=replicates) / documents
    heights = _height(np.vstack([rates.mean(axis=1), drawn @ rates.T]), chance)
    defined = np.asarray(np.isfinite(heights).all(axis=1))
    if not defined[0] or np.mean(defined) < 1 - _UNDEFINED:
        return None
    # Without centring, the columns of the fit would be nearly proportional.
    curvature = np.polyfit(x - x.mean(), heights[defined].T, 2)[0]
    low, high = np.quantile(curvature[1:], [0.025, 0.975])
    return Curvature(float(curvature[0]), float(low), float(high))


def _height(value: Array, chance: float) -> Array:
    """log10(-ln PU) above chance; NaN where it has no value."""
    above = (value - chance) / (1 - chance)
    inside = (above > 0) & (above < 1)
    return np.where(inside, np.log10(-np.log(np.where(inside, above, 0.5))), np.nan)
