"""Where an ability leaves chance over many models, and what exposure to the test task adds.

    y = r0 + a (x - x_e)+ + theta z

with x = log10 of training compute, r0 the chance level, x_e the point of emergence and z = 1 for models marked as
exposed (Dominguez-Olmedo, Dorner and Hardt 2024, "Training on the Test Task Confounds Evaluation and Emergence",
arXiv 2407.07890). The elbow x_e is found by search and not by gradient descent, because a descent that starts beyond
the elbow finds no slope to follow. Every model counts the same, because models of one size differ by more than the
documents of one benchmark can explain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.laws.inputs import finite_column, group_resamples
from harness.analysis.laws.types import Hinge
from harness.analysis.stats import Array
from harness.analysis.stats.distributions import f, norm, t
from harness.errors import HarnessError
from harness.wording import number

FLOOR_TOLERANCE = 0.05
"""A floor is refused when the models before the elbow score this much more or less, in units of the score."""
_FEWEST_MODELS = 5
_WRONG_FLOOR = 0.01
"""Significance at which a free floor is taken to be better than the given one."""


def fit_hinge(
    x: ArrayLike,
    y: ArrayLike,
    floor: float,
    *,
    marked: ArrayLike | None = None,
    groups: Sequence[object] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Hinge:
    """The hinge that fits best by least squares, its floor given.

    Equation of Dominguez-Olmedo et al. 2024: y = r0 + a (x - x_e)+ + theta z; see the top of this module.

    `refusal` is set when the models do not score the floor before the elbow. That happens with a Brier score, or with
    a format whose wrong answers look likelier than right ones; the elbow would then lie wherever a line from the wrong
    level meets the rise. The elbow may lie left of all models by as much as they span, so that a straight line is not
    given an elbow among them. The published plotting code replaces elbows above 10^23 FLOPs by hand; that is not done
    here.

    In simulations the 95 % interval covered the truth in 94 % of cases with 15 models, 91 % with 30 and 94 % with 60,
    but in only 80 % with 8 models.

    Args:
        x: scale of each model, e.g. log10 FLOPs, shape (n,).
        y: score of each model, shape (n,).
        floor: score without the ability (r0), usually chance.
        marked: True for models exposed to the task, e.g. by release date, shape (n,); None leaves theta out.
        groups: what to resample together, e.g. the run of each checkpoint, n long; None resamples single models.
        resamples: bootstrap replicates for the intervals; 0 for none.
        seed: seed of the bootstrap.

    Raises:
        HarnessError: fewer than five models, fewer than three different scales, or a value that is not a number.

    >>> found = fit_hinge([0, 1, 2, 3, 4, 5], [0.25, 0.25, 0.25, 0.3, 0.4, 0.5], 0.25, resamples=0)
    >>> round(found.at, 3), round(found.slope, 3), found.n_below
    (2.5, 0.1, 3)
    """
    at, score = finite_column("x", x), finite_column("y", y)
    if len(at) < _FEWEST_MODELS or len(np.unique(at)) < 3:
        raise HarnessError(
            f"a hinge needs at least {_FEWEST_MODELS} models at 3 different scales; "
            f"got {len(at)} at {len(np.unique(at))}: read more models"
        )
    marks = None if marked is None else np.asarray(marked, dtype=float)
    ones = np.ones_like(at)
    covariates = np.empty((len(at), 0)) if marks is None else marks[:, None]
    leftmost = 2 * at.min() - at.max()
    best = elbow_profile(at, score - floor, covariates, ones[None, :], leftmost=leftmost)
    line = np.column_stack([ones, at, covariates])
    flat = float(np.sum((score - score.mean()) ** 2))
    straight = score - line @ np.linalg.lstsq(line, score, rcond=None)[0]
    r2, r2_linear = (1 - float(rss) / flat if flat else 0.0 for rss in (best.rss[0], np.sum(straight**2)))
    spread = None
    if resamples:
        together = groups if groups is not None else range(len(at))
        drawn = group_resamples(together, resamples, np.random.default_rng(seed))
        again = elbow_profile(at, score - floor, covariates, drawn, leftmost=leftmost)
        tail = expanded_tail(len(set(together)), 2 + covariates.shape[1])
        spread = np.quantile(np.column_stack([again.elbow, again.beta]), [tail, 1 - tail], axis=0)
    theta = None if marks is None else float(best.beta[0, 1])
    return Hinge(
        at=float(best.elbow[0]),
        low=None if spread is None else float(spread[0, 0]),
        high=None if spread is None else float(spread[1, 0]),
        slope=float(best.beta[0, 0]),
        theta=theta,
        theta_low=None if spread is None or marks is None else float(spread[0, 2]),
        theta_high=None if spread is None or marks is None else float(spread[1, 2]),
        floor=floor,
        n_below=int(np.sum(at <= best.elbow[0])),
        r2=r2,
        r2_linear=r2_linear,
        refusal=_refusal(at, score, floor, covariates, best, r2),
    )


def expanded_tail(n: int, fitted: int) -> float:
    """Quantile at which a percentile interval of n units ends, instead of .025.

    Phi(sqrt(n / (n - p)) t_{.025, n - p}): without it the bootstrap is too sure of few models (the expanded
    percentile interval of Hesterberg 2015, "What Teachers Should Know About the Bootstrap", with p fitted parameters
    in the place of one).
    """
    left = max(n - fitted, 1)
    return float(norm.cdf(np.sqrt(n / left) * t.ppf(0.025, left)))


class ElbowProfile(NamedTuple):
    """The best hinge for each of B rows of weights."""

    elbow: Array
    """Where it turns, (B,)."""
    beta: Array
    """Its slope and further coefficients, (B, p)."""
    rss: Array
    """Weighted sum of squared errors, (B,)."""


def elbow_profile(x: Array, y: Array, covariates: Array, weights: Array, *, leftmost: float) -> ElbowProfile:
    """Best elbow and coefficients for every row of weights, (B,), (B, p) and (B,).

    Exact: while the elbow moves between two neighbouring scales the same models lie beyond it, and y is linear in
    (a, a x_e, theta). The best elbow is the one that solves this, where it falls between them, or one of the scales.
    It stays at or before the second largest scale: beyond it one model would make the slope.
    """
    origin = x.mean()  # keeps the normal equations well conditioned
    x = x - origin
    knots = np.concatenate([[leftmost - origin], np.unique(x)[:-1]])
    n, rows = len(x), np.arange(len(weights))
    beyond = (x > knots[:-1, None])[..., None]
    between = np.concatenate([beyond * np.column_stack([x, -np.ones(n)]), _every(covariates, len(beyond))], axis=2)
    free, free_rss = _solve(between, y, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        elbow = free[..., 1] / free[..., 0]
    free_rss = np.where((elbow > knots[:-1]) & (elbow < knots[1:]), free_rss, np.inf)
    rise = np.maximum(x - knots[:, None], 0.0)[..., None]
    fixed, fixed_rss = _solve(np.concatenate([rise, _every(covariates, len(rise))], axis=2), y, weights)
    elbows = np.concatenate([elbow, np.broadcast_to(knots, fixed_rss.shape)], axis=1)
    betas = np.concatenate([np.delete(free, 1, axis=2), fixed], axis=1)
    rss = np.concatenate([free_rss, fixed_rss], axis=1)
    best = np.argmin(rss, axis=1)
    return ElbowProfile(elbow=elbows[rows, best] + origin, beta=betas[rows, best], rss=np.maximum(rss[rows, best], 0.0))


def _every(covariates: Array, times: int) -> Array:
    return np.broadcast_to(covariates, (times, *covariates.shape))


def _solve(design: Array, y: Array, weights: Array) -> tuple[Array, Array]:
    """Weighted least squares of y on G designs (G, n, p) for B rows of weights: coefficients (B, G, p), RSS (B, G)."""
    g, n, p = design.shape
    squares = (design[..., :, None] * design[..., None, :]).transpose(1, 0, 2, 3).reshape(n, -1)
    normal = (weights @ squares).reshape(-1, g, p, p)
    moments = (weights @ (design * y[:, None]).transpose(1, 0, 2).reshape(n, -1)).reshape(-1, g, p)
    # A replicate may miss all models beyond an elbow, or all marked ones: their coefficient is then 0, not infinite.
    beta = np.linalg.solve(normal + 1e-12 * np.eye(p), moments[..., None])[..., 0]
    return np.asarray(beta), np.asarray((weights @ y**2)[:, None] - np.sum(beta * moments, axis=2))


def _refusal(x: Array, y: Array, floor: float, covariates: Array, best: ElbowProfile, r2: float) -> str | None:
    """The floor is wrong when a free one fits significantly better (F test) and lies elsewhere by more than matters."""
    if np.ptp(y) == 0:
        return "All models score the same."
    if r2 <= 0:
        start = number(floor)
        return f"A hinge that starts at {start} fits worse than a constant: the floor of this metric is not chance."
    if best.beta[0, 0] <= 0:
        return "The score falls beyond the elbow: nothing emerges there."
    arm = np.column_stack([np.ones_like(x), covariates])
    free = elbow_profile(x, y, arm, np.ones((1, len(x))), leftmost=float(x.min()))
    level, remaining = float(free.beta[0, 1]), len(x) - 3 - covariates.shape[1]
    ratio = (float(best.rss[0]) / max(float(free.rss[0]), np.finfo(float).tiny) - 1) * remaining
    if abs(level - floor) > FLOOR_TOLERANCE and f.sf(ratio, 1, remaining) < _WRONG_FLOOR:
        return (
            f"The models before the elbow score {number(level)}, not {number(floor)}: the floor of this metric is not "
            "chance, and the elbow would depend on where it is put."
        )
    return None
