"""Tails and quantiles of the usual distributions, from scipy.special.

The names and arguments are those of `scipy.stats`, whose import takes a second: every command that shows a verdict, and
every first look at the dashboard, would wait for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special


class norm:  # noqa: N801 - scipy's names
    """Standard normal distribution."""

    @staticmethod
    def cdf(x: ArrayLike) -> Any:
        """P(X <= x)."""
        return special.ndtr(x)

    @staticmethod
    def sf(x: ArrayLike) -> Any:
        """P(X > x)."""
        return special.ndtr(-np.asarray(x))

    @staticmethod
    def ppf(q: ArrayLike) -> Any:
        """Quantile."""
        return special.ndtri(q)


class t:  # noqa: N801
    """Student's t distribution with `df` degrees of freedom."""

    @staticmethod
    def sf(x: ArrayLike, df: ArrayLike) -> Any:
        """P(X > x)."""
        return special.stdtr(df, -np.asarray(x))

    @staticmethod
    def ppf(q: ArrayLike, df: ArrayLike) -> Any:
        """Quantile."""
        return special.stdtrit(df, q)


class chi2:  # noqa: N801
    """Chi-squared distribution with `df` degrees of freedom."""

    @staticmethod
    def sf(x: ArrayLike, df: ArrayLike) -> Any:
        """P(X > x)."""
        return special.chdtrc(df, x)

    @staticmethod
    def ppf(q: ArrayLike, df: ArrayLike) -> Any:
        """Quantile."""
        return special.chdtri(df, 1 - np.asarray(q))


class f:  # noqa: N801
    """F distribution with `dfn` and `dfd` degrees of freedom."""

    @staticmethod
    def sf(x: ArrayLike, dfn: ArrayLike, dfd: ArrayLike) -> Any:
        """P(X > x)."""
        return special.fdtrc(dfn, dfd, x)


class beta:  # noqa: N801
    """Beta distribution."""

    @staticmethod
    def ppf(q: ArrayLike, a: ArrayLike, b: ArrayLike) -> Any:
        """Quantile."""
        return special.betaincinv(a, b, q)


class binom:  # noqa: N801
    """Binomial distribution of `n` trials, by the incomplete beta function."""

    @staticmethod
    def sf(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> Any:
        """P(K > k); 1 below 0, 0 from n on."""
        at, trials = np.broadcast_arrays(np.asarray(k, dtype=float), np.asarray(n, dtype=float))
        inside = (at >= 0) & (at < trials)
        tail = special.betainc(np.where(inside, at + 1, 1.0), np.where(inside, trials - at, 1.0), p)
        return np.where(at < 0, 1.0, np.where(inside, tail, 0.0))[()]

    @staticmethod
    def cdf(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> Any:
        """P(K <= k)."""
        failures = np.asarray(n) - np.asarray(k) - 1
        return binom.sf(failures, n, 1 - np.asarray(p))
