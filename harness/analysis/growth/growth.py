"""How a score grows with scale: every growth form one curve can bear, with what its parameters mean to a reader.

The forms are those of `forms.FORMS`, fitted to binomial counts by maximum likelihood. They are ranked by AICc with the
number of sizes as sample size, and told apart by how well each foretells a size that was left out. No form is "the"
truth: read weights and held-out scores together, and mind that forms of equal weight can part soon after the data end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from harness.analysis.curves import Curve, Scale, scale_value
from harness.analysis.growth.averaging import weights
from harness.analysis.growth.counts import RUN_SD, Counts, countable, counts_of
from harness.analysis.growth.fits import Fits, fit, leave_one_out
from harness.analysis.growth.forms import FORMS
from harness.analysis.growth.profile import profile_interval
from harness.analysis.growth.types import Fit, Parameter
from harness.analysis.stats import CONFIDENCE, Array, Mask
from harness.analysis.stats.distributions import chi2

_PROBES = 24
"""Values tried on each side of a parameter, and again around each end of its interval."""
_STARTS = 8
"""Grid points from which the other parameters start, besides the fit itself."""


def growth(curve: Curve, *, run_sd: float = RUN_SD, intervals: bool = True) -> tuple[Fit, ...]:
    """Every form the curve can bear, best AICc first; empty when it is not `countable` or has fewer than three sizes.

    Args:
        curve: one metric over the sizes of one family.
        run_sd: standard deviation between training runs at a score of one half; 0 takes documents as the only noise.
        intervals: profile each parameter, which takes most of the time; without it all ends are None.
    """
    if not countable(curve):
        return ()
    counts = counts_of([curve], run_sd=run_sd)
    fitted = [fit(form, counts) for form in FORMS.values() if counts.sizes - form.p - 1 > 0]
    if not fitted:
        return ()
    best = curve.metric.best or 1.0
    first, last = curve.position[0], curve.position[-1]
    frame = _Frame(chance=float(counts.chance[0]), best=best, first=first, last=last, scale=curve.scale)
    found = [
        Fit(
            form=one.form.name,
            parameters=_parameters(one, counts, frame, intervals),
            loglik=float(one.loglik[0]),
            aicc=float(one.aicc(counts.sizes)[0]),
            weight=float(weight),
            held_out=float(leave_one_out(one.form, counts).sum()),
            scale=curve.scale,
            best=best,
            fits=one,
        )
        for one, weight in zip(fitted, weights(fitted, counts.sizes)[:, 0], strict=True)
    ]
    return tuple(sorted(found, key=lambda f: f.aicc))


class _Frame(NamedTuple):
    """What turns the parameters of a fit into numbers a reader knows."""

    chance: float
    """Share of the best score."""
    best: float
    """Units of the metric."""
    first: float
    """Position of the smallest size."""
    last: float
    """Position of the largest size."""
    scale: Scale
    """What positions mean."""


class _Reading(NamedTuple):
    """How to read one parameter."""

    name: str
    """As in `Fit.parameters`."""
    read: Callable[[float, _Frame], float]
    """The number to show; monotone, so that the ends of an interval are read like the value."""
    bounded: bool = False
    """True when the ends of the parameter's range are a meaning and not a limit of the search: scores, and 0."""


def _score(raw: float, frame: _Frame) -> float:
    return frame.best * raw


def _raw(raw: float, frame: _Frame) -> float:
    return raw


def _place(raw: float, frame: _Frame) -> float:
    # Beyond 300 decades a float ends, and so does every meaning.
    return scale_value(frame.scale, raw) if abs(raw) < 300 else math.inf


def _share(raw: float, frame: _Frame) -> float:
    return _place(frame.first + raw * (frame.last - frame.first), frame)


def _power_top(raw: float, frame: _Frame) -> float:
    return frame.best * (frame.chance + (1 - frame.chance) * math.exp(raw))


def _error_power_foot(raw: float, frame: _Frame) -> float:
    return frame.best * (1 - (1 - frame.chance) * math.exp(-math.exp(raw)))


def _all_tokens_middle(raw: float, frame: _Frame) -> float:
    return frame.best * (frame.chance + (1 - frame.chance) * math.exp(-math.exp(min(raw, 50.0))))


_MIDPOINT, _SLOPE = _Reading("midpoint", _place), _Reading("slope", _raw)
_READINGS: Mapping[str, tuple[_Reading, ...]] = {
    "const": (_Reading("level", _score, bounded=True),),
    "linear": (_Reading("smallest", _score, bounded=True), _Reading("largest", _score, bounded=True)),
    "power": (
        _Reading("largest", _power_top, bounded=True),
        _Reading("exponent", lambda raw, frame: raw / math.log(10)),
    ),
    "error-power": (
        _Reading("smallest", _error_power_foot, bounded=True),
        _Reading("exponent", lambda raw, frame: 0.0 - raw),
    ),
    "all-tokens": (
        _Reading("middle", _all_tokens_middle, bounded=True),
        _Reading("exponent", lambda raw, frame: raw / math.log(10)),
    ),
    "logistic": (_MIDPOINT, _SLOPE),
    "logistic-top": (_MIDPOINT, _SLOPE, _Reading("top", _score, bounded=True)),
    "quadratic-logit": (
        _Reading("middle", lambda raw, frame: frame.best / (1 + math.exp(-raw)), bounded=True),
        _SLOPE,
        _Reading("curvature", _raw),
    ),
    "hinge": (_Reading("onset", _share), _Reading("slope", _score)),
    "step": (_Reading("onset", _share), _Reading("level", _score, bounded=True)),
}
"""One reading per parameter of each form, in the order of the form."""


