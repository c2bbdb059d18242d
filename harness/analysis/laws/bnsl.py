"""Broken neural scaling laws: a power law whose exponent changes once, smoothly (Caballero et al. 2023).

For losses and error rates, which fall towards a floor; never for accuracies of few documents, whose binomial noise the
fit does not know. A break beyond the largest size cannot be seen, and with six parameters the law passes through almost
any eight points, so fewer than nine are refused. Compare with `power_law` and `power_law_with_floor` on sizes held out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from harness.analysis.stats import Array
from harness.errors import HarnessError

FEWEST_SIZES_FOR_A_BREAK = 9
"""Sizes a law with a break needs: six parameters and something left to be wrong about."""
_A, _B, _C0, _C1, _D, _F = range(6)
_LOWER = np.array([0.0, -200.0, -5.0, -20.0, 0.0, math.log(0.01)])
_UPPER = np.array([np.inf, 200.0, 20.0, 20.0, 0.0, math.log(10.0)])
"""Bounds of a, ln b, c0, c1, ln d1 (set by the data), ln f1."""
_NO_BREAK = (0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Law:
    """y = a + b x^-c0 (1 + (x / d1)^(1 / f1))^(-c1 f1), equation 1 of Caballero et al. 2023 with one break."""

    a: float
    """Level the law falls to, in units of y."""
    b: float
    """Height above `a` at x = 1, before the break, in units of y."""
    c0: float
    """Exponent before the break."""
    c1: float = 0.0
    """What the break adds to the exponent; 0 when there is no break."""
    d1: float = 1.0
    """Scale at the break, in the unit of x."""
    f1: float = 1.0
    """Width of the break in powers of e; small is sharp."""

    def mean(self, x: Array) -> Array:
        """Expected y at scales `x`; beyond the fitted sizes it knows of no further break."""
        u = np.log(x)
        theta = np.array([self.a, math.log(self.b), self.c0, self.c1, math.log(self.d1), math.log(self.f1)])
        return _mean(theta, u)

    def rmsle(self, x: Array, y: Array) -> float:
        """Root mean square of ln(y + 1) - ln(expected + 1), the error the fit minimises."""
        return float(np.sqrt(np.mean((np.log1p(y) - np.log1p(self.mean(x))) ** 2)))


def bnsl(x: Array, y: Array) -> Law:
    """The law with one break that fits best, by least squares of ln(y + 1).

    A grid over exponents, place and width of the break is searched, and of each kind of break (c1 and f1) the best
    point is refined: the best of all often lies in the wrong valley. At each grid point a and b are solved for, where
    the published code has a grid over them too: that grid fits one unit of x and y, this one any.

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


def power_law(x: Array, y: Array) -> Law:
    """Plain power law y = b x^-c0, fitted like `bnsl`; at least three sizes."""
    _check(x, y, 3, "a power law has two parameters")
    return _best(np.log(x), y, _unbroken(), free=(_B, _C0))


def power_law_with_floor(x: Array, y: Array) -> Law:
    """Power law above a level, y = a + b x^-c0, fitted like `bnsl`; at least four sizes."""
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


def _mean(theta: Array, u: Array) -> Array:
    """The law at u = ln x; theta (..., 6) as a, ln b, c0, c1, ln d1, ln f1."""
    a, ln_b, c0, c1, ln_d, ln_f = (theta[..., i, None] for i in range(6))
    f = np.exp(ln_f)
    exponent = ln_b - c0 * u - c1 * f * np.logaddexp(0.0, (u - ln_d) / f)
    return np.asarray(a + np.exp(np.minimum(exponent, 700.0)))


def _best(u: Array, y: Array, grid: Array, *, free: tuple[int, ...]) -> Law:
    """Refine the best grid point of each kind of break and keep the best; grid (g, 4) of c0, c1, ln d1, ln f1."""
    # Scales are counted from their geometric mean, so that neither b nor the fit depends on the unit of x.
    middle = u.mean()
    u = u - middle
    theta = np.zeros((len(grid), 6))
    theta[:, 2:] = grid
    theta[:, _D] -= middle if _D in free else 0.0
    theta = _with_best_levels(theta, u, y, floor=_A in free)
    target = np.log1p(y)
    misfit = ((np.log1p(_mean(theta, u)) - target) ** 2).sum(axis=1)
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
            lambda part, start=start: np.log1p(_mean(completed(start, part), u)) - target,
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
    return Law(a=a, b=math.exp(ln_b + c0 * middle), c0=c0, c1=c1, d1=math.exp(ln_d + middle), f1=math.exp(ln_f))


def _with_best_levels(theta: Array, u: Array, y: Array, *, floor: bool) -> Array:
    """The same grid points with the a and b that fit best, which the law is linear in."""
    weight = (1 + y) ** -2.0  # what a squared error of ln(y + 1) is worth in y, to first order
    shape = _mean(theta, u)
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
