"""Fitted growth forms as people read them: parameters with intervals, and lines to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from harness.analysis.curves import Scale, position
from harness.analysis.growth.fits import Fits
from harness.analysis.stats import Array


class Trace(NamedTuple):
    """One form fitted to one curve."""

    form: str
    """Its name."""
    weight: float
    """Akaike weight among all forms the curve can bear, 0 to 1."""
    scatter: float
    """Distance of the sizes from the form over what documents and training runs explain, at least 1."""
    x: tuple[float, ...]
    """Places from the smallest size on, in the unit of the axis."""
    y: tuple[float, ...]
    """Expected scores there, in units of the metric."""


class Parameter(NamedTuple):
    """One number of a fitted form."""

    value: float
    """At the best fit; infinite when the fit puts it beyond all scales."""
    low: float | None
    """Lower end of the 95 % interval by profile likelihood; None when the data do not bound it."""
    high: float | None
    """Upper end of the interval; None when the data do not bound it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """One form fitted to one curve."""

    form: str
    """Name of the form, a key of `FORMS`."""
    parameters: Mapping[str, Parameter]
    """By name. Scores, in units of the metric: `smallest` and `largest` at the ends of the sizes, `middle` halfway
    between them, `top` in the end, `level` everywhere (const) or after the step. Scales, in units of the axis:
    `midpoint`, `onset`; the interval of a step's onset is made of whole gaps between sizes. Per decade, or per unit of
    a loss: `slope`, in units of the metric for the hinge and in logits elsewhere; `curvature`, half its change;
    `exponent`, which multiplies the gain over chance (power) or the error (error-power) by 10^exponent and divides
    the loss of a whole answer by it (all-tokens)."""
    loglik: float
    """Log-likelihood, binomial coefficients included."""
    aicc: float
    """Corrected information criterion; smaller is better, and only differences count."""
    weight: float
    """Akaike weight among the fitted forms, 0 to 1."""
    held_out: float
    """Log score of each size predicted from all others, summed (leave-one-out elpd); larger is better. A size of
    many documents weighs more."""
    scale: Scale
    """What the curve's x means."""
    best: float
    """Best score of the metric."""
    fits: Fits = field(compare=False, repr=False)
    """The fit itself: a batch of one."""

    def at(self, x: Sequence[float] | Array) -> Array:
        """Expected score, in units of the metric, at these scales, in units of the axis; shape (len(x),)."""
        positions = np.array([position(self.scale, value) for value in x], dtype=float)
        return np.asarray(self.fits.mean(positions)[0] * self.best)
