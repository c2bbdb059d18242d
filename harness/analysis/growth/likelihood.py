"""The binomial log-likelihood of counts, and the criterion that charges a form for its parameters."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from harness.analysis.stats import Array

_SURE = 1e-9
"""Smallest distance of a probability from 0 and 1, so that every likelihood is finite."""


def clipped(mu: Array) -> Array:
    """Scores, moved a little away from 0 and 1 where they are nearer than that."""
    return np.asarray(np.minimum(np.maximum(mu, _SURE), 1 - _SURE))


def loglik_terms(k: Array, n: Array, mu: Array) -> Array:
    """Log-likelihood Binom(k | n, mu) of each size; fractional counts by the gamma function."""
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, mu) + xlog1py(n - k, -mu))


def aicc(loglik: Array, p: int, sizes: int) -> Array:
    """-2 l + 2 p + 2 p (p + 1) / (m - p - 1) (Hurvich and Tsai 1989), with the number of sizes m as sample size.

    More documents of one size are no new evidence on the shape over sizes. Infinite where m - p - 1 <= 0.
    """
    if p and sizes - p - 1 <= 0:
        return np.full_like(loglik, np.inf)
    return -2 * loglik + 2 * p + (2 * p * (p + 1) / (sizes - p - 1) if p else 0.0)
