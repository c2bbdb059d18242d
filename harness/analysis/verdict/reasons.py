"""Why a verdict is what it is, in sentences for a colleague who has read no statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from harness.analysis.curves import Curve
from harness.analysis.growth import FEWEST_TO_EXTRAPOLATE, RUN_SD, rerun_of
from harness.analysis.stats import FEWEST_SIZES_FOR_A_TREND
from harness.analysis.verdict.beside import partner_sentence, twin_sentence
from harness.analysis.verdict.curve_tests import ALPHA_EXT
from harness.analysis.verdict.rules import FEWEST_DOCUMENTS, significant
from harness.analysis.verdict.types import (
    ABOVE_CHANCE,
    FORMAT_ARTEFACT,
    NOT_ABOVE_CHANCE,
    Decision,
    Evidence,
    Flip,
    Label,
    LargestStep,
    Onset,
    PartnerTrend,
    Presence,
)
from harness.analysis.verdict.words import PLAIN_WORDS, UNITS, same_place_text, shown_change
from harness.wording import counted, number, one_decimal, percent, probability, score, signed

_FEW_SIZES = 6
"""With fewer sizes the noise between training runs does not show in a curve, which is then mentioned."""
_SCATTERED = 3.0
"""Dispersion from which on the scatter of the sizes is mentioned."""
_FEWEST_ABSENT = 3
"""Points without the ability from which on a jump can be asked for."""
_AS_WELL = 0.1
"""p from which on a smooth curve fits hardly worse than a jump."""
_MOVING = {
    "rising": "Rises significantly, but by less than matters",
    "falling": "Falls significantly, but by less than matters",
}
"""What is said of a change that is sure and small, by its qualifier."""
_NAMED = 3
"""How many models one sentence names; when there are more, it gives their number."""


def reasons(
    curve: Curve,
    decision: Decision,
    *,
    evidence: Evidence,
    effect: float,
    first: int | None,
    onset: Onset | None,
    largest_step: LargestStep | None,
    partner: PartnerTrend | None,
    twin: PartnerTrend | None = None,
    flips: Sequence[Flip],
    over_runs: Presence | None = None,
) -> tuple[str, ...]:
    """All that is worth saying about one verdict, the deciding sentence first.

    Args:
        curve: the curve that was judged.
        decision: its label and the rule that gave it.
        evidence: the numbers behind the label.
        effect: smallest change that matters, in units of the score.
        first: index of the first size from which all are above chance; None when there is none.
        onset: where the ability sets in; None when it does not rise.
        largest_step: the largest rise between two neighbouring sizes; None when the curve does not rise.
        partner: what the continuous metric of the same answers does; None when the task has none.
        twin: what the headline metric of the other format does; None when the documents were not asked in it.
        flips: sizes without which the label would be another.
        over_runs: how many training runs of each size have the ability; None when there are too few to tell.
    """
    if decision.rule == "spread" and len(set(curve.x)) == 1:
        return (f"Cannot tell: {same_place_text(curve)}.",)
    beside = partner_sentence(curve, partner, decision) if partner else ""
    blames = decision.label == "metric-artefact"
    asked_otherwise = twin_sentence(curve, twin, decision) if twin else ""
    feigned = decision.label == "emergent" and FORMAT_ARTEFACT in (decision.qualifier or "").split()
    sentences = [
        beside if blames else "",
        asked_otherwise if feigned else "",
        _deciding(curve, decision, evidence, effect),
        _limits(curve, decision),
        _chance(curve, first, decision, evidence),
        _onset(curve, onset, effect) if decision.label in {"emergent", "metric-artefact", "smooth"} else "",
        _sudden(curve, decision, evidence),
        _gradual(curve, decision, evidence, effect, first),
        _step(largest_step, curve) if decision.rule == "rise" and largest_step else "",
        "" if blames else beside,
        "" if feigned else asked_otherwise,
        _scatter(curve, evidence),
        _runs(curve, evidence),
        _present(over_runs),
        _carried(flips, decision.label, curve),
        _documents(curve, evidence),
        _numbered(curve),
        _joined(curve),
        _left_out(curve),
        _gaps(curve),
        _split(curve),
    ]
    return tuple(sentence for sentence in sentences if sentence)


def _deciding(curve: Curve, decision: Decision, evidence: Evidence, effect: float) -> str:
    """Why the rule that decided applies."""
    change = _change(curve, decision, evidence)
    match decision.rule:
        case "sizes" | "documents" | "spread":
            return _too_little(curve, decision)
        case "turn":
            return _turn(decision, evidence, effect)
        case "fall":
            return _fall(curve, decision, evidence, change)
        case "small":
            return _small(decision, evidence, change)
        case "unforeseen":
            return _unforeseen(curve, evidence)
        case "broken":
            return _broken(curve, evidence)
        case "rise":
            return _rise(curve, decision, evidence, change)
        case "above":
            moving = _MOVING.get(decision.qualifier or "", "without a clear trend")
            return f"Above chance at all {curve.noun}s together, {moving[:1].lower()}{moving[1:]} ({change})."
    if not significant(evidence.q_top):
        return f"Cannot tell: neither a trend nor a jump is clear ({change})."
    return f"Cannot tell: the {_end(curve)} is above chance, but neither a trend nor a jump is clear ({change})."


def _end(curve: Curve, size: str = "largest size") -> str:
    """What the last point of a curve is called."""
    return "last checkpoint" if curve.of_checkpoints else size


def _later(curve: Curve) -> str:
    return "later checkpoints" if curve.of_checkpoints else "larger models"


def _fall(curve: Curve, decision: Decision, evidence: Evidence, change: str) -> str:
    worse = f"{_later(curve).capitalize()} do worse ({change})"
    if ABOVE_CHANCE not in (decision.qualifier or "").split():
        return f"{worse}."
    sure = f"q {probability(evidence.q_top)}" if significant(evidence.q_top) else f"tested {curve.noun} by {curve.noun}"
    return f"{worse}, yet the {_end(curve, 'largest')} is still above chance ({sure})."


def _change(curve: Curve, decision: Decision, evidence: Evidence) -> str:
    """The fitted change over all sizes with its q, as it stands in brackets."""
    fitted = signed(shown_change(curve, evidence)) or "unknown"
    change = f"fitted line {fitted} over {curve.sizes}, q {probability(evidence.q_trend)}"
    moves = _MOVING.keys() & (decision.qualifier or "").split()
    unclear = decision.rule in {"small", "above", "rest"} and not moves
    insignificant = not (unclear and significant(evidence.q_trend))
    return change if insignificant else f"{change}, no more than {curve.noun}s scatter or than matters"


def _points(curve: Curve) -> str:
    return counted(len(curve.points), curve.noun)


def _too_little(curve: Curve, decision: Decision) -> str:
    if decision.rule == "spread":
        return "Cannot tell: the spread of the documents is not known."
    if decision.rule == "sizes":
        return f"Cannot tell: {curve.sizes}, at least {FEWEST_SIZES_FOR_A_TREND} are needed."
    documents = counted(curve.points[-1].estimate.n, "document")
    return f"Cannot tell: {documents} at the {_end(curve)}, at least {FEWEST_DOCUMENTS} are needed."


def _turn(decision: Decision, evidence: Evidence, effect: float) -> str:
    way = "Falls with scale and then rises" if decision.label == "u-shaped" else "Rises with scale and then falls"
    return f"{way} again, both significantly and by at least {score(effect)} (p {probability(evidence.p_turn)})."


def _rise(curve: Curve, decision: Decision, evidence: Evidence, change: str) -> str:
    rises = "Rises" if curve.metric.higher_is_better else "Improves"
    if NOT_ABOVE_CHANCE in (decision.qualifier or "").split():
        return f"{rises} with scale ({change}), and no {curve.noun} is reliably above chance."
    # A rise that was over before the sizes held out leaves nothing that they could surprise by.
    foreseen = evidence.p_ext is not None and evidence.p_ext >= ALPHA_EXT and _ends_steeply(curve, evidence)
    if not foreseen:
        return f"{rises} with scale ({change})."
    others = "those before" if curve.of_checkpoints else "the smaller ones"
    surprise = f"the {_end(curve)} is no surprise after {others} (p {probability(evidence.p_ext)})"
    return f"{rises} with scale ({change}), and {surprise}."


def _ends_steeply(curve: Curve, evidence: Evidence) -> bool:
    """True when the largest step leads to one of the sizes that were held out and predicted."""
    steps = [b - a for a, b in pairwise(curve.y)]
    return steps.index(max(steps)) + 1 >= len(curve.points) - int(evidence.held_out or 1)


def _broken(curve: Curve, evidence: Evidence) -> str:
    absent = len(curve.points) - int(evidence.held_out or 1)
    return (
        f"Absent in the {_first(curve, absent, 'smallest')} (at most {score(evidence.below_high)}), and then a rise "
        f"within less than a decade of scale: no smooth curve fits it (p {probability(evidence.p_jump)})."
    )


def _first(curve: Curve, points: int, small: str = "smaller") -> str:
    """The points before a jump, in words."""
    return f"first {points} checkpoints" if curve.of_checkpoints else f"{points} {small} sizes"


def _small(decision: Decision, evidence: Evidence, change: str) -> str:
    bound = abs(evidence.range or 0.0) + 1.96 * (evidence.range_stderr or 0.0)
    moving = next((_MOVING[name] for name in (decision.qualifier or "").split() if name in _MOVING), None)
    if decision.label != "inconclusive":
        return f"{moving or 'No change with scale'} ({change}); a change of {score(bound)} or more is excluded."
    doubt = "and" if moving else "but"
    none = "no trend beyond scatter" if significant(evidence.q_trend) else "no clear trend"
    what = f"{moving[:1].lower()}{moving[1:]}" if moving else none
    return f"Cannot tell: {what} ({change}), {doubt} a change up to {score(bound)} is not excluded."


def _unforeseen(curve: Curve, evidence: Evidence) -> str:
    held = int(evidence.held_out or 1)
    names = " and ".join(curve.names[-held:])
    bound = score(evidence.below_high)
    foreseen, measured = score(evidence.foreseen), " and ".join(score(y) for y in curve.y[-held:])
    return (
        f"Absent in the {_first(curve, len(curve.points) - held)} (at most {bound}) and not foreseen: extrapolating "
        f"gives {foreseen} for {names}, measured {measured} (p {probability(evidence.p_ext)})."
    )


def _sudden(curve: Curve, decision: Decision, evidence: Evidence) -> str:
    if decision.rule != "unforeseen" or decision.qualifier is None:
        return ""
    p = probability(evidence.p_sharp)
    if decision.qualifier.startswith("sharp"):
        return f"Sharp: no smooth curve over all {curve.noun}s fits the jump (p {p})."
    if evidence.p_sharp is None:
        return "Apparent: whether a smooth curve would fit cannot be tested on this scale."
    gap = f"a {curve.noun} in the gap would tell"
    return f"Apparent: a steep but smooth curve over all {curve.noun}s fits as well (p {p}); {gap}."


def _gradual(curve: Curve, decision: Decision, evidence: Evidence, effect: float, first: int | None) -> str:
    """Why a rise after points without the ability is no jump, which whoever sees only its beginning would call it."""
    chance, p = curve.metric.chance, evidence.p_jump
    if decision.rule != "rise" or chance is None or p is None or first is None or first < _FEWEST_ABSENT:
        return ""
    direction = 1 if curve.metric.higher_is_better else -1
    gains = [direction * (value - chance) for value in curve.y[:first]]
    if sum(gains) / len(gains) > effect / 2:
        return ""
    as_well = "describes it as well" if p >= _AS_WELL else f"cannot be ruled out (p {probability(p)})"
    return f"No jump can be shown: a rise that takes a decade of {UNITS[curve.scale]} or more {as_well}."


def _limits(curve: Curve, decision: Decision) -> str:
    sizes = len(curve.points)
    if FEWEST_SIZES_FOR_A_TREND <= sizes < FEWEST_TO_EXTRAPOLATE:
        needed = f"at least {FEWEST_TO_EXTRAPOLATE} are needed"
        return f"With {sizes} {curve.noun}s emergence cannot be tested, whatever the scores are: {needed}."
    shown = curve.noise is not None and curve.noise.known
    if decision.label != "inconclusive" or shown or not FEWEST_SIZES_FOR_A_TREND <= sizes < _FEW_SIZES:
        return ""
    return f"Only {sizes} {curve.noun}s: the noise between training runs does not show in them."


def _chance(curve: Curve, first: int | None, decision: Decision, evidence: Evidence) -> str:
    if curve.metric.chance is None:
        return "The metric has no chance level: no threshold, and no test for emergence."
    level = f"chance {score(curve.metric.chance)}"
    if first is None:
        below = decision.rule == "rise" and curve.y[-1] <= curve.metric.chance
        if decision.rule in {"rest", "above"} or significant(evidence.q_top):
            one_by_one = f"Tested {curve.noun} by {curve.noun} (5 % / {len(curve.points)})"
            return f"{one_by_one}, the {_end(curve, 'largest')} is not above it ({level})."
        return f"The {_end(curve)} is not reliably above chance ({level})" + (
            ": what rises is a score below chance." if below else "."
        )
    unit = UNITS[curve.scale]
    where = f"{number(curve.x[first])} {unit} on ({curve.names[first]}; {level})"
    if first == 0:
        return f"Reliably above chance at every {curve.noun}, from {where}."
    if first == len(curve.points) - 1:
        only = where.replace(" on (", " (")
        return f"Reliably above chance only at the {_end(curve)}, {only}: one {curve.noun} carries this."
    return f"Reliably above chance from {where}."


def _onset(curve: Curve, onset: Onset | None, effect: float) -> str:
    beyond = curve.metric.best is not None and (curve.metric.chance or 0.0) + effect >= curve.metric.best
    if onset is None or curve.metric.chance is None or beyond:
        return ""
    level = f"{score(curve.metric.chance + effect)} (chance + {score(effect)})"
    if onset.at is None and curve.y[0] >= curve.metric.chance + effect:
        foot = f"Already above {level} at the {'first checkpoint' if curve.of_checkpoints else 'smallest size'}."
    elif onset.at is None:
        foot = f"Where it passes {level} lies outside the {curve.noun}s measured."
    else:
        foot = f"Passes {level} at {_located(curve, onset.at, onset.low, onset.high)}."
    if onset.half is None:
        return foot
    return f"{foot} Half of its rise is made at {_located(curve, onset.half, onset.half_low, onset.half_high)}."


def _located(curve: Curve, at: float, low: float | None, high: float | None) -> str:
    """A place on the axis with its interval, in words."""
    least = f"below {number(min(curve.x))}" if low is None else number(low)
    most = f"above {number(max(curve.x))}" if high is None else number(high)
    return f"{number(at)} {UNITS[curve.scale]}, 95 % interval {least} to {most}"


def _step(step: LargestStep, curve: Curve) -> str:
    share = percent(step.share)
    return f"The largest step, {step.below} to {step.above}, makes {share} of the range of {_points(curve)}."


def _scatter(curve: Curve, evidence: Evidence) -> str:
    dispersion = evidence.dispersion
    if dispersion is None or dispersion < _SCATTERED:
        return ""
    times = one_decimal(math.sqrt(dispersion))
    if evidence.run_freedom is not None:
        return (
            f"Sizes scatter about the best curve {times} times as much as documents and the noise between their "
            "training runs explain: a shape no curve here has."
        )
    return (
        f"{curve.noun.capitalize()}s scatter about the best curve {times} times as much as documents explain: noise "
        "between training runs, or a shape no curve here has. Repeat sizes with other seeds before trusting the shape."
    )


def _runs(curve: Curve, evidence: Evidence) -> str:
    """What the training runs of a size say about the noise between them."""
    noise = curve.noise
    if noise is None:
        return _assumed(curve, evidence)
    unit = "" if noise.best is None else " at a score of one half"
    how = f"{one_decimal(noise.freedom)} degrees of freedom from {curve.sizes}"
    if not noise.shows:
        return f"Training runs of one size differ by no more than their documents explain ({how})."
    return f"Training runs of one size differ by a standard deviation of {score(noise.sd)}{unit} ({how})."


def _assumed(curve: Curve, evidence: Evidence) -> str:
    """Which noise between training runs was assumed, where published reruns of such tasks show it."""
    rerun = rerun_of(curve.task)
    if rerun is None or evidence.dispersion is None or rerun.run_sd != evidence.run_sd or rerun.run_sd == RUN_SD:
        return ""
    return (
        f"Assumed noise between training runs: a standard deviation of {score(rerun.run_sd)} at a score of one half, "
        f"as reruns of {rerun.source} show for such tasks."
    )


def _present(over_runs: Presence | None) -> str:
    """Says where only some of the training runs have the ability."""
    parted = [] if over_runs is None else [size for size in over_runs.sizes if 0 < size.present < size.runs]
    if over_runs is None or not parted:
        return ""
    named = ", ".join(f"{size.present} of {size.runs} of {size.model}" for size in parted[:_NAMED])
    more = f" and of {len(parted) - _NAMED} further sizes" if len(parted) > _NAMED else ""
    return (
        f"Only some training runs reach {score(over_runs.level)} ({named}{more}): there the mean lies between runs "
        "with the ability and runs without it."
    )


def _numbered(curve: Curve) -> str:
    """Says where models were taken for training runs of one size without saying that they are."""
    for point in curve.points:
        names = list(dict.fromkeys(one.model for one in point.runs))
        if len(names) > 1 and any(one.run is None for one in point.runs):
            return f"Models of one size, such as {names[0]} and {names[1]}, are taken for its training runs."
    return ""


def _carried(flips: Sequence[Flip], label: Label, curve: Curve) -> str:
    if not flips:
        return ""
    if len(flips) == 1:
        flip = flips[0]
        return f'One point carries this verdict: without {flip.model} it would be "{PLAIN_WORDS[flip.label]}".'
    words = ", ".join(f"{f.model} ({PLAIN_WORDS[f.label]})" for f in flips[:_NAMED])
    more = f" and {len(flips) - _NAMED} more" if len(flips) > _NAMED else ""
    return f"Not stable: each of {len(flips)} of the {_points(curve)}, left out, changes the verdict: {words}{more}."


def _documents(curve: Curve, evidence: Evidence) -> str:
    seeds = max(p.estimate.seeds for p in curve.points)
    repeated = f", {seeds} few-shot seeds" if seeds > 1 else ""
    shown = (
        ""
        if evidence.mde is None
        else f"; smallest gain over chance the {_end(curve)} could show: {score(evidence.mde)}"
    )
    documents = f"{curve.documents[0].upper()}{curve.documents[1:]}" if "known" in curve.documents else curve.documents
    each = "" if "known" in documents else " per training run" if max(curve.runs) > 1 else f" per {curve.noun}"
    return f"{documents}{repeated}{each}{shown}."


def _joined(curve: Curve) -> str:
    if curve.joined_from is None:
        return ""
    return (
        f"{curve.joined_from} {curve.noun}s, judged as {len(curve.points)} groups of neighbours: those that answer the "
        f"same documents and share their training are worth hardly more than one."
    )


def _left_out(curve: Curve) -> str:
    if not curve.left_out:
        return ""
    checkpoints = counted(curve.left_out, "earlier checkpoint")
    return (
        f"{checkpoints} left out: along training and along size scores grow differently, so that one curve must not "
        "mix them. --scale tokens draws a curve for each size, --scale loss joins all."
    )


def _gaps(curve: Curve) -> str:
    if not curve.gaps:
        return ""
    return "No point for " + ", ".join(f"{g.model} ({g.reason})" for g in curve.gaps) + "."


def _split(curve: Curve) -> str:
    if not curve.split:
        return ""
    return f"Only results with {curve.split}; others cannot be compared and have a curve of their own."
