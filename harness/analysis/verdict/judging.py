"""Which abilities emerge, which grow smoothly, which do not grow, and which cannot be judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from harness.analysis.curves import Curve, neighbours_joined
from harness.analysis.growth import assumed_run_sd
from harness.analysis.stats import ALPHA, Array, benjamini_hochberg, detectable_effect, minimum_detectable_effect
from harness.analysis.verdict.artefact import partner_trends, twins_of
from harness.analysis.verdict.batches import Each, Member, leave_one_out_flips, none_if_nan, one_by_one, tested
from harness.analysis.verdict.curve_tests import ALPHA_EXT
from harness.analysis.verdict.onsets import onsets
from harness.analysis.verdict.over_runs import presence
from harness.analysis.verdict.reasons import reasons
from harness.analysis.verdict.rules import decide, of_one_run, unconfirmed, with_partner, with_twin
from harness.analysis.verdict.types import (
    CurveRow,
    CurveTests,
    Decision,
    Evidence,
    Flip,
    Judged,
    LargestStep,
    Levels,
    Onset,
    PartnerTrend,
    Verdict,
)
from harness.wording import counted


def judge(
    curves: Iterable[Curve],
    *,
    run_sd: float | None = None,
    draws: int = 200,
    seed: int = 0,
    together: bool = True,
    tell: Callable[[str], None] = lambda text: None,
    each: Each = one_by_one,
) -> tuple[Judged, ...]:
    """Every headline curve with its verdict, in the order given.

    Each kind of test is corrected over all judged curves at once (Benjamini-Hochberg). Judge all curves of a study
    together: a curve picked out of many and judged alone looks surer than it is. Rules, in this order (delta =
    `PRACTICAL_EFFECT`):

    1. fewer than `FEWEST_SIZES_FOR_A_TREND` sizes or `FEWEST_DOCUMENTS` documents at the largest -> inconclusive;
    2. largest size above chance by delta, smaller sizes pooled below chance + delta, and either the largest not
       foreseen by extrapolation (p_ext) or a rise narrower than every smooth curve (p_jump), at `ALPHA_EXT` ->
       emergent, `sharp` or `apparent`. This comes before the rule on turns, because a jump after which one size falls
       back looks like a turn;
    3. two significant arms of opposite sign, each of at least delta -> u-shaped or inverted-u;
    4. significant fall by at least delta -> inverse, `above-chance` when the largest size is still above it;
    5. neither a largest size above chance by delta nor a significant rise by delta -> flat when a change of 2 delta
       is excluded, else inconclusive; `rising` or `falling` when the trend is significant;
    6. significant rise -> smooth; `rough` when the sizes scatter widely about it, `not-above-chance` when no size is
       above chance;
    7. above chance by delta at all sizes taken together, without trend -> flat-above-chance; `falling` when it falls
       significantly, by less than delta;
    8. everything else -> inconclusive.

    A trend counts as significant only when it also exceeds the scatter of the sizes about the form that fits them best.

    Of a curve with more than `MOST_POINTS` points, such as the checkpoints of a long training, neighbours are joined
    first (see `neighbours_joined`), so that time grows with the number of points and no faster.

    Then the continuous metric of the same answers is considered: an emergent or flat verdict becomes metric-artefact
    when that metric already improves among the sizes at which the ability is absent, and an emergent one
    `metric-robust` when it does not. Where the same documents were asked in the other format too (options by letter, or
    by their texts), a jump or flatness is `format-artefact` when that format shows the ability already improving there,
    and a jump `format-robust` when both formats jump. Last, a jump or a turn that rests on a single training run is
    `unconfirmed`.

    Training runs of one size are one point. Where sizes have several, the noise between runs is estimated from them in
    place of `run_sd`, see `run_noise`.

    Args:
        curves: every metric of every setting; continuous partners are found among them.
        run_sd: standard deviation of a score of one half between two training runs of one configuration, for curves
            whose sizes have one run each; None assumes what published reruns say about each task.
        draws: how many redrawn curves stand behind each threshold's interval; 0 gives no intervals.
        seed: seed of the redrawing.
        together: correct over all curves; False takes each as a study of its own.
        tell: is told what is being done, in words, as often as there is something new.
        each: calls what takes long, batch by batch; the answers are the same whoever calls it.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"family": "mine", "task": "sums", "metric": "acc", "n_shot": 0, "chance": 0.25, "n": 200,
    ...     "model": ["1m", "4m", "16m", "64m", "256m"], "params": [1e6, 4e6, 1.6e7, 6.4e7, 2.56e8],
    ...     "k": [51, 70, 96, 120, 141]})
    >>> from harness.notebook import read_curves
    >>> [row] = judge(read_curves(table))
    >>> row.verdict.label, row.verdict.reliable_model
    ('smooth', '4m')
    """
    given = tuple(curves)
    headlines = [c for c in given if c.rank == 0]
    partners = _partners(given)
    most = max((len(curve.points) for curve in headlines), default=0)
    tell(f"judging {counted(len(headlines), 'curve')} of up to {most} points")
    members = tested([neighbours_joined(c) for c in headlines], run_sd, tell, each)
    beside_whole = [partners.get(curve.setting) for curve in headlines]
    beside = [partner and neighbours_joined(partner) for partner in beside_whole]
    corrected = _all_corrected(members, together=together)
    levels = Levels(*(test.level for test in corrected))
    decisions = [decide(m.tests, m.index, m.curve.estimates[-1].n_known, levels) for m in members]
    changes = leave_one_out_flips(members, decisions, levels, run_sd, tell, each)
    sizes_below = [
        member.partner_sizes_below(found, partner) if partner else 0
        for member, found, partner in zip(members, decisions, beside, strict=True)
    ]
    partner_tests = partner_trends(list(zip(beside, sizes_below, strict=True)), together=together)
    twins = twins_of([member.curve for member in members])
    below_twin = [
        member.partner_sizes_below(found, twin) if twin else 0
        for member, found, twin in zip(members, decisions, twins, strict=True)
    ]
    twin_tests = partner_trends(list(zip(twins, below_twin, strict=True)), together=together)
    place = {id(member.curve): at for at, member in enumerate(members)}
    others = [None if twin is None else place[id(twin)] for twin in twins]
    twin_tests = tuple(
        test and test._replace(there_below=at is not None and members[at].is_there(below))
        for test, at, below in zip(twin_tests, others, below_twin, strict=True)
    )
    of_twin = [None if at is None else decisions[at] for at in others]
    decisions = [with_partner(found, test) for found, test in zip(decisions, partner_tests, strict=True)]
    decisions = [
        unconfirmed(with_twin(found, test, other), of_one_run(change, member.curve))
        for found, test, other, change, member in zip(decisions, twin_tests, of_twin, changes, members, strict=True)
    ]
    tell("where each ability sets in, from redrawn curves")
    found_onsets = onsets(members, decisions, draws, np.random.default_rng(seed), each)
    evidence = [
        _evidence(member, found, q, run_sd, twin)
        for member, found, twin, *q in zip(members, decisions, twin_tests, *(test.q for test in corrected), strict=True)
    ]
    verdicts = map(_verdict, members, decisions, evidence, partner_tests, twin_tests, changes, found_onsets)
    return judged_rows(given, verdicts)


def judged_rows(curves: Iterable[Curve], verdicts: Iterable[Verdict]) -> tuple[Judged, ...]:
    """The headline curves with verdicts that were reached on them, and with their continuous partners.

    Args:
        curves: every metric of every setting.
        verdicts: one for each headline curve, in their order.
    """
    given = tuple(curves)
    partners = _partners(given)
    return tuple(
        Judged(curve=curve, verdict=verdict, partner=CurveRow(curve=partner) if partner else None)
        for curve, verdict, partner in zip(
            (curve for curve in given if curve.rank == 0),
            verdicts,
            (partners.get(curve.setting) for curve in given if curve.rank == 0),
            strict=True,
        )
    )


def _partners(curves: Sequence[Curve]) -> dict[tuple[str, str, int, str, str], Curve]:
    """The first continuous metric of each setting."""
    return {c.setting: c for c in reversed(curves) if c.rank > 0 and c.metric.continuous}


def judge_each(curves: Iterable[Curve], *, run_sd: float | None = None, draws: int = 200) -> tuple[Judged, ...]:
    """As `judge`, but every curve is taken as a study of its own: nothing is corrected for many curves."""
    return judge(curves, run_sd=run_sd, draws=draws, together=False)


def to_json(judged: Judged) -> dict[str, Any]:
    """The judged curve as plain data with the keys that `emergence verdicts --json` promises; infinity is a text."""
    curve, verdict = judged.curve, judged.verdict
    return {
        "family": curve.family,
        "suite": curve.suite,
        "task": curve.task,
        "metric": curve.metric.name,
        "shots": curve.shots,
        "prompt": curve.prompt,
        "scale": curve.scale,
        "conditions": curve.conditions,
        "format": curve.format,
        "label": verdict.label,
        "qualifier": verdict.qualifier,
        "threshold": verdict.threshold,
        "threshold_low": verdict.threshold_low,
        "threshold_high": verdict.threshold_high,
        "halfway": verdict.halfway,
        "halfway_low": verdict.halfway_low,
        "halfway_high": verdict.halfway_high,
        "reliable_from": verdict.reliable_from,
        "evidence": {name: _finite(value) for name, value in asdict(verdict.evidence).items()},
        "flips": [{"without": flip.model, "label": flip.label} for flip in verdict.flips],
        "reasons": list(verdict.reasons),
        "presence": verdict.presence
        and {
            "level": verdict.presence.level,
            "half": verdict.presence.half,
            "sizes": [size._asdict() for size in verdict.presence.sizes],
        },
        "models": list(curve.models),
        "n": [estimate.n_known for estimate in curve.estimates],
        "runs": list(curve.runs),
        "missing": [gap.model for gap in curve.gaps],
        "checkpoints": list(curve.names) if curve.of_checkpoints else None,
        "left_out": curve.left_out,
    }


def _finite(value: float | None) -> float | str | None:
    """The number as JSON has it, which knows no infinity."""
    return str(value) if value is not None and math.isinf(value) else value


class _Corrected(NamedTuple):
    """The p values of one test on every curve, corrected for the number of curves."""

    q: tuple[float | None, ...]
    """Corrected p of each curve; None where the test does not exist."""
    level: float
    """Largest p that is significant after correction: what a curve with one size less must reach."""


def _all_corrected(members: Sequence[Member], *, together: bool) -> tuple[_Corrected, ...]:
    """The tests of every curve corrected, in the order of `Levels`."""

    def corrected(p: Callable[[CurveTests], Array], alpha: float) -> _Corrected:
        return _corrected([none_if_nan(p(m.tests)[m.index]) for m in members], alpha, together=together)

    return (
        corrected(lambda tests: tests.p_trend, ALPHA),
        corrected(lambda tests: tests.p_top, ALPHA),
        corrected(lambda tests: np.maximum(tests.p_ext, tests.p_ext_noise), ALPHA_EXT),
        corrected(lambda tests: tests.p_jump, ALPHA_EXT),
        corrected(lambda tests: tests.p_turn, ALPHA),
    )


def _corrected(p: Sequence[float | None], alpha: float, *, together: bool) -> _Corrected:
    just_below = math.nextafter(alpha, 0.0)
    if not together:
        return _Corrected(tuple(p), just_below)
    q = benjamini_hochberg(p)
    pairs = [(raw, value) for raw, value in zip(p, q, strict=True) if raw is not None and value is not None]
    passed = [raw for raw, value in pairs if value < alpha]
    return _Corrected(q, max([just_below / max(len(pairs), 1), *passed]))


def _evidence(
    member: Member, found: Decision, q: Sequence[float | None], run_sd: float | None, twin: PartnerTrend | None
) -> Evidence:
    """One curve's tests as numbers in units of the score."""
    tests, i = member.tests, member.index
    unit, noise = float(tests.unit[i]), member.curve.noise
    extrapolated = not np.isnan(tests.p_ext[i])
    q_trend, q_top, q_ext, q_jump, q_turn = q
    by_jump = found.rule == "broken"
    held_out = (tests.jump_held_out if by_jump else tests.held_out)[i]
    below_high = (tests.jump_below_high if by_jump else tests.below_high)[i]
    return Evidence(
        p_trend=none_if_nan(tests.p_trend[i]),
        q_trend=q_trend,
        z_trend=none_if_nan(tests.z_trend[i]),
        range=none_if_nan(tests.reach[i] * unit),
        range_stderr=none_if_nan(tests.reach_error[i] * unit),
        p_top=none_if_nan(tests.p_top[i]),
        q_top=q_top,
        gain=none_if_nan(tests.top[i] * unit),
        p_ext=none_if_nan(tests.p_ext[i]),
        p_ext_noise=none_if_nan(tests.p_ext_noise[i]),
        held_out=float(held_out) if extrapolated else None,
        foreseen=none_if_nan(tests.foreseen[i] * unit),
        below_high=none_if_nan(below_high * unit),
        p_sharp=none_if_nan(tests.p_sharp[i]) if found.rule in {"unforeseen", "broken"} else None,
        p_jump=none_if_nan(tests.p_jump[i]),
        p_turn=none_if_nan(tests.p_turn[i]),
        dispersion=none_if_nan(tests.dispersion[i]) if tests.counts is not None else None,
        breakthroughness=none_if_nan(tests.breakthroughness[i]),
        linearity=none_if_nan(tests.linearity[i]),
        mde=_detectable(member.curve),
        run_sd=noise.sd if noise else assumed_run_sd(member.curve.task) if run_sd is None else run_sd,
        q_ext=q_ext,
        q_jump=q_jump,
        q_turn=q_turn,
        z_format=twin and twin.z_below,
        q_format=twin and twin.q_below,
        share_format=twin and twin.share_below,
        run_freedom=noise and noise.freedom,
    )


