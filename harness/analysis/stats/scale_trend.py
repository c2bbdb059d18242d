"""Does a score rise or fall with scale? Linear trends of one curve, and of many at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.stats.arrays import Array
from harness.analysis.stats.distributions import norm
from harness.analysis.stats.types import Estimate, Trend, Trends


def trend(x: Sequence[float], estimates: Sequence[Estimate]) -> Trend | None:
    """The trend of one curve over scale, see `trends`; None when there is nothing to test (one scale, or no spread).

    Args:
        x: scale of each point, usually log10 of parameters.
        estimates: score at each point.

    >>> half = [Estimate(k / 10, None, 10, 1, True) for k in (2, 5, 8)]
    >>> round(trend((0, 1, 2), half).z, 4)
    2.6833
    """
    proportion = all(e.proportion for e in estimates)
    if not estimates or (not proportion and any(e.stderr is None for e in estimates)):
        return None
    n = np.array([[e.n_effective if proportion else e.n for e in estimates]], dtype=float)
    y = np.array([[e.value for e in estimates]])
    per_document = None if proportion else np.array([[e.stderr or 0.0 for e in estimates]]) ** 2 * n
    found = trends(np.array([x], dtype=float), n * y, n, per_document)
    return None if np.isnan(found.z[0]) else Trend(*(float(values[0]) for values in found))


def trends(
    x: Array,
    k: Array,
    n: Array,
    variance: Array | None = None,
) -> Trends:
    """Cochran-Armitage trends over scale.

        z = sum k_i (x_i - x̄) / sqrt(s² sum n_i (x_i - x̄)²),   x̄ weighted by n

    For proportions s² = p (1 - p) with p pooled over scales (Armitage 1955), and n_i are effective documents. For other
    scores s² is the pooled variance of single documents. Documents that scales share are treated as independent, which
    makes the test cautious.

    Args:
        x: scales, usually log10 of parameters, (B, m).
        k: sum of the scores of all documents, (B, m).
        n: documents, (B, m).
        variance: of the scores of single documents, (B, m); None for zeros and ones.
    """
    total = n.sum(axis=1)
    centred = x - ((n * x).sum(axis=1) / total)[:, None]
    spread = (n * centred**2).sum(axis=1)
    if variance is None:
        pooled = k.sum(axis=1) / total
        # Half a success is added to each side for the error of the range: all scores at 0 are not known to be 0.
        smooth = (k + 0.5) / (n + 1)
        within, residual = pooled * (1 - pooled), (n * smooth * (1 - smooth)).sum(axis=1) / total
    else:
        within = residual = (n * variance).sum(axis=1) / total
    lift, reach = (k * centred).sum(axis=1), x.max(axis=1) - x.min(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(within > 0, lift / np.sqrt(within * spread), 0.0)
        found = (z, 2 * norm.sf(np.abs(z)), lift / spread * reach, np.sqrt(residual / spread) * reach)
    return Trends(*(np.where((spread > 0) & (residual > 0), values, np.nan) for values in found))
