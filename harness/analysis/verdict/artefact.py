"""Is a jump in the ability, or in the metric? The continuous metric of the same answers, below the jump.

Accuracy and exact match turn a smooth improvement of token probabilities into a jump: an answer of L tokens is exactly
right with probability exp(-L CE), which looks like a sigmoid although the cross-entropy CE falls as a power law
(Schaeffer, Miranda and Koyejo 2023, "Are Emergent Abilities of Large Language Models a Mirage?", equations 1 to 3).
Then the continuous metric improves long before the jump. If it does not, the metric did not make the jump (Du et al.
2024, "Understanding Emergent Abilities of Language Models from the Loss Perspective", section 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.stats import (
    ALPHA,
    FEWEST_SIZES_FOR_A_TREND,
    PRACTICAL_EFFECT,
    Trend,
    benjamini_hochberg,
    trend_of_each,
)
from harness.analysis.stats.distributions import t as student
from harness.analysis.verdict.types import PartnerTrend

MATERIAL_SHARE = 0.25
"""Share of its whole range the continuous metric must gain below the threshold to count as improving there."""


def twins_of(curves: Sequence[Curve]) -> tuple[Curve | None, ...]:
    """For each headline curve that of the same documents in the other format; None where there is none, or several."""
    alike: dict[tuple[object, ...], list[Curve]] = {}
    for curve in curves:
        alike.setdefault(curve.question, []).append(curve)
    pairs = (alike[curve.question] for curve in curves)
    return tuple(
        next(one for one in pair if one is not curve)
        if len(pair) == 2 and len({one.format for one in pair}) == 2
        else None
        for curve, pair in zip(curves, pairs, strict=True)
    )


def partner_trends(
    partners: Sequence[tuple[Curve | None, int]], *, together: bool = True
) -> tuple[PartnerTrend | None, ...]:
    """Whether each continuous curve already improves below the threshold of its headline metric.

    Args:
        partners: for each headline curve the continuous curve of the same answers (None when there is none), and how
            many of that curve's smallest sizes lie below the threshold of the headline.
        together: correct over all of them (Benjamini-Hochberg).
    """
    points = [((), ()) if curve is None else (curve.position, curve.run_estimates) for curve, _ in partners]
    wholes = trend_of_each(points)
    by_errors = trend_of_each(
        [
            (x[:sizes], scores[:sizes]) if sizes >= FEWEST_SIZES_FOR_A_TREND else ((), ())
            for (_, sizes), (x, scores) in zip(partners, points, strict=True)
        ]
    )
    tests = [
        _by_document(curve, sizes) if curve and _is_paired(curve, sizes) else by_error
        for (curve, sizes), by_error in zip(partners, by_errors, strict=True)
    ]
    raw = [test and test.p for test in tests]
    corrected = benjamini_hochberg(raw) if together else tuple(raw)
    return tuple(
        None if curve is None else _partner_trend(curve, sizes, whole, test, q)
        for (curve, sizes), whole, test, q in zip(partners, wholes, tests, corrected, strict=True)
    )


def _partner_trend(curve: Curve, sizes: int, whole: Trend | None, below: Trend | None, q: float | None) -> PartnerTrend:
    direction = 1 if curve.metric.higher_is_better else -1
    extent = max(curve.y) - min(curve.y)
    z = below and direction * below.z
    share = direction * below.fitted_range / extent if below and extent > 0 else None
    rises = None
    if below and z is not None and q is not None and share is not None:
        matters = share >= MATERIAL_SHARE and abs(below.fitted_range) >= _practical_effect(curve)
        rises = q < ALPHA and z > 0 and matters
    return PartnerTrend(
        metric=curve.metric.name,
        z_trend=whole and direction * whole.z,
        sizes=len(curve.points),
        sizes_below=sizes,
        z_below=z,
        p_below=below and below.p,
        q_below=q,
        share_below=share,
        rises_below=rises,
        format=curve.format,
    )


def _practical_effect(curve: Curve) -> float:
    """A twentieth of the way from chance to perfect; 0 for a metric without these, such as a log-likelihood."""
    metric = curve.metric
    return 0.0 if metric.best is None or metric.chance is None else PRACTICAL_EFFECT * abs(metric.best - metric.chance)


def _is_paired(curve: Curve, sizes: int) -> bool:
    """Whether the trend over the smallest sizes can be computed document by document."""
    if sizes < FEWEST_SIZES_FOR_A_TREND or curve.items is None or curve.items.shape[2] < 2:
        return False
    return curve.x[0] != curve.x[sizes - 1]


def _by_document(curve: Curve, sizes: int) -> Trend | None:
    """Trend over the smallest sizes, one slope per document.

    What documents differ in, and every size shares, cancels. Noise between runs does not.
    """
    assert curve.items is not None
    x = np.array(curve.position[:sizes])
    centred = x - x.mean()
    slopes = centred @ curve.items[:sizes].mean(axis=1) / (centred**2).sum()
    of_runs = 0.0
    if curve.noise is not None:
        at_half = curve.noise.wary_sd**2
        extra = np.array([at_half * curve.noise.share(y) for y in curve.y[:sizes]]) / curve.runs[:sizes]
        of_runs = float(centred**2 @ extra) / float(centred @ centred) ** 2
    error = math.sqrt(float(slopes.var(ddof=1)) / len(slopes) + of_runs)
    if error == 0.0:
        return None
    z = float(slopes.mean()) / error
    reach = float(x[-1] - x[0])
    p = float(2 * student.sf(abs(z), len(slopes) - 1))
    return Trend(z=z, p=p, fitted_range=float(slopes.mean()) * reach, fitted_range_stderr=error * reach)
