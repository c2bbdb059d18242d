"""Which abilities emerge, which grow smoothly, which do not grow, and what cannot be told: verdicts from evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.growth import RUN_SD
from harness.analysis.stats import ALPHA, benjamini_hochberg, minimum_detectable_effect
from harness.analysis.verdict.artefact import partners
from harness.analysis.verdict.batches import Case, below, flips, number, weighed
from harness.analysis.verdict.onsets import places
from harness.analysis.verdict.reasons import reasons
from harness.analysis.verdict.rules import answer
from harness.analysis.verdict.types import Answer, Flip, Jump, Partner, Place, Verdict


def judge(
    curves: Iterable[Curve], *, run_sd: float = RUN_SD, draws: int = 200, seed: int = 0, together: bool = True
) -> tuple[Verdict, ...]:
    """One verdict per headline curve, in the order given.

    Tests are corrected over all judged curves at once (Benjamini-Hochberg), separately for trends and for "the
    largest size is above chance". Judge all curves of a study together: a curve picked out of many and judged alone
    looks surer than it is. Rules, in this order (delta = `PRACTICAL_EFFECT`):

    1. fewer than `FEWEST_SIZES_FOR_A_TREND` sizes or `FEWEST_DOCUMENTS` documents at the largest -> inconclusive;
    2. largest size above chance by delta, smaller sizes pooled below chance + delta, and either the largest not
       foreseen by extrapolation (p_ext) or a break that no smooth curve fits (p_jump), at `ALPHA_EXT` -> emergent,
       `sharp` or `apparent`; asked before a turn, because one size that falls back behind a jump looks like one;
    3. two significant arms of opposite sign, each of at least delta -> u-shaped or inverted-u;
    4. significant fall by at least delta to a level not above chance -> inverse;
    5. neither a largest size above chance by delta nor a significant rise by delta -> flat when a change of 2 delta
       is excluded, else inconclusive; `rising` when the trend is significant;
    6. significant rise -> smooth;
    7. above chance at all sizes taken together, without trend -> flat-above-chance;
    8. everything else -> inconclusive.

    A trend counts as significant when it also stands out from the scatter of the sizes about their own best form.

    Then the continuous metric of the same answers is heard: an emergent or flat verdict becomes metric-artefact when
    that metric already improves among the sizes at which the ability is absent, and an emergent one `metric-robust`
    when it does not.

    Args:
        curves: every metric of every setting; continuous partners are found among them.
        run_sd: standard deviation of a score of one half between two training runs of one configuration.
        draws: redrawn curves behind each threshold's interval; 0 gives none.
        seed: of the redrawing.
        together: correct over all curves; False takes each as a study of its own.
    """
    given = tuple(curves)
    headlines = [c for c in given if c.rank == 0]
    beside = {c.setting: c for c in reversed(given) if c.rank > 0 and c.metric.continuous}
    cases = weighed(headlines, run_sd)
    p_trends, p_tops = [number(c.of.p_trend[c.row]) for c in cases], [number(c.of.p_top[c.row]) for c in cases]
    correct = benjamini_hochberg if together else tuple
    q_trends, q_tops = correct(p_trends), correct(p_tops)
    answers = [
        answer(c.of, c.row, c.curve.n[-1], trend=below(q, ALPHA), top=below(q_top, ALPHA))
        for c, q, q_top in zip(cases, q_trends, q_tops, strict=True)
    ]
    flipped = flips(cases, answers, _level(p_trends, q_trends), _level(p_tops, q_tops), run_sd)
    others = [beside.get(c.curve.setting) for c in cases]
    heard = partners(
        [
            (other, c.partner_sizes_below(a, other) if other else 0)
            for c, a, other in zip(cases, answers, others, strict=True)
        ],
        together=together,
    )
    answers = [_with_partner(a, p) for a, p in zip(answers, heard, strict=True)]
    placed = places(cases, answers, draws, np.random.default_rng(seed))
    return tuple(
        _verdict(case, found, partner, changes, place, q_trend, q_top, run_sd)
        for case, found, partner, changes, place, q_trend, q_top in zip(
            cases, answers, heard, flipped, placed, q_trends, q_tops, strict=True
        )
    )


def judge_each(curves: Iterable[Curve], *, run_sd: float = RUN_SD, draws: int = 200) -> tuple[Verdict, ...]:
    """Like `judge`, but every curve is taken as a study of its own: nothing is corrected for many curves."""
    return judge(curves, run_sd=run_sd, draws=draws, together=False)


def to_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain data, keys as promised by `emergence verdicts --json`; infinity is the text "inf"."""
    curve = verdict.curve
    return {
        "family": curve.family,
        "suite": curve.suite,
        "task": curve.task,
        "metric": curve.metric.name,
        "shots": curve.shots,
        "prompt": curve.prompt,
        "scale": curve.scale,
        "conditions": curve.conditions,
        "label": verdict.label,
        "qualifier": verdict.qualifier,
        "threshold": verdict.threshold,
        "threshold_low": verdict.threshold_low,
        "threshold_high": verdict.threshold_high,
        "reliable_from": verdict.reliable_from,
        "evidence": {name: str(v) if v is not None and math.isinf(v) else v for name, v in verdict.evidence.items()},
        "flips": [{"without": flip.model, "label": flip.label} for flip in verdict.flips],
        "reasons": list(verdict.reasons),
        "models": list(curve.models),
        "n": list(curve.n),
        "missing": [gap.model for gap in curve.missing],
    }


