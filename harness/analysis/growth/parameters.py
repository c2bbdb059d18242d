"""How a score grows with scale: the growth forms that one curve has enough sizes for, with parameters for a reader.

The forms are those of `FORMS`, fitted to binomial counts by maximum likelihood. They are ranked by AICc with the number
of sizes as sample size, and compared by how well each predicts a size that was left out. No form is the truth. Read
weights and held-out scores together, and keep in mind that forms of equal weight may differ soon beyond the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from harness.analysis.curves import Curve, Scale, scale_value
from harness.analysis.growth.averaging import akaike_weights
from harness.analysis.growth.counts import countable, counts_of
from harness.analysis.growth.fitting import fit, leave_one_out
from harness.analysis.growth.forms import FORMS
from harness.analysis.growth.profile import parameter_interval
from harness.analysis.growth.types import Counts, Fits, FittedForm, Parameter
from harness.analysis.stats import Array


def fitted_forms(curve: Curve, *, run_sd: float | None = None, intervals: bool = True) -> tuple[FittedForm, ...]:
    """Every form that the curve has enough sizes for, best AICc first.

    Empty when the curve is not `countable` or has fewer than three sizes.

    Args:
        curve: one metric over the sizes of one family.
        run_sd: standard deviation between training runs at a score of one half; 0 takes documents as the only noise.
        intervals: compute the interval of each parameter, which takes most of the time; otherwise all ends are None.
    """
    if not countable(curve):
        return ()
    counts = counts_of([curve], run_sd=run_sd)
    fitted = [fit(form, counts) for form in FORMS.values() if counts.sizes - form.p - 1 > 0]
    if not fitted:
        return ()
    best = curve.metric.best or 1.0
    first, last = curve.position[0], curve.position[-1]
    units = _Units(chance=float(counts.chance[0]), best=best, first=first, last=last, scale=curve.scale)
    found = [
        FittedForm(
            form=one.form.name,
            parameters=_parameters(one, counts, units, intervals),
            loglik=float(one.loglik[0]),
            aicc=float(one.aicc(counts.sizes)[0]),
            weight=float(weight),
            left_out_score=float(leave_one_out(one.form, counts).sum()),
            scale=curve.scale,
            best=best,
            fits=one,
        )
        for one, weight in zip(fitted, akaike_weights(fitted, counts.sizes)[:, 0], strict=True)
    ]
    return tuple(sorted(found, key=lambda f: f.aicc))


class _Units(NamedTuple):
    """What is needed to turn the parameters of a fit into numbers that mean something to a reader."""

    chance: float
    """Chance level, as a share of the best score."""
    best: float
    """Best score, in units of the metric."""
    first: float
    """Position of the smallest size."""
    last: float
    """Position of the largest size."""
    scale: Scale
    """The measure of size on the x axis."""


class _Reading(NamedTuple):
    """How to read one parameter."""

    name: str
    """Its name in `FittedForm.parameters`."""
    read: Callable[[float, _Units], float]
    """The number to show, monotone in the parameter, so that the ends of an interval can be read like the value."""
    bounded: bool = False
    """True when the ends of the parameter's range have a meaning, as for scores, and do not merely limit the search."""


def _score(raw: float, units: _Units) -> float:
    return units.best * raw


def _raw(raw: float, units: _Units) -> float:
    return raw


def _on_axis(raw: float, units: _Units) -> float:
    # Beyond 300 decades a float ends, and so does every meaning.
    return scale_value(units.scale, raw) if abs(raw) < 300 else math.inf


def _onset(raw: float, units: _Units) -> float:
    return _on_axis(units.first + raw * (units.last - units.first), units)


def _power_top(raw: float, units: _Units) -> float:
    return units.best * (units.chance + (1 - units.chance) * math.exp(raw))


def _error_power_foot(raw: float, units: _Units) -> float:
    return units.best * (1 - (1 - units.chance) * math.exp(-math.exp(raw)))


def _all_tokens_middle(raw: float, units: _Units) -> float:
    return units.best * (units.chance + (1 - units.chance) * math.exp(-math.exp(min(raw, 50.0))))


_MIDPOINT, _SLOPE = _Reading("midpoint", _on_axis), _Reading("slope", _raw)
_READINGS: Mapping[str, tuple[_Reading, ...]] = {
    "const": (_Reading("level", _score, bounded=True),),
    "linear": (_Reading("smallest", _score, bounded=True), _Reading("largest", _score, bounded=True)),
    "power": (
        _Reading("largest", _power_top, bounded=True),
        _Reading("exponent", lambda raw, units: raw / math.log(10)),
    ),
    "error-power": (
        _Reading("smallest", _error_power_foot, bounded=True),
        _Reading("exponent", lambda raw, units: 0.0 - raw),
    ),
    "all-tokens": (
        _Reading("middle", _all_tokens_middle, bounded=True),
        _Reading("exponent", lambda raw, units: raw / math.log(10)),
    ),
    "logistic": (_MIDPOINT, _SLOPE),
    "logistic-top": (_MIDPOINT, _SLOPE, _Reading("top", _score, bounded=True)),
    "quadratic-logit": (
        _Reading("middle", lambda raw, units: units.best / (1 + math.exp(-raw)), bounded=True),
        _SLOPE,
        _Reading("curvature", _raw),
    ),
    "hinge": (_Reading("onset", _onset), _Reading("slope", _score)),
    "hinge-top": (
        _Reading("onset", _onset),
        _Reading("exponent", lambda raw, units: raw / math.log(10)),
        _Reading("top", _score, bounded=True),
    ),
    "step": (_Reading("onset", _onset), _Reading("level", _score, bounded=True)),
}
"""One reading per parameter of each form, in the order of the form."""


def _parameters(fits: Fits, counts: Counts, units: _Units, intervals: bool) -> dict[str, Parameter]:
    made = {}
    for index, reading in enumerate(_READINGS[fits.form.name]):
        of = _by_midpoint(fits) if reading is _MIDPOINT else fits
        value = reading.read(float(of.theta[0, index]), units)
        low = high = None
        if intervals and math.isfinite(value):
            form, (least, most) = of.form, parameter_interval(of, index, counts)
            if math.isfinite(least) or reading.bounded or form.lower[index] == 0.0:
                low = reading.read(max(least, form.lower[index]), units)
            if math.isfinite(most) or reading.bounded:
                high = reading.read(min(most, form.upper[index]), units)
            # Some readings fall when the parameter rises, such as a loss and the exponent of an error.
            if reading.read(0.25, units) > reading.read(0.5, units):
                low, high = high, low
        made[reading.name] = Parameter(value, low, high)
    return made


def _by_midpoint(fits: Fits) -> Fits:
    """A logistic curve whose first parameter is its midpoint x0; in the fit it is a = k (x_mid - x0)."""
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
