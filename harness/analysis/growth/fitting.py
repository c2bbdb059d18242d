"""Growth curves fitted to counts by maximum likelihood, many curves at once.

The data of one curve are k_i successes of n_i documents at positions x_i (log10 of parameters or FLOPs, or minus the
loss). The likelihood is binomial, sum_i log Binom(k_i | n_i, mu(x_i)). Effective counts may be fractional. A size is
left out by setting its n_i to 0. All curves of a batch are fitted together, see `climb`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from harness.analysis.growth.climb import PROMISE, Batch, refined, searched
from harness.analysis.growth.likelihood import clipped, loglik_terms
from harness.analysis.growth.types import Counts, Fits, Form
from harness.analysis.stats import Array

_LEAST = 0.05
"""In the scatter of sizes, scores nearer to 0 or 1 than this are given the variance of this score."""


def saturated(counts: Counts) -> Array:
    """Log-likelihood of a curve that goes through every point, size by size, (B, m)."""
    n = np.maximum(counts.n, 1e-300)
    return loglik_terms(counts.k, counts.n, counts.k / n)


def dispersion(counts: Counts, mu: Array, p: int | Array) -> Array:
    """Pearson dispersion of counts about expected scores, at least 1, (B,): X^2 / (m - p).

    Args:
        counts: the curves.
        mu: expected scores, (B, m).
        p: number of free parameters behind `mu`; with m or more of them the dispersion cannot be known and is 1.
    """
    # Near 0 and 1 documents hardly vary, and a run that is a few points off would seem hundreds of times their noise.
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
    coefficients: bool = True,
    promise: float = PROMISE,
) -> Fits:
    """Maximum-likelihood fit of one form to every curve.

    Args:
        form: the form to fit.
        counts: the curves.
        ends: anchors of the parameters, (B, 2); None takes the smallest and the largest position of each curve.
        start: parameters to start the search from, (B, p), such as those of the curve that was redrawn; None starts
            from a grid.
        fixed: names of parameters that stay at their `start`, for profiles.
        coefficients: add the binomial coefficients to the log-likelihood, which takes long where curves are many and
            is of no use where forms are not compared.
        promise: a search ends when a full step promises less gain in log-likelihood than this.
    """
    kept = np.array([name in fixed for name in form.parameters])
    ends = np.stack([counts.x[:, 0], counts.x[:, -1]], axis=1) if ends is None else ends
    if form.closed is not None:
        theta = form.closed(counts.x, counts.k, counts.n, counts.chance, ends)
        mu = clipped(form.shape(theta, counts.x, counts.chance[:, None], ends)[0])
        loglik = loglik_terms(counts.k, counts.n, mu).sum(axis=1)
        return Fits(form=form, theta=theta, loglik=loglik, chance=counts.chance, ends=ends)
    some = Batch(counts.x.T, counts.k.T, counts.n.T, counts.chance[None], ends.T)
    theta, loglik = refined(form, some, searched(form, some) if start is None else start.T[None], kept, promise)
    if coefficients:
        even = loglik_terms(counts.k, counts.n, np.full_like(counts.k, 0.5))
        loglik += (even + counts.n * math.log(2)).sum(axis=1)
    return Fits(form=form, theta=theta.T, loglik=loglik, chance=counts.chance, ends=ends)


def fit_smallest(form: Form, counts: Counts, numbers: Sequence[int]) -> list[Fits]:
    """One form fitted to the smallest sizes of every curve, once for each number of sizes, all in one batch."""
    curves = len(counts)
    some, known = counts.rows(np.tile(np.arange(curves), len(numbers))), np.repeat(numbers, curves)
    ends = np.stack([some.x[:, 0], some.x[np.arange(len(known)), known - 1]], axis=1)
    found = fit(form, some.only(np.arange(counts.sizes) < known[:, None]), ends=ends)
    return [found.rows(slice(first, first + curves)) for first in range(0, len(known), curves)]


def leave_one_out(form: Form, counts: Counts) -> Array:
    """Log score of each size, predicted from all the others, (B, m).

    Half a success and half a failure are added to each prediction, mu~ = (n mu + 1/2) / (n + 1), so that one right
    answer where the form predicts 0 does not make the score infinite. A step that only the largest size shows is
    predicted by no form, and all of them have a low score there.
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
