"""Why a verdict is what it is, in sentences for a colleague who has read no statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.analysis.curves import Curve, Scale
from harness.analysis.stats import ALPHA, FEWEST_SIZES_FOR_A_TREND
from harness.analysis.verdict.rules import FEWEST_DOCUMENTS
from harness.analysis.verdict.types import Answer, Flip, Jump, Label, Partner, Place
from harness.wording import counted, number, one_decimal, percent, probability, score, signed

PLAIN_WORDS: Mapping[Label, str] = {
    "emergent": "emergent",
    "smooth": "rises",
    "flat": "flat",
    "flat-above-chance": "flat, above chance",
    "inverse": "falls",
    "u-shaped": "falls, then rises",
    "inverted-u": "rises, then falls",
    "metric-artefact": "made by the metric",
    "inconclusive": "cannot tell",
}
"""Labels as people read them."""
_UNITS: Mapping[Scale, str] = {
    "params": "parameters",
    "flops": "training FLOPs",
    "tokens": "training tokens",
    "loss": "loss",
}
_FEW_SIZES = 6
_SCATTERED = 3.0
"""Dispersion from which it is said."""
_NAMED = 3
"""Models named in one sentence; of more only the number is said."""

Numbers = Mapping[str, float | None]


def reasons(
    curve: Curve,
    found: Answer,
    *,
    evidence: Numbers,
    effect: float,
    first: int | None,
    place: Place | None,
    jump: Jump | None,
    partner: Partner | None,
    flips: Sequence[Flip],
) -> tuple[str, ...]:
    """All that is worth saying about one verdict, the deciding sentence first.

    Args:
        curve: what was judged.
        found: the verdict and the rule behind it.
        evidence: numbers by name, see `verdict.EVIDENCE`.
        effect: change that matters, in units of the score.
        first: index of the first size from which all are above chance.
        place: where the ability sets in.
        jump: the largest step.
        partner: the continuous metric.
        flips: sizes without which the verdict would be another.
    """
    if found.rule == "spread" and len(set(curve.x)) == 1:
        return (f"Cannot tell: {one_place(curve)}.",)
    told = [
        _deciding(curve, found, evidence, effect),
        _limits(curve) if found.label == "inconclusive" else "",
        _chance(curve, first, found),
        _onset(curve, place, effect) if found.label in {"emergent", "metric-artefact", "smooth"} else "",
        _sudden(found, evidence),
        _step(jump, curve) if found.rule == "rise" and jump else "",
        _beside(partner, found) if partner else "",
        _scatter(evidence),
        _carried(flips, found.label, len(curve.points)),
        _documents(curve, evidence),
        _gaps(curve),
        f"Only results with {curve.split}; others cannot be compared and have a curve of their own."
        if curve.split
        else "",
    ]
    return tuple(sentence for sentence in told if sentence)


def _deciding(curve: Curve, found: Answer, evidence: Numbers, effect: float) -> str:
    sizes, top = len(curve.points), curve.points[-1].estimate
    fitted = signed(evidence["range"]) or "unknown"
    change = f"fitted line {fitted} over {sizes} sizes, q {probability(evidence['q_trend'])}"
    least = 0.0 if found.rule == "rest" else -effect
    worse = found.rule in {"rest", "small"} and (evidence["range"] or 0.0) < least and _stands_out(evidence)
    unclear = found.rule in {"small", "above", "rest"} and found.qualifier is None and not worse
    if unclear and _significant(evidence["q_trend"]):
        change += ", no more than sizes scatter or than matters"
    if found.rule == "sizes":
        return f"Cannot tell: {counted(sizes, 'size')}, at least {FEWEST_SIZES_FOR_A_TREND} are needed."
    if found.rule == "documents":
        asked = counted(top.n, "document")
        return f"Cannot tell: {asked} at the largest size, at least {FEWEST_DOCUMENTS} are needed."
    if found.rule == "spread":
        return "Cannot tell: the spread of the documents is not known."
    if found.rule == "turn":
        way = "Falls with scale and then rises" if found.label == "u-shaped" else "Rises with scale and then falls"
        return f"{way} again, both significantly and by at least {score(effect)} (p {probability(evidence['p_turn'])})."
    if found.rule == "fall":
        return f"Larger models do worse ({change})."
    if found.rule == "small" and not (worse and found.label == "inconclusive"):
        return _small(found, evidence, change)
    if found.rule == "unforeseen":
        return _unforeseen(curve, evidence)
    if found.rule == "broken":
        return (
            f"Absent in the {_absent(curve, evidence)} smallest sizes (at most {score(evidence['below_high'])}) "
            f"and there in all larger ones: no smooth curve fits the break (p {probability(evidence['p_jump'])})."
        )
    if found.rule == "rise":
        rises = "Rises" if curve.metric.higher_is_better else "Improves"
        return f"{rises} with scale ({change})" + (
            f", and the largest size is no surprise after the smaller ones (p {probability(evidence['p_ext'])})."
            if evidence["p_ext"] is not None and evidence["p_ext"] >= 0.01
            else "."
        )
    if found.rule == "above":
        return f"Above chance at all sizes together, without a clear trend ({change})."
    if worse:
        still = f"yet the largest is still above chance (q {probability(evidence['q_top'])})"
        return f"Cannot tell: larger models do worse ({change}), {still}."
    return f"Cannot tell: the largest size is above chance, but neither a trend nor a jump is clear ({change})."


def one_place(curve: Curve) -> str:
    """Why a curve over which the scale does not change shows nothing, for people."""
    where = f"{number(curve.x[0])} {_UNITS[curve.scale]}"
    return f"all {len(curve.points)} models lie at one place of this axis, {where}"


def _absent(curve: Curve, evidence: Numbers) -> int:
    return len(curve.points) - int(evidence["held_out"] or 1)


def _stands_out(evidence: Numbers) -> bool:
    """The trend is significant, and from the scatter of the sizes too; see `rules.answer`."""
    z, scatter = evidence["z_trend"], math.sqrt(evidence["dispersion"] or 1.0)
    return _significant(evidence["q_trend"]) and z is not None and abs(z) > 1.96 * scatter


def _small(found: Answer, evidence: Numbers, change: str) -> str:
    bound = abs(evidence["range"] or 0.0) + 1.96 * (evidence["range_stderr"] or 0.0)
    moves = "No change with scale"
    if found.qualifier == "rising":
        moves = "Rises significantly, but by less than matters"
    if found.label == "flat":
        return f"{moves} ({change}); a change of {score(bound)} or more is excluded."
    return f"Cannot tell: no clear trend ({change}), but a change up to {score(bound)} is not excluded."


def _unforeseen(curve: Curve, evidence: Numbers) -> str:
    held = int(evidence["held_out"] or 1)
    names = " and ".join(curve.models[-held:])
    bound = score(evidence["below_high"])
    foreseen, measured = score(evidence["foreseen"]), " and ".join(score(y) for y in curve.y[-held:])
    return (
        f"Absent in the {len(curve.points) - held} smaller sizes (at most {bound}) and not foreseen: extrapolating "
        f"gives {foreseen} for {names}, measured {measured} (p {probability(evidence['p_ext'])})."
    )


def _sudden(found: Answer, evidence: Numbers) -> str:
    if found.rule != "unforeseen" or found.qualifier is None:
        return ""
    p = probability(evidence["p_sharp"])
    if found.qualifier.startswith("sharp"):
        return f"Sharp: no smooth curve over all sizes fits the jump (p {p})."
    if evidence["p_sharp"] is None:
        return "Apparent: whether a smooth curve would fit cannot be tested on this scale."
    return f"Apparent: a steep but smooth curve over all sizes fits as well (p {p}); a size in the gap would tell."


def _limits(curve: Curve) -> str:
    sizes = len(curve.points)
    if not FEWEST_SIZES_FOR_A_TREND <= sizes < _FEW_SIZES:
        return ""
    return f"Only {sizes} sizes: the noise between training runs does not show in them."


def _chance(curve: Curve, first: int | None, found: Answer) -> str:
    if curve.metric.chance is None:
        return "The metric has no chance level: no threshold, and no test for emergence."
    level = f"chance {score(curve.metric.chance)}"
    if first is None:
        below = found.rule == "rise" and curve.y[-1] <= curve.metric.chance
        if found.rule in {"rest", "above"}:
            return f"Tested size by size (5 % / {len(curve.points)}), the largest is not above it ({level})."
        return f"The largest size is not reliably above chance ({level})" + (
            ": what rises is a score below chance." if below else "."
        )
    unit = _UNITS[curve.scale]
    where = f"{number(curve.x[first])} {unit} on ({curve.models[first]}; {level})"
    if first == 0:
        return f"Reliably above chance at every size, from {where}."
    if first == len(curve.points) - 1:
        return f"Reliably above chance only at the largest size, {where.replace(' on (', ' (')}: one size carries this."
    return f"Reliably above chance from {where}."


def _onset(curve: Curve, place: Place | None, effect: float) -> str:
    beyond = curve.metric.best is not None and (curve.metric.chance or 0.0) + effect >= curve.metric.best
    if place is None or curve.metric.chance is None or beyond:
        return ""
    level = f"{score(curve.metric.chance + effect)} (chance + {score(effect)})"
    if place.at is None and curve.y[0] >= curve.metric.chance + effect:
        return f"Already above {level} at the smallest size."
    if place.at is None:
        return f"Where it passes {level} lies outside the sizes measured."
    low = f"below {number(min(curve.x))}" if place.low is None else number(place.low)
    high = f"above {number(max(curve.x))}" if place.high is None else number(place.high)
    return f"Passes {level} at {number(place.at)} {_UNITS[curve.scale]}, 95 % interval {low} to {high}."


def _step(jump: Jump, curve: Curve) -> str:
    share = percent(jump.share)
    return f"The largest step, {jump.below} to {jump.above}, makes {share} of the range of {len(curve.y)} sizes."


def _beside(partner: Partner, found: Answer) -> str:
    everywhere = partner.sizes_below == partner.sizes
    where = "over all sizes" if everywhere else f"over the {partner.sizes_below} sizes below the threshold"
    if partner.sizes_below == 0:
        return ""
    if partner.rises_below is None:
        return f"{partner.metric}: too few sizes below the threshold to say whether it rises earlier."
    z = "" if partner.z_below is None else f"z = {one_decimal(partner.z_below)}"
    of_range = "" if partner.share_below is None else f", {percent(min(partner.share_below, 1))} of its range"
    share = "" if everywhere else of_range
    if partner.rises_below:
        what = "flatness" if found.rule == "small" else "jump"
        blame = f"The {what} is made by the metric: " if found.label == "metric-artefact" else ""
        return f"{blame}{partner.metric} of the same answers already improves {where} ({z}{share})."
    if partner.z_below is not None and _significant(partner.q_below):
        moves = "gets worse" if partner.z_below < 0 else "improves only little"
        return f"{partner.metric} {moves} {where} ({z}{share if partner.z_below > 0 else ''})."
    return f"{partner.metric} does not clearly improve {where} (q {probability(partner.q_below)})."


def _scatter(evidence: Numbers) -> str:
    dispersion = evidence["dispersion"]
    if dispersion is None or dispersion < _SCATTERED:
        return ""
    times = one_decimal(math.sqrt(dispersion))
    return (
        f"Sizes scatter about the best curve {times} times as much as documents explain: noise "
        "between training runs, or a shape no curve here has. Repeat sizes with other seeds before trusting the shape."
    )


def _carried(flips: Sequence[Flip], label: Label, sizes: int) -> str:
    if not flips:
        return ""
    if len(flips) == 1:
        flip = flips[0]
        return f'One point carries this verdict: without {flip.model} it would be "{PLAIN_WORDS[flip.label]}".'
    words = ", ".join(f"{f.model} ({PLAIN_WORDS[f.label]})" for f in flips[:_NAMED])
    more = f" and {len(flips) - _NAMED} more" if len(flips) > _NAMED else ""
    return f"Not stable: each of {len(flips)} of the {sizes} sizes, left out, changes the verdict: {words}{more}."


def _documents(curve: Curve, evidence: Numbers) -> str:
    fewest, most = min(curve.n), max(curve.n)
    documents = f"n = {most}" if fewest == most else f"n = {fewest} to {most}"
    seeds = max(p.estimate.seeds for p in curve.points)
    repeated = f", {seeds} few-shot seeds" if seeds > 1 else ""
    shown = (
        ""
        if evidence["mde"] is None
        else f"; smallest gain over chance the largest size could show: {score(evidence['mde'])}"
    )
    noun = "document" if most == 1 else "documents"
    return f"{documents} {noun}{repeated} per size{shown}."


def _gaps(curve: Curve) -> str:
    if not curve.missing:
        return ""
    return "No point for " + ", ".join(f"{g.model} ({g.reason})" for g in curve.missing) + "."


def _significant(q: float | None) -> bool:
    return q is not None and q < ALPHA
