"""Growth curves fitted to counts by maximum likelihood, many curves at once.

The data of one curve are k_i successes of n_i documents at positions x_i (log10 of parameters or FLOPs, or minus the
loss). The likelihood is binomial, sum_i log Binom(k_i | n_i, mu(x_i)); effective counts may be fractional, and a size
with n_i = 0 says nothing, which is how one leaves it out. All curves of a batch are fitted together by damped Fisher
scoring from the best points of a grid: no optimiser runs in a Python loop over curves.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from harness.analysis.forms import Array, Form, Mask

_SURE = 1e-9
"""Distance a probability keeps from 0 and 1, so that every likelihood is finite."""
_ROUNDS = 80
_LEAST = 0.05
"""Scores nearer to 0 or 1 are taken to vary like this one when the scatter of sizes is weighed."""
_NOTHING = 1e-6
"""Gain in log-likelihood not worth another step."""
_STARTS = 3
"""Best grid points from which a fit is refined; one alone ends in the wrong valley for a few curves in a hundred."""
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
        """Number of sizes m."""
        return int(self.x.shape[1])

    def rows(self, chosen: Any) -> Counts:
        """Some of the curves, by index or mask."""
        return Counts(x=self.x[chosen], k=self.k[chosen], n=self.n[chosen], chance=self.chance[chosen])

    def smallest(self, sizes: int) -> Counts:
        """All curves, cut to their smallest `sizes` sizes."""
        return replace(self, x=self.x[:, :sizes], k=self.k[:, :sizes], n=self.n[:, :sizes])


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
    """Log-likelihood Binom(k | n, mu) of each size; fractional counts by the gamma function."""
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, mu) + xlog1py(n - k, -mu))


def dispersion(counts: Counts, mu: Array, p: int | Array) -> Array:
    """Pearson dispersion of counts about expected scores, at least 1, (B,): X^2 / (m - p).

    Args:
        counts: the curves.
        mu: expected scores, (B, m).
        p: free parameters behind `mu`; with m or more of them the dispersion cannot be seen and is 1.
    """
    # Near 0 and 1 documents hardly vary, and a run a few points off would count as hundreds of times their noise.
    spread = np.maximum(mu * (1 - mu), _LEAST * (1 - _LEAST))
    squares = (counts.n * (counts.k / np.maximum(counts.n, 1e-300) - mu) ** 2 / spread).sum(axis=1)
    free = counts.sizes - np.asarray(p)
    return np.where(free > 0, np.maximum(squares / np.maximum(free, 1), 1.0), 1.0)


def fit(form: Form, counts: Counts, *, start: Array | None = None, fixed: Collection[str] = ()) -> Fits:
    """Maximum-likelihood fit of one form to every curve.

    Args:
        form: which family of curves.
        counts: the curves.
        start: parameters to refine, (B, p), as for a bootstrap replicate of a curve already fitted; None searches
            a grid first.
        fixed: parameters that stay at their `start`, for profiles.
    """
    kept = np.array([name in fixed for name in form.parameters])
    ends = np.stack([counts.x[:, 0], counts.x[:, -1]], axis=1)
    coefficients = loglik_terms(counts.k, counts.n, np.full_like(counts.k, 0.5)) + counts.n * math.log(2)
    if form.closed is not None:
        theta = form.closed(counts.x, counts.k, counts.n, counts.chance, ends)
        mu = _inside(form.shape(theta, counts.x, counts.chance[:, None], ends)[0])
        loglik = loglik_terms(counts.k, counts.n, mu).sum(axis=1)
        return Fits(form=form, theta=theta, loglik=loglik, chance=counts.chance, ends=ends)
    theta = np.empty((len(counts), form.p))
    loglik = np.empty(len(counts))
    starts = _STARTS if start is None else 1
    grid = math.prod(len(values) for values in form.grid)
    part = max(1, _AT_ONCE // (counts.sizes * max(grid if start is None else 1, starts * (form.p + 1))))
    for first in range(0, len(counts), part):
        rows = slice(first, first + part)
        some = counts.rows(rows)
        begin = _search(form, some, ends[rows]) if start is None else start[rows, None, :]
        theta[rows], loglik[rows] = _best(form, some, ends[rows], begin, kept)
    loglik += coefficients.sum(axis=1)
    return Fits(form=form, theta=theta, loglik=loglik, chance=counts.chance, ends=ends)


def leave_one_out(form: Form, counts: Counts) -> Array:
    """Held-out log score of each size, predicted from all others, (B, m).

    Plug-in with half a success and half a failure added, mu~ = (n mu + 1/2) / (n + 1), so that a fitted 0 does not
    make one document an infinite surprise. At a step that only the largest size shows, every form pays there.
    """
    sizes, curves = counts.sizes, len(counts)
    # All curves without their first size, then all without their second, and so on: one batch.
    out, row = np.repeat(np.arange(sizes), curves), np.tile(np.arange(curves), sizes)
    at = np.arange(len(out))
    some = counts.rows(row)
    k, n = some.k[at, out], some.n[at, out]
    kept = np.arange(sizes) != out[:, None]
    fitted = fit(form, replace(some, k=some.k * kept, n=some.n * kept))
    mu = fitted.mean(some.x)[at, out]
    scores = loglik_terms(k, n, (n * mu + 0.5) / (n + 1))
    return np.asarray(scores.reshape(sizes, curves).T)


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


def _best(form: Form, counts: Counts, ends: Array, starts: Array, kept: Mask) -> tuple[Array, Array]:
    """Refine every start, keep the best of each curve."""
    many = starts.shape[1]
    rows = np.repeat(np.arange(len(counts)), many)
    theta, value = _climb(form, counts.rows(rows), ends[rows], starts.reshape(-1, form.p), kept)
    value = value.reshape(-1, many)
    winner = value.argmax(axis=1)
    at = np.arange(len(counts))
    return theta.reshape(-1, many, form.p)[at, winner], value[at, winner]


def _climb(form: Form, counts: Counts, ends: Array, theta: Array, kept: Mask) -> tuple[Array, Array]:
    """Damped Fisher scoring within bounds (Levenberg 1944; Osborne 1992), every row at its own damping.

    A parameter that stands at a bound and is pushed outwards keeps still while the others move.
    """
    low, high = _bounds(form, len(theta))
    theta = np.clip(theta, low, high)
    ridge = form.ridge
    damping = np.full(len(theta), 1e-2)
    mu, slopes = _sloped(form, theta, counts.x, counts.chance[:, None], ends)
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
        held = np.where(pull < 0, here <= low[live], here >= high[live]) | kept
        step = _solved(information, pull, held, damping[live])
        there = np.clip(here + step, low[live], high[live])
        mu_there, slopes_there = _sloped(form, there, x, c, e)
        value_there = _loglik(k, n, mu_there) - there**2 @ ridge / 2
        gain = value_there - value[live]
        better = gain >= 0
        moved = live[better]
        theta[moved], value[moved] = there[better], value_there[better]
        mu[better], slopes[better] = mu_there[better], slopes_there[better]
        damping[live] = np.where(better, np.maximum(damping[live] / 8, 1e-9), damping[live] * 8)
        # A step that loses less than rounding does has nowhere to go either.
        still[live] = np.where(np.abs(gain) < _NOTHING, still[live] + 1, 0)
        going = (still[live] < 2) & (damping[live] < 1e10)
        live, mu, slopes = live[going], mu[going], slopes[going]
    return theta, value + theta**2 @ ridge / 2


def _sloped(form: Form, theta: Array, x: Array, chance: Array, ends: Array) -> tuple[Array, Array]:
    """The curve kept between 0 and 1, and its slopes: none where it would leave them.

    A size there weighs a billion times as much as others and would stop every step of the curve through them.
    """
    mu, slopes = form.shape(theta, x, chance, ends)
    return _inside(mu), slopes * ((mu >= 0) & (mu <= 1))[:, :, None]


def _solved(information: Array, pull: Array, held: Mask, damping: Array) -> Array:
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
