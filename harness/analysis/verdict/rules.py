"""From the tests to one word: the order of the questions behind a verdict, and what each decision needs."""

from __future__ import annotations

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.stats import ALPHA, FEWEST_SIZES_FOR_A_TREND
from harness.analysis.verdict.curve_tests import ALPHA_EXT
from harness.analysis.verdict.types import (
    ABOVE_CHANCE,
    FORMAT_ARTEFACT,
    FORMAT_ROBUST,
    NOT_ABOVE_CHANCE,
    CurveTests,
    Decision,
    Flip,
    Levels,
    PartnerTrend,
)

_NORMAL = 1.96
"""Two-sided 5 % point of the normal distribution."""
FEWEST_DOCUMENTS = 30
"""With fewer documents at the largest size only a very large effect would show."""
ROUGH = 3.0
"""Dispersion about the best growth form from which on a rise is called rough."""


def decide(tests: CurveTests, i: int, documents: int | None, levels: Levels) -> Decision:
    """The rules of `judge`, in their order.

    Args:
        tests: the tests on a batch of curves.
        i: which curve of the batch.
        documents: how many documents its largest size has; None when that is not known.
        levels: the largest p of each test that is significant.
    """
    reach, effect = tests.reach[i], tests.effect[i]
    if tests.above.shape[1] < FEWEST_SIZES_FOR_A_TREND:
        return Decision("inconclusive", rule="sizes")
    if documents is not None and documents < FEWEST_DOCUMENTS:
        return Decision("inconclusive", rule="documents")
    if np.isnan(reach):
        return Decision("inconclusive", rule="spread")
    top, trend = bool(tests.p_top[i] <= levels.top), bool(tests.p_trend[i] <= levels.trend)
    clear = top and tests.top[i] > effect
    if clear and (emergent := _emergent(tests, i, levels)):
        return emergent
    if tests.turn[i] and tests.p_turn[i] <= levels.turn:
        return Decision("u-shaped" if tests.turn[i] > 0 else "inverted-u", rule="turn")
    # Noise between runs, as far as the curve shows it, must not make the trend (quasi-binomial).
    scatters = abs(tests.z_trend[i]) <= _NORMAL * np.sqrt(tests.dispersion[i])
    moves, trend = trend, trend and not scatters
    rises, falls = trend and tests.z_trend[i] > 0, trend and tests.z_trend[i] < 0
    there = top or tests.first[i] < tests.above.shape[1]
    if falls and reach <= -effect:
        return Decision("inverse", ABOVE_CHANCE if there else None, rule="fall")
    if not clear and not (rises and reach >= effect):
        excluded = abs(reach) + _NORMAL * tests.reach_error[i] < 2 * effect
        moving = "rising" if rises else "falling" if falls else None
        return Decision("flat" if excluded else "inconclusive", moving, rule="small")
    if rises:
        rough = tests.dispersion[i] > ROUGH
        below = not there and not np.isnan(tests.top[i])  # a metric without a chance level is neither above nor below
        rise = Decision("smooth", "rough" if rough else None, rule="rise")
        return qualified(rise, NOT_ABOVE_CHANCE) if below else rise
    throughout = tests.below_low[i] > _chance(tests, i) and _pooled(tests, i) >= _chance(tests, i) + effect
    if clear and (falls or not moves) and throughout and tests.lowest[i] >= -effect:
        return Decision("flat-above-chance", "falling" if falls else None, rule="above")
    if falls:
        return Decision("inverse", ABOVE_CHANCE, rule="fall")
    return Decision("inconclusive", rule="rest")


