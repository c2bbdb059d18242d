"""Growth curves fitted to counts by maximum likelihood, many curves at once.

The data of one curve are k_i successes of n_i documents at positions x_i (log10 of parameters or FLOPs, or minus the
loss). The likelihood is binomial, sum_i log Binom(k_i | n_i, mu(x_i)); effective counts may be fractional, and a size
with n_i = 0 says nothing, which is how one leaves it out. All curves of a batch are fitted together by damped Fisher
scoring from the best points of a grid: no optimiser runs in a Python loop over curves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln, xlog1py, xlogy

from harness.analysis.uncertainty import tested_chance

Array = NDArray[np.float64]

_SURE = 1e-9
"""Distance a probability keeps from 0 and 1, so that every likelihood is finite."""
_ROUNDS = 80
_STARTS = 3
"""Best grid points from which a fit is refined; one alone ends in the wrong valley for a few curves in a hundred."""
_RIDGE = 1e-5
"""Weight of the square of a slope in the fit. Where nothing has risen yet, any later rise fits the data equally well;
this picks the flattest, and costs a curve that does rise less than 0.02 in log-likelihood."""
_AT_ONCE = 4_000_000
"""Numbers in one intermediate array; larger batches are fitted in parts."""


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
        """m."""
        return int(self.x.shape[1])

    def rows(self, chosen: Any) -> Counts:
        """Some of the curves, by index or mask."""
        return Counts(x=self.x[chosen], k=self.k[chosen], n=self.n[chosen], chance=self.chance[chosen])

    def smallest(self, sizes: int) -> Counts:
        """All curves, cut to their smallest `sizes` sizes."""
        return replace(self, x=self.x[:, :sizes], k=self.k[:, :sizes], n=self.n[:, :sizes])

    def without(self, size: int) -> Counts:
        """All curves, with nothing known about one size."""
        k, n = self.k.copy(), self.n.copy()
        k[:, size] = n[:, size] = 0.0
        return replace(self, k=k, n=n)


class _Shape(Protocol):
    """mu(x) and its derivatives: theta (B, p), x (B, q), chance (B, 1), ends (B, 2) -> (B, q), (B, q, p)."""

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
    grid: tuple[tuple[float, ...], ...]
    """Starting values per parameter; all their combinations are tried."""
    slopes: tuple[str, ...] = ()
    """Parameters that say how steep the curve is."""

    @property
    def p(self) -> int:
        """Number of free parameters."""
        return len(self.parameters)

    @property
    def ridge(self) -> Array:
        """Weight of the square of each parameter in the fit, (p,)."""
        return np.array([_RIDGE if name in self.slopes else 0.0 for name in self.parameters])

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

    def mean(self, x: Array) -> Array:
        """Expected score at positions `x`, (B, q) or (q,) for all; beyond the fitted range it is an extrapolation."""
        at = np.broadcast_to(x, (len(self.theta), np.shape(x)[-1]))
        return _inside(self.form.shape(self.theta, at, self.chance[:, None], self.ends)[0])

    def aicc(self, sizes: int) -> Array:
        """Corrected information criterion, (B,); see `aicc`."""
        return aicc(self.loglik, self.form.p, sizes)

    def named(self, row: int) -> dict[str, float]:
        """Parameters of one curve by name."""
        return dict(zip(self.form.parameters, self.theta[row].tolist(), strict=True))


def aicc(loglik: Array, p: int, sizes: int) -> Array:
    """-2 l + 2 p + 2 p (p + 1) / (m - p - 1) (Hurvich and Tsai 1989), with the number of sizes m as sample size.

    Documents of one size are not new evidence on the shape over sizes. Infinite where m - p - 1 <= 0.
    """
    if p and sizes - p - 1 <= 0:
        return np.full_like(loglik, np.inf)
    return -2 * loglik + 2 * p + (2 * p * (p + 1) / (sizes - p - 1) if p else 0.0)


def saturated(counts: Counts) -> Array:
    """Log-likelihood of every size by itself, (B, m): what a curve through every point would reach."""
    n = np.maximum(counts.n, 1e-300)
    return loglik_terms(counts.k, counts.n, counts.k / n)


def loglik_terms(k: Array, n: Array, mu: Array) -> Array:
    """log Binom(k | n, mu) of each size; fractional counts by the gamma function."""
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, mu) + xlog1py(n - k, -mu)


def fit(form: Form, counts: Counts, *, start: Array | None = None) -> Fits:
    """Maximum-likelihood fit of one form to every curve.

    Args:
        form: which family of curves.
        counts: the curves.
        start: parameters to refine, (B, p), as for a bootstrap replicate of a curve already fitted; None searches
            a grid first.
    """
    ends = np.stack([counts.x[:, 0], counts.x[:, -1]], axis=1)
    coefficients = loglik_terms(counts.k, counts.n, np.full_like(counts.k, 0.5)) + counts.n * math.log(2)
    theta = np.empty((len(counts), form.p))
    loglik = np.empty(len(counts))
    starts = _STARTS if start is None else 1
    grid = math.prod(len(values) for values in form.grid)
    part = max(1, _AT_ONCE // (counts.sizes * max(grid if start is None else 1, starts * (form.p + 1))))
    for first in range(0, len(counts), part):
        rows = slice(first, first + part)
        some = counts.rows(rows)
        begin = _search(form, some, ends[rows]) if start is None else start[rows, None, :]
        theta[rows], loglik[rows] = _best(form, some, ends[rows], begin)
    loglik += coefficients.sum(axis=1)
    return Fits(form=form, theta=theta, loglik=loglik, chance=counts.chance, ends=ends)


def leave_one_out(form: Form, counts: Counts) -> Array:
    """Held-out log score of each size, predicted from all others, (B, m).

    Plug-in with half a success and half a failure added, mu~ = (n mu + 1/2) / (n + 1), so that a fitted 0 does not
    make one document an infinite surprise. At a step that only the largest size shows, every form pays there.
    """
    scores = []
    for size in range(counts.sizes):
        fitted = fit(form, counts.without(size))
        k, n = counts.k[:, size], counts.n[:, size]
        mu = fitted.mean(counts.x[:, size : size + 1])[:, 0]
        scores.append(loglik_terms(k, n, (n * mu + 0.5) / (n + 1)))
    return np.stack(scores, axis=1)


def _inside(mu: Array) -> Array:
    return np.clip(mu, _SURE, 1 - _SURE)


def _loglik(k: Array, n: Array, mu: Array) -> Array:
    """Sum over sizes of k log mu + (n - k) log(1 - mu)."""
    return np.asarray((k * np.log(mu) + (n - k) * np.log1p(-mu)).sum(axis=-1))


def _search(form: Form, counts: Counts, ends: Array) -> Array:
    """The best grid points of each curve, (B, s, p)."""
    low, high = _bounds(form, len(counts))
    points = np.stack(np.meshgrid(*form.grid, indexing="ij"), axis=-1).reshape(-1, form.p)
    theta = np.clip(points[None], low[:, None], high[:, None])
    size = len(points)
    flat = theta.reshape(-1, form.p)
    repeated = np.repeat(counts.x, size, axis=0)
    mu, _ = form.shape(flat, repeated, np.repeat(counts.chance, size)[:, None], np.repeat(ends, size, axis=0))
    mu = _inside(mu).reshape(len(counts), size, -1)
    value = _loglik(counts.k[:, None], counts.n[:, None], mu) - theta**2 @ form.ridge / 2
    best = np.argsort(-value, axis=1)[:, : min(_STARTS, size)]
    return np.asarray(np.take_along_axis(theta, best[:, :, None], axis=1))


def _bounds(form: Form, curves: int) -> tuple[Array, Array]:
    low = np.broadcast_to(np.array(form.lower, dtype=float), (curves, form.p))
    return low, np.broadcast_to(np.array(form.upper, dtype=float), (curves, form.p))


def _best(form: Form, counts: Counts, ends: Array, starts: Array) -> tuple[Array, Array]:
    """Refine every start, keep the best of each curve."""
    many = starts.shape[1]
    rows = np.repeat(np.arange(len(counts)), many)
    theta, value = _climb(form, counts.rows(rows), ends[rows], starts.reshape(-1, form.p))
    value = value.reshape(-1, many)
    winner = value.argmax(axis=1)
    at = np.arange(len(counts))
    return theta.reshape(-1, many, form.p)[at, winner], value[at, winner]


def _climb(form: Form, counts: Counts, ends: Array, theta: Array) -> tuple[Array, Array]:
    """Damped Fisher scoring within bounds (Levenberg 1944; Osborne 1992), every row at its own damping.

    A parameter that stands at a bound and is pushed outwards keeps still while the others move.
    """
    low, high = _bounds(form, len(theta))
    theta = np.clip(theta, low, high)
    ridge = form.ridge
    damping = np.full(len(theta), 1e-2)
    mu, slopes = form.shape(theta, counts.x, counts.chance[:, None], ends)
    mu = _inside(mu)
    value = _loglik(counts.k, counts.n, mu) - theta**2 @ ridge / 2
    live = np.arange(len(theta))
    still = np.zeros(len(theta), dtype=int)
    for _ in range(_ROUNDS):
        if not len(live):
            break
        x, k, n, c, e = counts.x[live], counts.k[live], counts.n[live], counts.chance[live, None], ends[live]
        here = theta[live]
        weight = 1 / (mu * (1 - mu))
        pull = np.einsum("bm,bmp->bp", (k - n * mu) * weight, slopes) - ridge * here
        information = np.einsum("bm,bmp,bmq->bpq", n * weight, slopes, slopes) + np.diag(ridge)
        held = ((here <= low[live]) & (pull < 0)) | ((here >= high[live]) & (pull > 0))
        step = _solved(information, pull, held, damping[live])
        there = np.clip(here + step, low[live], high[live])
        mu_there, slopes_there = form.shape(there, x, c, e)
        mu_there = _inside(mu_there)
        value_there = _loglik(k, n, mu_there) - there**2 @ ridge / 2
        gain = value_there - value[live]
        better = gain >= 0
        moved = live[better]
        theta[moved], value[moved] = there[better], value_there[better]
        mu[better], slopes[better] = mu_there[better], slopes_there[better]
        damping[live] = np.where(better, np.maximum(damping[live] / 8, 1e-9), damping[live] * 8)
        still[live] = np.where(better & (gain < 1e-7), still[live] + 1, 0)
        going = (still[live] < 2) & (damping[live] < 1e10)
        live, mu, slopes = live[going], mu[going], slopes[going]
    return theta, value + theta**2 @ ridge / 2


def _solved(information: Array, pull: Array, held: Array, damping: Array) -> Array:
    p = pull.shape[1]
    pull = np.where(held, 0.0, pull)
    both = held[:, :, None] | held[:, None, :]
    matrix = np.where(both, 0.0, information)
    diagonal = np.einsum("bpp->bp", matrix)
    scale = np.sqrt(np.maximum(diagonal, 1e-12))
    # Scaled to a unit diagonal: parameters differ by orders of magnitude, and so would the damping.
    matrix = matrix / (scale[:, :, None] * scale[:, None, :])
    at = np.arange(p)
    matrix[:, at, at] = 1.0 + damping[:, None]
    return np.asarray(np.linalg.solve(matrix, (pull / scale)[:, :, None])[:, :, 0] / scale)


def _constant(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    return np.repeat(theta, x.shape[1], axis=1), np.ones((*x.shape, 1))


def _linear(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """A straight line, given by its heights at both ends of the sizes fitted; clipped to [0, 1] beyond them."""
    span = np.maximum(ends[:, 1:] - ends[:, :1], 1e-12)
    along = (x - ends[:, :1]) / span
    slopes = np.stack([1 - along, along], axis=-1)
    return theta[:, :1] * (1 - along) + theta[:, 1:] * along, slopes


def _power(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """c + (1 - c) exp(a + b (x - x_max)): the gain over chance is a power of scale with exponent b / ln 10."""
    at = x - ends[:, 1:]
    gain = (1 - chance) * np.exp(np.minimum(theta[:, :1] + theta[:, 1:] * at, 0.0))
    return chance + gain, np.stack([gain, gain * at], axis=-1)


def _error_power(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """1 - (1 - c) exp(-exp(a)) 10^(-b (x - x_min)): the error is a power of scale, at most 1 - c."""
    at = (x - ends[:, :1]) * math.log(10)
    head = np.exp(theta[:, :1])
    error = (1 - chance) * np.exp(-np.maximum(head + theta[:, 1:] * at, 0.0))
    return 1 - error, np.stack([error * head, error * at], axis=-1)


def _middle(ends: Array) -> Array:
    return ends.mean(axis=1, keepdims=True)


def _logistic(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """c + (1 - c) sigma(a + k (x - x_mid)); the midpoint is x_mid - a / k."""
    at = x - _middle(ends)
    s = expit(theta[:, :1] + theta[:, 1:] * at)
    slope = (1 - chance) * s * (1 - s)
    return chance + (1 - chance) * s, np.stack([slope, slope * at], axis=-1)


def _logistic_top(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """c + (t - c) sigma(a + k (x - x_mid)): like `logistic`, ending at t instead of 1."""
    at = x - _middle(ends)
    s = expit(theta[:, :1] + theta[:, 1:2] * at)
    room = theta[:, 2:] - chance
    slope = room * s * (1 - s)
    return chance + room * s, np.stack([slope, slope * at, s], axis=-1)


def _quadratic_logit(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """sigma(a + b u + d u^2) with u = x - x_mid: the smallest form that can bend back."""
    at = x - _middle(ends)
    s = expit(theta[:, :1] + theta[:, 1:2] * at + theta[:, 2:] * at**2)
    slope = s * (1 - s)
    return s, np.stack([slope, slope * at, slope * at**2], axis=-1)


def _hinge(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """c + b (x - x0)+ with x0 = x_min + share of the range."""
    span = ends[:, 1:] - ends[:, :1]
    at = x - ends[:, :1] - theta[:, :1] * span
    after = np.maximum(at, 0.0)
    rising = at > 0
    return chance + theta[:, 1:] * after, np.stack([-theta[:, 1:] * span * rising, after], axis=-1)


def _step(theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """Chance up to x0 = x_min + share of the range, a constant level after it."""
    after = x - ends[:, :1] > theta[:, :1] * (ends[:, 1:] - ends[:, :1])
    floor = np.vectorize(tested_chance)(chance)
    mu = np.where(after, theta[:, 1:], floor)
    return mu, np.stack([np.zeros_like(mu), after.astype(float)], axis=-1)


_LEVELS = (0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95)
_SLOPES = (-8.0, -2.0, -0.7, 0.0, 0.4, 0.8, 1.5, 3.0, 6.0, 15.0, 40.0)
_SHARES = tuple(np.linspace(-0.5, 0.999, 120).tolist())

FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form(name="const", parameters=("level",), shape=_constant, lower=(0.0,), upper=(1.0,), grid=(_LEVELS,)),
        Form(
            name="linear",
            parameters=("smallest", "largest"),
            shape=_linear,
            lower=(0.0, 0.0),
            upper=(1.0, 1.0),
            grid=(_LEVELS, _LEVELS),
        ),
        Form(
            name="power",
            parameters=("a", "b"),
            slopes=("b",),
            shape=_power,
            lower=(-30.0, 0.0),
            upper=(0.0, 200.0),
            grid=(
                (-8.0, -5.0, -3.5, -2.5, -1.8, -1.2, -0.7, -0.3, -0.1),
                (0.0, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 40.0, 100.0),
            ),
        ),
        Form(
            name="error-power",
            parameters=("a", "b"),
            slopes=("b",),
            shape=_error_power,
            lower=(-20.0, 0.0),
            upper=(4.0, 20.0),
            grid=((-12.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0), (0.0, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0)),
        ),
        Form(
            name="logistic",
            parameters=("a", "k"),
            slopes=("k",),
            shape=_logistic,
            lower=(-300.0, -60.0),
            upper=(300.0, 60.0),
            grid=((-60.0, -20.0, -10.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0), _SLOPES),
        ),
        Form(
            name="logistic-top",
            parameters=("a", "k", "top"),
            slopes=("k",),
            shape=_logistic_top,
            lower=(-300.0, -60.0, 0.0),
            upper=(300.0, 60.0, 1.0),
            grid=((-60.0, -20.0, -6.0, -3.0, -1.0, 0.0, 1.0, 3.0), _SLOPES, (0.1, 0.2, 0.35, 0.5, 0.7, 0.9)),
        ),
        Form(
            name="quadratic-logit",
            parameters=("a", "b", "d"),
            slopes=("b", "d"),
            shape=_quadratic_logit,
            lower=(-100.0, -50.0, -50.0),
            upper=(100.0, 50.0, 50.0),
            grid=((-6.0, -3.0, -1.0, 0.0, 1.0), (-3.0, -1.0, 0.0, 1.0, 3.0), (-2.0, -0.5, 0.0, 0.5, 2.0)),
        ),
        Form(
            name="hinge",
            parameters=("share", "slope"),
            shape=_hinge,
            lower=(-0.5, 0.0),
            upper=(0.9999, 50.0),
            grid=(_SHARES, (0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 2.0)),
        ),
        Form(
            name="step",
            parameters=("share", "level"),
            shape=_step,
            lower=(-1.0, 0.0),
            upper=(1.0, 1.0),
            grid=(tuple(np.linspace(-0.01, 0.995, 60).tolist()), _LEVELS),
        ),
    )
}
"""Forms by name; every one passes through the chance level where METHODS of the field say it should."""