def _level(p: Sequence[float | None], q: Sequence[float | None]) -> float:
    """Largest raw p that is significant after correction: what a curve with one size less must reach."""
    passed = [a for a, b in zip(p, q, strict=True) if a is not None and below(b, ALPHA)]
    known = sum(value is not None for value in p)
    return max([ALPHA / max(known, 1), *passed])


def _with_partner(found: Answer, partner: Partner | None) -> Answer:
    if partner is None or partner.rises_below is None:
        return found
    if found.label == "flat" and partner.rises_below:
        return found._replace(label="metric-artefact")
    if found.label != "emergent":
        return found
    if partner.rises_below:
        return found._replace(label="metric-artefact")
    return found._replace(qualifier=f"{found.qualifier} metric-robust")


def _verdict(
    case: Case,
    found: Answer,
    partner: Partner | None,
    flips: tuple[Flip, ...],
    place: Place | None,
    q_trend: float | None,
    q_top: float | None,
    run_sd: float,
) -> Verdict:
    curve, of, row = case.curve, case.of, case.row
    start = int(of.first[row])
    there = start < len(curve.points)
    unit = float(of.unit[row])
    evidence = {
        "p_trend": number(of.p_trend[row]),
        "q_trend": q_trend,
        "z_trend": number(of.z_trend[row]),
        "range": number(of.reach[row] * unit),
        "range_stderr": number(of.reach_error[row] * unit),
        "p_top": number(of.p_top[row]),
        "q_top": q_top,
        "gain": number(of.top[row] * unit),
        "p_ext": number(of.p_ext[row]),
        "p_ext_noise": number(of.p_ext_noise[row]),
        "held_out": number(of.held_out[row] if not np.isnan(of.p_ext[row]) else np.nan),
        "foreseen": number(of.foreseen[row] * unit),
        "below_high": number(of.below_high[row] * unit),
        "p_sharp": number(of.p_sharp[row]) if found.rule in {"unforeseen", "broken"} else None,
        "p_jump": number(of.p_jump[row]),
        "p_turn": number(of.p_turn[row]),
        "dispersion": number(of.dispersion[row]) if of.counts is not None else None,
        "breakthroughness": number(of.breakthroughness[row]),
        "linearity": number(of.linearity[row]),
        "mde": _detectable(curve),
        "run_sd": run_sd,
    }
    jump = _largest_step(curve)
    verdict = Verdict(
        curve=curve,
        label=found.label,
        qualifier=found.qualifier,
        threshold=place and place.at,
        threshold_low=place and place.low,
        threshold_high=place and place.high,
        reliable_from=curve.x[start] if there else None,
        reliable_model=curve.models[start] if there else None,
        evidence=evidence,
        jump=jump,
        partner=partner,
        flips=flips,
        reasons=(),
    )
    said = reasons(
        curve,
        found,
        evidence=evidence,
        effect=float(of.effect[row]) * unit,
        first=start if there else None,
        place=place,
        jump=jump,
        partner=partner,
        flips=flips,
    )
    return replace(verdict, reasons=said)


def _largest_step(curve: Curve) -> Jump | None:
    """The largest step towards better between neighbouring sizes, as a share of the whole range."""
    direction = 1 if curve.metric.higher_is_better else -1
    steps = [direction * (b - a) for a, b in zip(curve.y, curve.y[1:], strict=False)]
    if not steps or max(steps) <= 0:
        return None
    at = steps.index(max(steps))
    return Jump(steps[at] / (max(curve.y) - min(curve.y)), curve.models[at], curve.models[at + 1])


def _detectable(curve: Curve) -> float | None:
    """Smallest gain over chance that the largest size would have shown (5 %, power 80 %)."""
    top = curve.points[-1].estimate
    if curve.metric.chance is None:
        return None
    if top.proportion:
        return minimum_detectable_effect(top.n_effective, curve.metric.chance)
    return minimum_detectable_effect(top.n, 0.0, stderr=top.stderr) if top.stderr else None
