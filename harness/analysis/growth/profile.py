"""Profile likelihood of one parameter of a growth form, and the interval it gives."""

from __future__ import annotations

import numpy as np

from harness.analysis.growth.counts import Counts
from harness.analysis.growth.fits import fit
from harness.analysis.growth.forms import Form
from harness.analysis.stats import Array
from harness.analysis.stats.distributions import chi2


def profile(form: Form, parameter: str, values: Array, counts: Counts) -> Array:
    """Profile log-likelihood of one parameter of one curve, (len(values),): all others at their best.

    Args:
        form: the form.
        parameter: name of the parameter to hold.
        values: where to hold it.
        counts: one curve.
    """
    place = form.parameters.index(parameter)
    rows = np.zeros(len(values), dtype=int)
    held = []
    others = [form.grid[i] if i != place else (np.nan,) for i in range(form.p)]
    for point in np.stack(np.meshgrid(*others, indexing="ij"), axis=-1).reshape(-1, form.p):
        start = np.tile(point, (len(values), 1))
        start[:, place] = values
        held.append(fit(form, counts.rows(rows), start=start, fixed=(parameter,)).loglik)
    return np.asarray(np.max(held, axis=0))


def profile_interval(values: Array, loglik: Array, confidence: float = 0.95) -> tuple[float, float]:
    """Values whose profile log-likelihood is within chi2_1 / 2 of the best (1.92 at 95 %), ends interpolated.

    An end is -inf or inf when the profile is still that high at the edge of `values`.
    """
    drop = loglik - loglik.max() + chi2.ppf(confidence, 1) / 2
    inside = np.flatnonzero(drop >= 0)
    first, last = inside[0], inside[-1]
    low = -np.inf if first == 0 else float(np.interp(0.0, drop[first - 1 : first + 1], values[first - 1 : first + 1]))
    if last == len(values) - 1:
        return low, np.inf
    return low, float(np.interp(0.0, -drop[last : last + 2], values[last : last + 2]))
