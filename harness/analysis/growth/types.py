"""Curves as counts, forms of growth, and forms fitted to curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from harness.analysis.curves import Scale, position
from harness.analysis.growth.likelihood import aicc, clipped
from harness.analysis.stats import Array, Index, Mask

_RIDGE = 1e-5
"""Weight of the square of a slope in the fit. Where nothing has risen yet, any later rise fits the data equally well,
and this weight selects the flattest one. A curve that does rise loses less than 0.02 in log-likelihood by it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """B curves with m sizes each, as numbers of right answers."""

    x: Array
    """Positions, (B, m), ascending along m."""
    k: Array
    """Successes (right answers), (B, m); may be fractional."""
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
        """All curves, without the sizes at which the mask `known`, (B, m), is False."""
        return replace(self, k=self.k * known, n=self.n * known)


class _Inverse(Protocol):
    """Position at which a curve reaches a level, (B,); not finite if it never does.

    theta (B, p), level (B,), chance (B,), ends (B, 2).
    """

    def __call__(self, theta: Array, level: Array, chance: Array, ends: Array) -> Array: ...


class _Closed(Protocol):
    """Maximum-likelihood parameters, (B, p), from x, k and n, (B, m), chance (B,) and ends (B, 2)."""

    def __call__(self, x: Array, k: Array, n: Array, chance: Array, ends: Array) -> Array: ...


class _Shape(Protocol):
    """Expected scores, (B, q), and their derivatives in the parameters, (B, q, p).

    theta (B, p), x (B, q), chance (B, 1), ends (B, 2). The curves of a batch lie side by side in memory (Fortran
    order), so that each step of the computation runs over all curves at once.
    """

    def __call__(self, theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One form of growth: how a score may depend on scale."""

    name: str
    """Short name, as in tables."""
    parameters: tuple[str, ...]
    """Names of the free parameters."""
    shape: _Shape
    """The curve and its derivatives in the parameters."""
    lower: tuple[float, ...]
    """Smallest value of each parameter."""
    upper: tuple[float, ...]
    """Largest value of each parameter."""
    grid: tuple[tuple[float, ...], ...] = ()
    """Starting values of each parameter, of which all combinations are tried. Empty when `closed` gives the fit."""
    concave: bool = False
    """The likelihood has one maximum only, which is found from any start."""
    closed: _Closed | None = None
    """The best fit in closed form; None when it has to be searched for."""
    inverse: _Inverse | None = None
    """Where the curve reaches a level; None for forms that may reach it twice or never."""
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
        """The same form, with slopes that are expected to be normal around 0 with this standard deviation."""
        return replace(self, restraint=spread**-2)

    def bounded(self, *, lower: Mapping[str, float] | None = None, upper: Mapping[str, float] | None = None) -> Form:
        """The same form, with a smaller range of some parameters."""
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
    """Smallest and largest position of each fitted curve, (B, 2), to which the parameters refer."""

    def rows(self, chosen: Any) -> Fits:
        """The fits of some of the curves, by index or mask."""
        return replace(
            self,
            theta=self.theta[chosen],
            loglik=self.loglik[chosen],
            chance=self.chance[chosen],
            ends=self.ends[chosen],
        )

    @classmethod
    def joined(cls, parts: Sequence[Fits]) -> Fits:
        """The fits of one form to several batches, as one batch."""
        arrays = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("theta", "loglik", "chance", "ends")
        }
        return cls(form=parts[0].form, **arrays)

    def mean(self, x: Array) -> Array:
        """Expected score at positions `x`, (B, q), or (q,) for all curves; beyond the fitted sizes it extrapolates."""
        at = np.broadcast_to(x, (len(self.theta), np.shape(x)[-1]))
        return clipped(self.form.shape(self.theta, at, self.chance[:, None], self.ends)[0])

    def onward(self, x: Array) -> Array:
        """Like `mean`, but beyond the fitted sizes only a straight line may fall; other forms stay at their last value.

        An S-curve that falls would take the first dip after a plateau for the beginning of a fall to chance.
        """
        there = self.mean(x)
        if self.form.name == "linear":
            return there
        largest = self.ends[:, 1:]
        return np.where(x > largest, np.maximum(there, self.mean(largest)), there)

    def reaches(self, level: Array) -> Array:
        """Position at which each curve rises to `level`, (B,); -inf if it starts above, inf if it never gets there."""
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
    """The redrawn curves to which one form was fitted."""

    row: Index
    """The curve that each of the R' curves was redrawn from, (R',)."""
    column: Index
    """The number of each among the redrawn curves of that curve, (R',)."""
    counts: Counts
    """The redrawn curves."""
    fits: Fits
    """The form fitted to them."""


class Trace(NamedTuple):
    """One form fitted to one curve, as a line to draw."""

    form: str
    """Name of the form."""
    weight: float
    """Akaike weight among all forms that the curve has enough sizes for, 0 to 1."""
    scatter: float
    """How far the sizes lie from the form, compared with what documents and training runs explain; at least 1."""
    x: tuple[float, ...]
    """Scales from the smallest size on, in the unit of the axis."""
    y: tuple[float, ...]
    """Expected scores at these scales, in units of the metric."""


class Parameter(NamedTuple):
    """One parameter of a fitted form."""

    value: float
    """Value at the best fit; infinite when it lies beyond all scales."""
    low: float | None
    """Lower end of the 95 % interval by profile likelihood; None when the data do not bound it."""
    high: float | None
    """Upper end of the interval; None when the data do not bound it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedForm:
    """One form fitted to one curve, with parameters for a reader."""

    form: str
    """Name of the form, a key of `FORMS`."""
    parameters: Mapping[str, Parameter]
    """Parameters by name. Some are scores, in units of the metric: `smallest` and `largest` at the ends of the sizes,
    `middle` halfway between them, `top` in the end, `level` everywhere (const) or after the step. Some are scales, in
    the unit of the axis: `midpoint` and `onset`; the interval of a step's onset consists of whole gaps between sizes.
    Some are changes per decade, or per unit of a loss: `slope`, in units of the metric for the hinge and in logits for
    other forms; `curvature`, half the change of the slope; `exponent`, where each decade multiplies the gain over
    chance (power) or the error (error-power) by 10^exponent, or divides the loss of a whole answer (all-tokens) or
    what is still lacking to the top (hinge-top) by it."""
    loglik: float
    """Log-likelihood, binomial coefficients included."""
    aicc: float
    """Corrected information criterion. Smaller is better, and only differences have a meaning."""
    weight: float
    """Akaike weight among the fitted forms, 0 to 1."""
    left_out_score: float
    """Log score of each size when it is predicted from all others, summed over sizes (leave-one-out elpd). Larger is
    better, and a size with many documents has more weight."""
    scale: Scale
    """The measure of size on the x axis of the curve."""
    best: float
    """Best score of the metric."""
    fits: Fits = field(compare=False, repr=False)
    """The fit itself, as a batch of one curve."""

    def at(self, x: Sequence[float] | Array) -> Array:
        """Expected scores at these scales, in units of the metric, (len(x),); scales are in the unit of the axis."""
        positions = np.array([position(self.scale, value) for value in x], dtype=float)
        return np.asarray(self.fits.mean(positions)[0] * self.best)
