"""Curves as counts, forms of growth, forms fitted to curves, and what people read of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from harness.analysis.curves import Scale, position
from harness.analysis.growth.likelihood import aicc, clipped
from harness.analysis.stats import Array, Index, Mask

_RIDGE = 1e-5
"""Weight of the square of a slope in the fit. Where nothing has risen yet, any later rise fits the data equally well;
this picks the flattest, and costs a curve that does rise less than 0.02 in log-likelihood."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """B curves with m sizes each."""

    x: Array
    """Positions, (B, m), ascending along m."""
    k: Array
    """Successes, (B, m); may be fractional."""
    n: Array
    """Documents, (B, m); 0 leaves a size out."""
    chance: Array
    """Level without the ability, (B,), in [0, 1)."""

    def __len__(self) -> int:
        return len(self.x)

    @property
    def sizes(self) -> int:
        """Number of sizes m."""
        return int(self.x.shape[1])

    def rows(self, chosen: Any) -> Counts:
        """Some of the curves, by index or mask."""
        return Counts(x=self.x[chosen], k=self.k[chosen], n=self.n[chosen], chance=self.chance[chosen])

    def smallest(self, sizes: int) -> Counts:
        """All curves, cut to their smallest `sizes` sizes."""
        return replace(self, x=self.x[:, :sizes], k=self.k[:, :sizes], n=self.n[:, :sizes])

    def only(self, known: Mask) -> Counts:
        """All curves, with nothing known about sizes outside a mask, (B, m)."""
        return replace(self, k=self.k * known, n=self.n * known)


class _Inverse(Protocol):
    """Position at which mu reaches a level: theta (B, p), level, chance, ends (B, 2) -> (B,); not finite if never."""

    def __call__(self, theta: Array, level: Array, chance: Array, ends: Array) -> Array: ...


class _Closed(Protocol):
    """Maximum-likelihood theta, (B, p), from x, k and n, (B, m), chance (B,) and ends (B, 2)."""

    def __call__(self, x: Array, k: Array, n: Array, chance: Array, ends: Array) -> Array: ...


class _Shape(Protocol):
    """mu(x) and its derivatives: theta (B, p), x (B, q), chance (B, 1), ends (B, 2) -> (B, q), (B, q, p).

    The curves of a large batch lie side by side in memory (Fortran order): all that is done to one is done to all.
    """

    def __call__(self, theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One family of growth curves."""

    name: str
    """Short name, as in tables."""
    parameters: tuple[str, ...]
    """Names of its free parameters."""
    shape: _Shape
    """The curve and its slopes."""
    lower: tuple[float, ...]
    """Smallest value of each parameter."""
    upper: tuple[float, ...]
    """Largest value of each parameter."""
    grid: tuple[tuple[float, ...], ...] = ()
    """Starting values per parameter; all their combinations are tried. Empty where `closed` answers."""
    closed: _Closed | None = None
    """The best fit in closed form; None where it has to be searched."""
    inverse: _Inverse | None = None
    """Where the curve reaches a level; None for forms that can do so twice, or never."""
    slopes: tuple[str, ...] = ()
    """Parameters that say how steep the curve is."""
    restraint: float = _RIDGE
    """Weight of half the square of a slope in the fit."""

    @property
    def p(self) -> int:
        """Number of free parameters."""
        return len(self.parameters)

    @property
    def ridge(self) -> Array:
        """Weight of the square of each parameter in the fit, (p,)."""
        return np.array([self.restraint if name in self.slopes else 0.0 for name in self.parameters])

    def restrained(self, spread: float) -> Form:
        """The same form with slopes expected within a normal distribution of this spread around 0."""
        return replace(self, restraint=spread**-2)

    def bounded(self, *, lower: Mapping[str, float] | None = None, upper: Mapping[str, float] | None = None) -> Form:
        """The same form with a smaller range for some parameters."""
        low = tuple((lower or {}).get(n, v) for n, v in zip(self.parameters, self.lower, strict=True))
        high = tuple((upper or {}).get(n, v) for n, v in zip(self.parameters, self.upper, strict=True))
        return replace(self, lower=low, upper=high)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fits:
    """One form fitted to every curve of a batch."""

    form: Form
    """The form."""
    theta: Array
    """Parameters, (B, p)."""
    loglik: Array
    """Log-likelihood at `theta`, (B,), binomial coefficients included."""
    chance: Array
    """Chance level of each curve, (B,)."""
    ends: Array
    """Smallest and largest position of each curve fitted, (B, 2): the anchors of the parameters."""

    def rows(self, chosen: Any) -> Fits:
        """The fits of some of the curves, by index or mask."""
        return replace(
            self,
            theta=self.theta[chosen],
            loglik=self.loglik[chosen],
            chance=self.chance[chosen],
            ends=self.ends[chosen],
        )

    def mean(self, x: Array) -> Array:
        """Expected score at positions `x`, (B, q) or (q,) for all; beyond the fitted range it is an extrapolation."""
        at = np.broadcast_to(x, (len(self.theta), np.shape(x)[-1]))
        return clipped(self.form.shape(self.theta, at, self.chance[:, None], self.ends)[0])

    def onward(self, x: Array) -> Array:
        """Like `mean`, but beyond the sizes fitted only a straight line falls; others stay as at the largest size.

        An S-curve turned upside down takes the first dip after a plateau for the brink of a fall to chance.
        """
        there = self.mean(x)
        if self.form.name == "linear":
            return there
        largest = self.ends[:, 1:]
        return np.where(x > largest, np.maximum(there, self.mean(largest)), there)

    def reaches(self, level: Array) -> Array:
        """Position at which each curve rises to `level`, (B,); -inf when it starts above, inf when it never does."""
        assert self.form.inverse is not None, self.form.name
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            at = self.form.inverse(self.theta, level, self.chance, self.ends)
            starts = self.mean(self.ends[:, :1])[:, 0]
        return np.where(starts >= level, -np.inf, np.where(np.isfinite(at) & (at > self.ends[:, 0]), at, np.inf))

    def aicc(self, sizes: int) -> Array:
        """Corrected information criterion, (B,); see `aicc`."""
        return aicc(self.loglik, self.form.p, sizes)

    def named(self, row: int) -> dict[str, float]:
        """Parameters of one curve by name."""
        return dict(zip(self.form.parameters, self.theta[row].tolist(), strict=True))


class Refits(NamedTuple):
    """Redrawn curves that one form was drawn for."""

    row: Index
    """Which curve each was redrawn from, (R',)."""
    column: Index
    """Which of its redrawn curves it is, (R',)."""
    counts: Counts
    """The redrawn curves."""
    fits: Fits
    """The form fitted to them."""


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
class FittedForm:
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