def _verdict(
    member: Member,
    found: Decision,
    evidence: Evidence,
    partner: PartnerTrend | None,
    twin: PartnerTrend | None,
    changes: tuple[Flip, ...] | None,
    onset: Onset | None,
) -> Verdict:
    curve, tests, i = member.curve, member.tests, member.index
    first = int(tests.first[i]) if tests.first[i] < len(curve.points) else None
    step = _largest_step(curve)
    effect = float(tests.effect[i]) * float(tests.unit[i])
    over_runs = presence(curve, effect)
    return Verdict(
        label=found.label,
        qualifier=found.qualifier,
        threshold=onset and onset.at,
        threshold_low=onset and onset.low,
        threshold_high=onset and onset.high,
        halfway=onset and onset.half,
        halfway_low=onset and onset.half_low,
        halfway_high=onset and onset.half_high,
        reliable_from=None if first is None else curve.x[first],
        reliable_model=None if first is None else curve.names[first],
        evidence=evidence,
        largest_step=step,
        partner_trend=partner,
        format_trend=twin,
        flips=changes or (),
        presence=over_runs,
        reasons=reasons(
            curve,
            found,
            evidence=evidence,
            effect=effect,
            first=first,
            onset=onset,
            largest_step=step,
            partner=partner,
            twin=twin,
            flips=changes or (),
            over_runs=over_runs,
        ),
    )


def _largest_step(curve: Curve) -> LargestStep | None:
    """The largest step towards better between neighbouring sizes, as a share of the whole range."""
    direction = 1 if curve.metric.higher_is_better else -1
    steps = [direction * (b - a) for a, b in zip(curve.y, curve.y[1:], strict=False)]
    if not steps or max(steps) <= 0:
        return None
    at = steps.index(max(steps))
    return LargestStep(steps[at] / (max(curve.y) - min(curve.y)), curve.names[at], curve.names[at + 1])


def _detectable(curve: Curve) -> float | None:
    """Smallest gain over chance that the largest size would have shown (5 %, power 80 %)."""
    top = curve.run_estimates[-1]
    if curve.metric.chance is None:
        return None
    if top.proportion:
        return detectable_effect(max(1, round(top.n_effective)), curve.metric.chance)
    return minimum_detectable_effect(top.n, 0.0, stderr=top.stderr) if top.stderr else None