def _parameters(fits: Fits, counts: Counts, frame: _Frame, intervals: bool) -> dict[str, Parameter]:
    made = {}
    for index, reading in enumerate(_READINGS[fits.form.name]):
        of = _by_midpoint(fits) if reading is _MIDPOINT else fits
        value = reading.read(float(of.theta[0, index]), frame)
        low = high = None
        if intervals and math.isfinite(value):
            form, (least, most) = of.form, _profiled(of, index, counts)
            if math.isfinite(least) or reading.bounded or form.lower[index] == 0.0:
                low = reading.read(max(least, form.lower[index]), frame)
            if math.isfinite(most) or reading.bounded:
                high = reading.read(min(most, form.upper[index]), frame)
            # Some readings fall where the parameter rises: minus the loss, and the exponent of an error.
            if reading.read(0.25, frame) > reading.read(0.5, frame):
                low, high = high, low
        made[reading.name] = Parameter(value, low, high)
    return made


def _by_midpoint(fits: Fits) -> Fits:
    """A logistic curve with its midpoint x0 as first parameter, where the fit has a = k (x_mid - x0)."""
    form, inner = fits.form, fits.form.shape

    def shape(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
        k, off = theta[:, 1], ends.mean(axis=1) - theta[:, 0]
        mu, slopes = inner(np.column_stack([k * off, theta[:, 1:]]), x, chance, ends)
        by_a = slopes[:, :, 0]
        turned = [-k[:, None] * by_a, slopes[:, :, 1] + off[:, None] * by_a, *np.moveaxis(slopes[:, :, 2:], 2, 0)]
        return mu, np.stack(turned, axis=-1)

    a, k = fits.theta[:, 0], fits.theta[:, 1]
    first, last = fits.ends[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        midpoint = fits.ends.mean(axis=1) - a / k
    reach = 10 * (last - first)
    turned = replace(
        form,
        shape=shape,
        lower=(min(first - reach, float(midpoint[0])), *form.lower[1:]),
        upper=(max(last + reach, float(midpoint[0])), *form.upper[1:]),
        grid=(),
    )
    return replace(fits, form=turned, theta=np.column_stack([midpoint, fits.theta[:, 1:]]))


def _profiled(fits: Fits, index: int, counts: Counts) -> tuple[float, float]:
    """Interval of one parameter by profile likelihood, all others at their best; infinite at an end of its range.

    Probed ever more coarsely out to the ends of the range, then finely where the profile falls 1.92 below its maximum.
    """
    form, hat, out = fits.form, fits.theta[0, index], np.linspace(0, 1, _PROBES + 1) ** 3
    if form.name == "step" and index == 0:
        return _gaps(fits, counts)
    lower, upper = form.lower[index], form.upper[index]
    values = np.unique(np.concatenate([hat - (hat - lower) * out, hat + (upper - hat) * out]))
    loglik = _profile(fits, index, values, counts)
    inside = np.flatnonzero(_within(loglik))
    crossed = [at for at in (inside[0] - 1, inside[-1]) if 0 <= at < len(values) - 1]
    for at in crossed:
        between = np.linspace(values[at], values[at + 1], _PROBES + 2)[1:-1]
        values, loglik = np.append(values, between), np.append(loglik, _profile(fits, index, between, counts))
    order = np.argsort(values)
    low, high = profile_interval(values[order], loglik[order], CONFIDENCE)
    # On scores that jump up and down the profile can find a better valley than the fit did.
    return min(low, float(hat)), max(high, float(hat))


def _gaps(fits: Fits, counts: Counts) -> tuple[float, float]:
    """The gaps between sizes in which the step may lie, from the lower end of the first to the upper of the last."""
    along = (counts.x[0] - fits.ends[0, 0]) / (fits.ends[0, 1] - fits.ends[0, 0])
    inside = np.flatnonzero(_within(_profile(fits, 0, (along[:-1] + along[1:]) / 2, counts)))
    return float(along[inside[0]]), float(along[inside[-1] + 1])


def _within(loglik: Array) -> Mask:
    return np.asarray(loglik >= loglik.max() - chi2.ppf(CONFIDENCE, 1) / 2)


def _profile(fits: Fits, index: int, values: Array, counts: Counts) -> Array:
    """Log-likelihood with one parameter held at `values`, (len(values),), the others refined from several starts."""
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
    held = fit(form, counts.rows(np.zeros(len(flat), dtype=int)), start=flat, fixed=(form.parameters[index],))
    return np.asarray(held.loglik.reshape(len(values), -1).max(axis=1))


def _same_end(fits: Fits, index: int, values: Array) -> Array:
    """One more start for each value held, (len(values), 1, p): for a slope the fit moved so that it ends as high.

    A logistic curve or a hinge much steeper than the best one is otherwise flat at every size, and cannot be improved.
    """
    (first, last), theta = fits.ends[0], fits.theta[0]
    moved = np.repeat(theta[None], len(values), axis=0)
    if index == 1 and fits.form.name in ("logistic", "logistic-top"):
        moved[:, 0] += (theta[1] - values) * (last - first) / 2
    elif index == 1 and fits.form.name == "hinge":
        moved[:, 0] = 1 - (1 - theta[0]) * theta[1] / np.maximum(values, 1e-9)
    return moved[:, None]
