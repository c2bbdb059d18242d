"""From evidence to one word: the order of questions behind a verdict, and what each answer needs."""

from __future__ import annotations

import numpy as np

from harness.analysis.stats import ALPHA, FEWEST_SIZES_FOR_A_TREND
from harness.analysis.verdict.evidence import ALPHA_EXT, Evidence
from harness.analysis.verdict.types import Answer

_NORMAL = 1.96
"""Two-sided 5 % point of the normal distribution."""
FEWEST_DOCUMENTS = 30
"""Below this at the largest size nothing but a landslide would show."""


def answer(of: Evidence, row: int, documents: int, *, trend: bool, top: bool) -> Answer:
    """The rules of `verdict.judge`, in their order.

    Args:
        of: evidence of a batch of curves.
        row: which curve.
        documents: documents at its largest size.
        trend: its trend is significant after correction.
        top: its largest size is above chance after correction.
    """
    reach, effect = of.reach[row], of.effect[row]
    if of.above.shape[1] < FEWEST_SIZES_FOR_A_TREND:
        return Answer("inconclusive", rule="sizes")
    if documents < FEWEST_DOCUMENTS:
        return Answer("inconclusive", rule="documents")
    if np.isnan(reach):
        return Answer("inconclusive", rule="spread")
    clear = top and of.top[row] > effect
    if clear and (emergent := _emergent(of, row)):
        return emergent
    if of.turn[row] and of.p_turn[row] < ALPHA:
        return Answer("u-shaped" if of.turn[row] > 0 else "inverted-u", rule="turn")
    # Noise between runs, as far as the curve shows it, must not make the trend (quasi-binomial).
    scatters = abs(of.z_trend[row]) <= _NORMAL * np.sqrt(of.dispersion[row])
    moves, trend = trend, trend and not scatters
    rises, falls = trend and of.z_trend[row] > 0, trend and of.z_trend[row] < 0
    if falls and reach <= -effect and not top:
        return Answer("inverse", rule="fall")
    if not clear and not (rises and reach >= effect):
        excluded = abs(reach) + 1.96 * of.reach_error[row] < 2 * effect
        return Answer("flat" if excluded else "inconclusive", "rising" if rises else None, rule="small")
    if rises:
        return Answer("smooth", rule="rise")
    if clear and not moves and of.below_low[row] > _chance(of, row) and of.lowest[row] >= -effect:
        return Answer("flat-above-chance", rule="above")
    return Answer("inconclusive", rule="rest")


def _emergent(of: Evidence, row: int) -> Answer | None:
    """Absent below, there above, and neither foreseen nor smooth; None otherwise."""
    if not of.below_high[row] < _chance(of, row) + of.effect[row]:
        return None
    if max(of.p_ext[row], of.p_ext_noise[row]) < ALPHA_EXT:
        sharp = of.p_sharp[row] < ALPHA_EXT or of.p_jump[row] < ALPHA_EXT
        return Answer("emergent", "sharp" if sharp else "apparent", rule="unforeseen")
    if of.p_jump[row] < ALPHA_EXT:
        return Answer("emergent", "sharp", rule="broken")
    return None


def _chance(of: Evidence, row: int) -> float:
    return float(of.counts.chance[row]) if of.counts is not None else float("nan")
