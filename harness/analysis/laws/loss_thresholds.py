"""Does the loss alone say what a model can do?

Du, Zeng, Dong and Tang 2024, "Understanding Emergent Abilities of Language Models from the Loss Perspective"
(arXiv 2403.15796): models of equal pre-training loss perform alike whatever their size and data, and some abilities
stay at chance until the loss falls below a threshold,

    y = f(L) if L < eta, else chance.

The losses of all models must be measured on one fixed corpus. Losses per token can be compared only between models of
one tokeniser; across tokenisers take bits per byte. A threshold published for one corpus does not hold on another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.laws.exposure import fit_hinge
from harness.analysis.laws.inputs import finite_column, group_resamples
from harness.analysis.laws.types import Collapse, Hinge
from harness.analysis.stats import Array
from harness.errors import HarnessError


def collapse(
    score: ArrayLike,
    loss: ArrayLike,
    others: Mapping[str, ArrayLike],
    *,
    groups: Sequence[object] | None = None,
    degree: int = 3,
    resamples: int = 500,
    seed: int = 0,
) -> Collapse:
    """R² of one polynomial in the loss, compared with one in each other measure of scale, over all checkpoints.

    If the loss alone says what a model can do, one curve goes through all points; a run that leaves the curve lowers
    R². A polynomial of degree 3 can bend up once and down once. The interval comes from resampling whole runs, because
    checkpoints of one run are not independent. With three or four runs it nearly always holds 0, because a resample may
    then consist of a single run.

    Args:
        score: of each checkpoint, shape (n,).
        loss: of each checkpoint on the fixed corpus, shape (n,).
        others: at least one other measure of scale by name, such as log10 of FLOPs; each of shape (n,).
        groups: the run of each checkpoint, n long; None resamples single checkpoints.
        degree: degree of the polynomials.
        resamples: bootstrap replicates.
        seed: seed of the bootstrap.

    Raises:
        HarnessError: too few checkpoints for a polynomial of this degree, or a value that is not a number.
    """
    y, at = finite_column("score", score), finite_column("loss", loss)
    axes = {name: finite_column(name, values) for name, values in others.items()}
    drawn = group_resamples(groups if groups is not None else range(len(y)), resamples, np.random.default_rng(seed))
    weights = np.vstack([np.ones_like(y), drawn])
    by_loss = _weighted_r2(at, y, degree, weights)
    by_other = {name: _weighted_r2(values, y, degree, weights) for name, values in axes.items()}
    gain = by_loss - np.max(list(by_other.values()), axis=0)
    low, high = np.nanquantile(gain[1:], [0.025, 0.975])
    return Collapse(
        loss=float(by_loss[0]),
        others={name: float(values[0]) for name, values in by_other.items()},
        gain=float(gain[0]),
        gain_low=float(low),
        gain_high=float(high),
    )


def pooled_r2(x: ArrayLike, y: ArrayLike, degree: int = 3) -> float:
    """R² of a least-squares polynomial of y in x.

    >>> round(pooled_r2([1, 2, 3, 4, 5], [1, 4, 9, 16, 25], degree=1), 4)
    0.9626
    """
    score = np.asarray(y, dtype=float)
    return float(_weighted_r2(np.asarray(x, dtype=float), score, degree, np.ones((1, len(score))))[0])


def fit_hinge_in_loss(
    loss: ArrayLike,
    score: ArrayLike,
    floor: float,
    *,
    groups: Sequence[object] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Hinge:
    """The loss below which a score leaves its floor: y = r0 + a (L_0 - L)+.

    This is the threshold of Du et al. with a straight line for f. In the result `at`, `low` and `high` are losses,
    `slope` is the gain in score per unit of loss below `at`, and `n_below` counts the models whose loss is still above
    it. Read `refusal` first.

    Args:
        loss: of each checkpoint, shape (n,).
        score: of each checkpoint, shape (n,).
        floor: score without the ability, usually chance.
        groups: the run of each checkpoint, n long; None resamples single checkpoints.
        resamples: bootstrap replicates; 0 for none.
        seed: seed of the bootstrap.

    >>> found = fit_hinge_in_loss([5, 4, 3, 2, 1], [0.25, 0.25, 0.30, 0.40, 0.50], 0.25, resamples=0)
    >>> round(found.at, 3), round(found.slope, 3)
    (3.5, 0.1)
    """
    ability = -np.asarray(loss, dtype=float)
    found = fit_hinge(ability, score, floor, groups=groups, resamples=resamples, seed=seed)
    low = None if found.high is None else -found.high
    high = None if found.low is None else -found.low
    return replace(found, at=-found.at, low=low, high=high)


def loss_threshold(
    loss: ArrayLike, score: ArrayLike, stderr: ArrayLike, chance: float, *, errors: float = 2.0
) -> float | None:
    """The largest loss from which on all scores of one run are above chance; None when the last one is not.

    A score counts as above chance when it exceeds it by `errors` standard errors.

    Args:
        loss: of each checkpoint of one run, shape (n,).
        score: of each checkpoint, shape (n,).
        stderr: of each score, shape (n,).
        chance: score without the ability.
        errors: how many standard errors above chance a score must be.

    >>> loss_threshold([4, 3, 2, 1], [0.25, 0.40, 0.26, 0.60], [0.02] * 4, 0.25)
    1.0
    """
    at = np.asarray(loss, dtype=float)
    above = np.asarray(score, dtype=float) > chance + errors * np.asarray(stderr, dtype=float)
    order = np.argsort(at)
    persistent = np.logical_and.accumulate(above[order])
    return float(at[order][persistent][-1]) if persistent.any() else None


def _weighted_r2(x: Array, y: Array, degree: int, weights: Array) -> Array:
    """R² of a polynomial for every row of weights, (B,); NaN where the scores of a replicate are all equal."""
    if len(x) <= degree + 1:
        raise HarnessError(f"a polynomial of degree {degree} needs more than {degree + 1} checkpoints; got {len(x)}")
    design = np.vander((x - x.mean()) / (x.std() or 1.0), degree + 1)
    squares = (design[:, :, None] * design[:, None, :]).reshape(len(x), -1)
    normal = (weights @ squares).reshape(-1, degree + 1, degree + 1)
    moments = weights @ (design * y[:, None])
    # An axis can have fewer values than the polynomial has coefficients, as with three sizes, and so can a replicate:
    # the pseudo-inverse then goes through the mean of each value, which is the most that this axis can say.
    beta = (np.linalg.pinv(normal, rcond=1e-12, hermitian=True) @ moments[..., None])[..., 0]
    n = weights.sum(axis=1)
    mean = weights @ y / n
    total = np.sum(weights * (y - mean[:, None]) ** 2, axis=1)
    residual = np.sum(weights * (y - beta @ design.T) ** 2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, 1 - residual / total, np.nan)