def with_partner(decision: Decision, partner: PartnerTrend | None) -> Decision:
    """The decision once the continuous metric of the same answers is known.

    An emergent or flat verdict becomes metric-artefact when that metric already improves where the ability is absent,
    and an emergent one metric-robust when it does not.

    Args:
        decision: what the headline metric shows.
        partner: what the continuous metric does; None when the task has none.
    """
    if partner is None or partner.rises_below is None or decision.label not in {"emergent", "flat"}:
        return decision
    if partner.rises_below:
        return decision._replace(label="metric-artefact")
    if decision.label == "flat":
        return decision
    return decision._replace(qualifier=f"{decision.qualifier} metric-robust")


def with_twin(decision: Decision, twin: PartnerTrend | None, of_twin: Decision | None) -> Decision:
    """The decision once the same documents are known in the other format of asking for options.

    A jump, or flatness, is `format-artefact` when right answers in the other format already become more where the
    ability seems absent, or are above chance there at every size. A jump is `format-robust` when the other format jumps
    as well and no earlier.

    Args:
        decision: what the headline metric shows, its continuous partner considered.
        twin: what the headline metric of the other format does; None when it was not asked.
        of_twin: what is decided of the other format.
    """
    if (
        twin is None
        or (twin.rises_below is None and not twin.there_below)
        or decision.rule not in {"unforeseen", "broken", "small"}
    ):
        return decision
    if decision.label not in {"emergent", "flat", "metric-artefact"}:
        return decision
    robust = decision.label == "emergent" and of_twin is not None and of_twin.label == "emergent"
    qualifier = FORMAT_ARTEFACT if twin.rises_below or twin.there_below else FORMAT_ROBUST if robust else None
    return decision if qualifier is None else qualified(decision, qualifier)


def qualified(decision: Decision, more: str) -> Decision:
    """The decision with one more qualifier."""
    return decision._replace(qualifier=f"{decision.qualifier} {more}" if decision.qualifier else more)


def significant(q: float | None) -> bool:
    """True when there is a corrected p, and it is below `ALPHA`."""
    return q is not None and q < ALPHA


def of_one_run(flips: tuple[Flip, ...] | None, curve: Curve) -> tuple[Flip, ...] | None:
    """The sizes that decide and have one training run only: further runs of a size confirm what it shows.

    Args:
        flips: the sizes without which the decision would be another; None when there are too few to leave one out.
        curve: the curve that was judged.
    """
    if flips is None or curve.noise is None or not curve.noise.known:
        return flips
    runs = dict(zip(curve.names, curve.runs, strict=True))
    return tuple(flip for flip in flips if runs[flip.model] == 1)


def unconfirmed(decision: Decision, flips: tuple[Flip, ...] | None) -> Decision:
    """The decision with the qualifier `unconfirmed` when it claims a jump or a turn that rests on one training run.

    Args:
        decision: the decision with all sizes.
        flips: the sizes of one run without which it would be another; None when there are too few sizes to leave one
            out.
    """
    if decision.rule not in {"unforeseen", "broken", "turn"} or flips == ():
        return decision
    return qualified(decision, "unconfirmed")


def _emergent(tests: CurveTests, i: int, levels: Levels) -> Decision | None:
    """The decision "emergent" when smaller sizes lack the ability and neither a law nor a smooth curve foresees it."""
    absent = tests.below_high[i] < _chance(tests, i) + tests.effect[i]
    if absent and max(tests.p_ext[i], tests.p_ext_noise[i]) <= levels.ext:
        sharp = tests.p_sharp[i] < ALPHA_EXT or tests.p_jump[i] < ALPHA_EXT
        return Decision("emergent", "sharp" if sharp else "apparent", rule="unforeseen")
    if tests.p_jump[i] <= levels.jump:
        return Decision("emergent", "sharp", rule="broken")
    return None


def _pooled(tests: CurveTests, i: int) -> float:
    """The score of all sizes together, as a share of the best one."""
    counts = tests.counts
    return float("nan") if counts is None else float(counts.k[i].sum() / counts.n[i].sum())


def _chance(tests: CurveTests, i: int) -> float:
    return float(tests.counts.chance[i]) if tests.counts is not None else float("nan")
