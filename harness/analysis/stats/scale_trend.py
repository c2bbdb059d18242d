"""Does a score rise or fall with scale? Linear trends of one curve, and of many at once."""

from __future__ import annotations

import math
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
    return trend_of_each([(x, estimates)])[0]


def trend_of_each(curves: Sequence[tuple[Sequence[float], Sequence[Estimate]]]) -> list[Trend | None]:
    """As `trend` of each curve, those with equally many points computed together.

    Args:
        curves: scales and scores of each.
    """
    found: list[Trend | None] = [None] * len(curves)
    alike: dict[tuple[int, bool], list[int]] = {}
    for place, (_, estimates) in enumerate(curves):
        proportion = all(e.proportion for e in estimates)
        if estimates and (proportion or all(e.stderr is not None for e in estimates)):
            alike.setdefault((len(estimates), proportion), []).append(place)
    for (_, proportion), places in alike.items():
        of_each = [curves[place][1] for place in places]
        x = np.array([curves[place][0] for place in places], dtype=float)
        n = np.array([[e.n_effective if proportion else e.n for e in some] for some in of_each], dtype=float)
        y = np.array([[e.value for e in some] for some in of_each])
        per_document = None if proportion else np.array([[e.stderr or 0.0 for e in some] for some in of_each]) ** 2 * n
        together = trends(x, n * y, n, per_document)
        for place, *values in zip(places, *(array.tolist() for array in together), strict=True):
            found[place] = None if math.isnan(values[0]) else Trend(*values)
    return found


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
