"""Power laws of scale, plain, above a floor, or with one smooth break in their exponent (Caballero et al. 2023).

They describe losses and error rates, which fall towards a floor. They do not suit accuracies on few documents, because
the fit knows nothing of binomial noise. A break beyond the largest size cannot be seen, and a law with six parameters
passes through almost any eight points, so fewer than nine are refused. Compare it with `fit_power_law` and
`fit_power_law_with_floor` on sizes that were left out of the fit.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import least_squares

from harness.analysis.laws.types import BrokenPowerLaw
from harness.analysis.stats import Array
from harness.errors import HarnessError

FEWEST_SIZES_FOR_A_BREAK = 9
"""Sizes that a law with a break needs: more than it has parameters, or it would fit any sizes."""
_A, _B, _C0, _C1, _D, _F = range(6)
_LOWER = np.array([0.0, -200.0, -5.0, -20.0, 0.0, math.log(0.01)])
_UPPER = np.array([np.inf, 200.0, 20.0, 20.0, 0.0, math.log(10.0)])
"""Bounds of a, ln b, c0, c1, ln d1 (set by the data), ln f1."""
_NO_BREAK = (0.0, 0.0, 0.0)


def fit_broken_power_law(x: Array, y: Array) -> BrokenPowerLaw:
    """The broken neural scaling law with one break that fits best, by least squares of ln(y + 1).

    The fit starts from a grid over both exponents and over the place and width of the break. For each combination of
    c1 and f1 the best grid point is refined, because refining only the best point of all often ends in a poor local
    optimum. The level a and the coefficient b follow by linear regression at each grid point. The published code has
    them on its grid too, which then suits only one unit of x and y.

    Args:
        x: scale, not its logarithm, (m,), in any order.
        y: loss or error rate, smaller is better, (m,).

    Raises:
        HarnessError: fewer than `FEWEST_SIZES_FOR_A_BREAK` sizes, or a value that no such law can have.
    """
    _check(x, y, FEWEST_SIZES_FOR_A_BREAK, "a scaling law with a break has six parameters")
    u = np.log(x)
    breaks = np.linspace(u.min(), u.max(), 18)[1:-1]
    grid = np.stack(
        np.meshgrid(
            (0.0, 0.05, 0.15, 0.4, 0.8), (-0.5, 0.2, 0.7, 2.0, 6.0), breaks, np.log((0.05, 0.25, 0.75)), indexing="ij"
        ),
        axis=-1,
    )
    return _best(u, y, grid.reshape(-1, 4), free=(_A, _B, _C0, _C1, _D, _F))


def fit_power_law(x: Array, y: Array) -> BrokenPowerLaw:
    """The plain power law y = b x^-c0 that fits best, by least squares of ln(y + 1).

    Args:
        x: scale, not its logarithm, (m,), in any order; at least three different ones.
        y: loss or error rate, smaller is better, (m,).

    Raises:
        HarnessError: fewer than three sizes, or a value that no such law can have.
    """
    _check(x, y, 3, "a power law has two parameters")
    return _best(np.log(x), y, _unbroken(), free=(_B, _C0))


def fit_power_law_with_floor(x: Array, y: Array) -> BrokenPowerLaw:
    """The power law above a level, y = a + b x^-c0, that fits best, by least squares of ln(y + 1).

    Args:
        x: scale, not its logarithm, (m,), in any order; at least four different ones.
        y: loss or error rate, smaller is better, (m,).

    Raises:
        HarnessError: fewer than four sizes, or a value that no such law can have.

    >>> x = np.array([1e6, 1e7, 1e8, 1e9])
    >>> law = fit_power_law_with_floor(x, 2 + 30 * x**-0.25)
    >>> round(law.a, 3), round(law.c0, 3)
    (2.0, 0.25)
    """
    _check(x, y, 4, "a power law with a floor has three parameters")
    return _best(np.log(x), y, _unbroken(), free=(_A, _B, _C0))


def _check(x: Array, y: Array, fewest: int, why: str) -> None:
    sizes = len(np.unique(x))
    if sizes < fewest:
        raise HarnessError(f"{why} and needs at least {fewest} sizes; got {sizes}")
    if not (np.isfinite(x).all() and (x > 0).all()):
        raise HarnessError("scales must be positive numbers")
    if not (np.isfinite(y).all() and (y >= 0).all() and (y > 0).any()):
        raise HarnessError("a scaling law is fitted to losses or error rates: numbers from 0 upwards, not all 0")


def _unbroken() -> Array:
    return np.array([(c0, *_NO_BREAK) for c0 in np.linspace(-0.2, 2.0, 45)])


def _best(u: Array, y: Array, grid: Array, *, free: tuple[int, ...]) -> BrokenPowerLaw:
    """Refine the best grid point of each kind of break and keep the best; grid (g, 4) of c0, c1, ln d1, ln f1."""
    # Scales are counted from their geometric mean, so that neither b nor the fit depends on the unit of x.
    middle = u.mean()
    u = u - middle
    theta = np.zeros((len(grid), 6))
    theta[:, 2:] = grid
    theta[:, _D] -= middle if _D in free else 0.0
    theta = _with_best_levels(theta, u, y, floor=_A in free)
    target = np.log1p(y)
    misfit = ((np.log1p(BrokenPowerLaw.curve(theta, u)) - target) ** 2).sum(axis=1)
    chosen = list(free)
    lower, upper = _LOWER.copy(), _UPPER.copy()
    lower[_D], upper[_D] = u.min(), u.max()

    def completed(start: Array, part: Array) -> Array:
        whole = start.copy()
        whole[chosen] = part
        return whole

    fits = []
    ascending = np.argsort(misfit, kind="stable")
    _, kinds = np.unique(theta[ascending][:, [_C1, _F]], axis=0, return_index=True)
    for start in theta[ascending[kinds]]:
        found = least_squares(
            lambda part, start=start: np.log1p(BrokenPowerLaw.curve(completed(start, part), u)) - target,
            np.clip(start, lower, upper)[chosen],
            bounds=(lower[chosen], upper[chosen]),
            x_scale="jac",
            xtol=1e-14,
            ftol=1e-14,
            gtol=1e-14,
            max_nfev=2000,
        )
        fits.append((float(found.cost), completed(start, found.x)))
    a, ln_b, c0, c1, ln_d, ln_f = (float(v) for v in min(fits, key=lambda fitted: fitted[0])[1])
    return BrokenPowerLaw(
        a=a, b=math.exp(ln_b + c0 * middle), c0=c0, c1=c1, d1=math.exp(ln_d + middle), f1=math.exp(ln_f)
    )


def _with_best_levels(theta: Array, u: Array, y: Array, *, floor: bool) -> Array:
    """The same grid points with the a and b that fit best, which the law is linear in."""
    weight = (1 + y) ** -2.0  # what a squared error of ln(y + 1) is worth in y, to first order
    shape = BrokenPowerLaw.curve(theta, u)
    mean_shape, mean_y = (weight * shape).sum(axis=1) / weight.sum(), float((weight * y).sum() / weight.sum())
    centred = shape - mean_shape[:, None]
    slope = (weight * centred * y).sum(axis=1) / np.maximum((weight * centred**2).sum(axis=1), 1e-300)
    a = mean_y - slope * mean_shape
    through_zero = (weight * shape * y).sum(axis=1) / np.maximum((weight * shape**2).sum(axis=1), 1e-300)
    usable = floor & (a >= 0) & (slope > 0)
    levelled = theta.copy()
    levelled[:, _A] = np.where(usable, a, 0.0)
    levelled[:, _B] = np.log(np.maximum(np.where(usable, slope, through_zero), 1e-80))
    return levelled
