"""Growth curves fitted to counts by maximum likelihood, many curves at once.

The data of one curve are k_i successes of n_i documents at positions x_i (log10 of parameters or FLOPs, or minus the
loss). The likelihood is binomial, sum_i log Binom(k_i | n_i, mu(x_i)); effective counts may be fractional, and a size
with n_i = 0 says nothing, which is how one leaves it out. All curves of a batch are fitted together, see `climb`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from harness.analysis.growth.climb import Batch, inside, refined, searched
from harness.analysis.growth.counts import Counts
from harness.analysis.growth.forms import Form
from harness.analysis.stats import Array

_LEAST = 0.05
"""Scores nearer to 0 or 1 are taken to vary like this one when the scatter of sizes is weighed."""


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
        return inside(self.form.shape(self.theta, at, self.chance[:, None], self.ends)[0])

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


def fit(
    form: Form,
    counts: Counts,
    *,
    ends: Array | None = None,
    start: Array | None = None,
    fixed: Collection[str] = (),
) -> Fits:
    """Maximum-likelihood fit of one form to every curve.

    Args:
        form: which family of curves.
        counts: the curves.
        ends: anchors of the parameters, (B, 2); None takes the smallest and the largest position of each curve.
        start: parameters to refine, (B, p), as for a bootstrap replicate of a curve already fitted; None searches
            a grid first.
        fixed: parameters that stay at their `start`, for profiles.
    """
    kept = np.array([name in fixed for name in form.parameters])
    ends = np.stack([counts.x[:, 0], counts.x[:, -1]], axis=1) if ends is None else ends
    coefficients = loglik_terms(counts.k, counts.n, np.full_like(counts.k, 0.5)) + counts.n * math.log(2)
    if form.closed is not None:
        theta = form.closed(counts.x, counts.k, counts.n, counts.chance, ends)
        mu = inside(form.shape(theta, counts.x, counts.chance[:, None], ends)[0])
        loglik = loglik_terms(counts.k, counts.n, mu).sum(axis=1)
        return Fits(form=form, theta=theta, loglik=loglik, chance=counts.chance, ends=ends)
    some = Batch(counts.x.T, counts.k.T, counts.n.T, counts.chance[None], ends.T)
    theta, loglik = refined(form, some, searched(form, some) if start is None else start.T[None], kept)
    loglik += coefficients.sum(axis=1)
    return Fits(form=form, theta=theta.T, loglik=loglik, chance=counts.chance, ends=ends)


def fit_smallest(form: Form, counts: Counts, numbers: Sequence[int]) -> list[Fits]:
    """One form fitted to so many of the smallest sizes of every curve, for each of several numbers: one batch."""
    curves = len(counts)
    some, known = counts.rows(np.tile(np.arange(curves), len(numbers))), np.repeat(numbers, curves)
    ends = np.stack([some.x[:, 0], some.x[np.arange(len(known)), known - 1]], axis=1)
    found = fit(form, some.only(np.arange(counts.sizes) < known[:, None]), ends=ends)
    return [found.rows(slice(first, first + curves)) for first in range(0, len(known), curves)]


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
    fitted = fit(form, some.only(np.arange(sizes) != out[:, None]))
    mu = fitted.mean(some.x)[at, out]
    scores = loglik_terms(k, n, (n * mu + 0.5) / (n + 1))
    return np.asarray(scores.reshape(sizes, curves).T)
