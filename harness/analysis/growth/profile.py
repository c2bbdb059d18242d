"""How well the data determine a parameter of a fitted form: its profile likelihood, and the interval from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.analysis.growth.fitting import fit
from harness.analysis.growth.types import Counts, Fits
from harness.analysis.stats import CONFIDENCE, Array, Mask
from harness.analysis.stats.distributions import chi2

_PROBES = 24
"""How many values are tried on each side of a parameter, and again around each end of its interval."""


_STARTS = 8
"""About how many grid points the other parameters start from, besides the fit itself."""


def parameter_interval(fits: Fits, index: int, counts: Counts) -> tuple[float, float]:
    """The 95 % interval of one parameter by profile likelihood; an end is infinite when the data do not bound it.

    The profile is computed at values that are dense near the fit and sparse towards the ends of the parameter's range,
    then at more values where it falls 1.92 below its maximum.

    Args:
        fits: a form fitted to one curve.
        index: which parameter of the form.
        counts: the curve.
    """
    form, hat, out = fits.form, fits.theta[0, index], np.linspace(0, 1, _PROBES + 1) ** 3
    if form.name == "step" and index == 0:
        return _gaps(fits, counts)
    lower, upper = form.lower[index], form.upper[index]
    values = np.unique(np.concatenate([hat - (hat - lower) * out, hat + (upper - hat) * out]))
    loglik = profile(fits, index, values, counts)
    inside = np.flatnonzero(_within(loglik))
    crossed = [at for at in (inside[0] - 1, inside[-1]) if 0 <= at < len(values) - 1]
    for at in crossed:
        between = np.linspace(values[at], values[at + 1], _PROBES + 2)[1:-1]
        values, loglik = np.append(values, between), np.append(loglik, profile(fits, index, between, counts))
    order = np.argsort(values)
    low, high = profile_interval(values[order], loglik[order], CONFIDENCE)
    # On scores that jump up and down the profile can find a better optimum than the fit did.
    return min(low, float(hat)), max(high, float(hat))


def _gaps(fits: Fits, counts: Counts) -> tuple[float, float]:
    """The interval of the place of a step: all gaps between sizes in which it may lie."""
    along = (counts.x[0] - fits.ends[0, 0]) / (fits.ends[0, 1] - fits.ends[0, 0])
    inside = np.flatnonzero(_within(profile(fits, 0, (along[:-1] + along[1:]) / 2, counts)))
    return float(along[inside[0]]), float(along[inside[-1] + 1])


def _within(loglik: Array) -> Mask:
    return np.asarray(loglik >= loglik.max() - chi2.ppf(CONFIDENCE, 1) / 2)


def profile(fits: Fits, index: int, values: Array, counts: Counts) -> Array:
    """Log-likelihood with one parameter fixed at each of `values`, (len(values),), and the others at their best.

    Args:
        fits: a form fitted to one curve.
        index: which parameter is fixed.
        values: where it is fixed.
        counts: the curve.
    """
    form = replace(fits.form, closed=None)
    starts = fits.theta
    if form.grid:
        grid = np.stack(np.meshgrid(*form.grid, indexing="ij"), axis=-1).reshape(-1, form.p)
        starts = np.vstack([starts, grid[:: max(1, len(grid) // _STARTS)]])
    elif form.name == "step":
        x, (first, last) = counts.x[0], fits.ends[0]
        shares = ((x[:-1] + x[1:]) / 2 - first) / (last - first)
        starts = np.column_stack([shares, np.full(len(shares), fits.theta[0, 1])])
    rows = np.concatenate([np.repeat(starts[None], len(values), axis=0), _same_end(fits, index, values)], axis=1)
    rows[:, :, index] = values[:, None]
    flat = rows.reshape(-1, form.p)
    profiles = fit(form, counts.rows(np.zeros(len(flat), dtype=int)), start=flat, fixed=(form.parameters[index],))
    return np.asarray(profiles.loglik.reshape(len(values), -1).max(axis=1))


def _same_end(fits: Fits, index: int, values: Array) -> Array:
    """One more start for each value, (len(values), 1, p); for a slope, the fit moved so that it ends equally high.

    Without it, a logistic curve or a hinge that is much steeper than the best one would be flat at every size, and the
    search could not improve it.
    """
    (first, last), theta = fits.ends[0], fits.theta[0]
    moved = np.repeat(theta[None], len(values), axis=0)
    if index == 1 and fits.form.name in ("logistic", "logistic-top"):
        moved[:, 0] += (theta[1] - values) * (last - first) / 2
    elif index == 1 and fits.form.name == "hinge":
        moved[:, 0] = 1 - (1 - theta[0]) * theta[1] / np.maximum(values, 1e-9)
    return moved[:, None]


def profile_interval(values: Array, loglik: Array, confidence: float = 0.95) -> tuple[float, float]:
    """The smallest and largest value whose profile log-likelihood is within chi2_1 / 2 of the best (1.92 at 95 %).

    Ends are interpolated between values. An end is -inf or inf when the profile is still that high at the end of
    `values`.
    """
    drop = loglik - loglik.max() + chi2.ppf(confidence, 1) / 2
    inside = np.flatnonzero(drop >= 0)
    first, last = inside[0], inside[-1]
    low = -np.inf if first == 0 else float(np.interp(0.0, drop[first - 1 : first + 1], values[first - 1 : first + 1]))
    if last == len(values) - 1:
        return low, np.inf
    return low, float(np.interp(0.0, -drop[last : last + 2], values[last : last + 2]))
