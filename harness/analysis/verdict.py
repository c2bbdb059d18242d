"""First-edition verdicts: is the ability above chance, from which size on, and does it rise with scale?

This edition is deliberately plain. It tests a trend and the distance from chance, and describes where the largest
step lies. It fits no growth curves, so it does not tell a sharp jump from a smooth rise and never says `emergent`,
`u-shaped` or `metric-artefact`; a rise of any shape is called `smooth`. Every verdict carries `edition="first"`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from harness.analysis.curves import Curve
from harness.analysis.uncertainty import Trend, above_chance_p, benjamini_hochberg, minimum_detectable_effect, trend
from harness.analysis.wording import probability, score, size
from harness.specs import MetricSpec

Label = Literal["smooth", "flat", "flat-above-chance", "inverse", "inconclusive"]

PLAIN_WORDS: dict[Label, str] = {
    "smooth": "rises",
    "flat": "flat",
    "flat-above-chance": "flat, above chance",
    "inverse": "falls",
    "inconclusive": "inconclusive",
}
"""What people are shown: `smooth` would claim a shape that this edition has not tested."""
EDITION_NOTE = "First edition: does not yet tell a sharp jump from a smooth rise."
"""Said with every rise."""
ALPHA = 0.05
"""False-alarm rate of each family of tests, after correction for many curves."""
PRACTICAL_EFFECT = 0.05
"""A change that matters, as a share of the best score."""
FEWEST_SIZES = 3
"""Below this no trend can be told from a difference of two models."""
FEWEST_DOCUMENTS = 30
"""Below this at the largest size nothing but a landslide would show."""
MATERIAL_SHARE = 0.25
"""Share of its whole rise the continuous partner must make below the threshold to count as rising there."""


class Jump(NamedTuple):
    """The largest single step of a curve: a description, not a claim."""

    share: float
    """Part of max - min that this step makes up, 0 to 1."""
    below: str
    """Model before the step."""
    above: str
    """Model after the step."""


class Partner(NamedTuple):
    """What the continuous metric of the same samples does."""

    metric: str
    """Its name."""
    z_trend: float | None
    """Trend over all sizes, positive when it improves; None when it cannot be tested."""
    z_below: float | None
    """Trend over the sizes below the threshold (all sizes when there is no threshold); None with fewer than 3."""
    p_below: float | None
    """Two-sided p of `z_below`."""
    share_below: float | None
    """Part of its whole improvement made below the threshold; None when it does not improve."""
    rises_below: bool | None
    """True when it already improves there, significantly and by a material share; None when it cannot be tested."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the headline metric of one setting shows over the sizes of one family."""

    curve: Curve
    """The curve that was judged."""
    label: Label
    """The short answer."""
    qualifier: Literal["rising"] | None
    """`rising` when a flat curve rises significantly, but by less than matters; else None."""
    threshold: float | None
    """Smallest scale from which this and all larger sizes are above chance; None when there is none."""
    threshold_model: str | None
    """The model at the threshold."""
    evidence: dict[str, float | None]
    """Numbers by name: p_trend q_trend z_trend p_top q_top mde range; None where a number does not exist."""
    jump: Jump | None
    """The largest step upwards; None when the curve does not rise."""
    partner: Partner | None
    """The continuous metric beside it; None when the task has none."""
    reasons: tuple[str, ...]
    """Why, in plain sentences."""
    edition: Literal["first"] = "first"
    """Which rules made this verdict."""


def judge(curves: Iterable[Curve]) -> tuple[Verdict, ...]:
    """One verdict per headline curve, in the order given.

    Tests are corrected over all judged curves at once (Benjamini-Hochberg), separately for trends and for "the
    largest size is above chance". Judge all curves of a study together: a curve picked out of many and judged alone
    looks surer than it is.

    Rules, in this order: too few sizes or documents -> inconclusive; significant fall by at least the practical
    effect to a level not above chance -> inverse; significant rise by at least the practical effect, or to a top
    clearly above chance -> smooth; a change larger than twice the practical effect excluded -> flat, or
    flat-above-chance when every size is above chance; no significant trend and every size above chance ->
    flat-above-chance, saying what change is not excluded; everything else -> inconclusive.

    Args:
        curves: every metric of every setting; continuous partners are found among them.
    """
    given = tuple(curves)
    headlines = [c for c in given if c.rank == 0]
    partners = {c.setting: c for c in reversed(given) if c.rank > 0 and c.metric.continuous}
    trends = [_improvement(c) for c in headlines]
    tops = [above_chance_p(c.points[-1].estimate, c.metric) for c in headlines]
    q_trends = benjamini_hochberg([t and t.p for t in trends])
    q_tops = benjamini_hochberg(tops)
    return tuple(
        _verdict(_Tests(*tests), partners.get(tests[0].setting))
        for tests in zip(headlines, trends, q_trends, tops, q_tops, strict=True)
    )


def to_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain data, keys as promised by `emergence verdicts --json`."""
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
        "threshold_low": None,
        "threshold_high": None,
        "evidence": verdict.evidence,
        "reasons": list(verdict.reasons),
        "models": list(curve.models),
        "n": list(curve.n),
        "missing": [gap.model for gap in curve.missing],
        "edition": verdict.edition,
    }


class _Tests(NamedTuple):
    """One headline curve with its tests, raw and corrected."""

    curve: Curve
    trend: Trend | None
    q_trend: float | None
    p_top: float | None
    q_top: float | None


def _improvement(curve: Curve) -> Trend | None:
    """The trend of the curve, turned so that better is positive."""
    found = trend([math.log10(x) for x in curve.x], curve.estimates)
    if found is None or curve.metric.higher_is_better:
        return found
    return found._replace(z=-found.z, fitted_range=-found.fitted_range)


def _verdict(tests: _Tests, partner_curve: Curve | None) -> Verdict:
    curve = tests.curve
    start = _first_reliable(curve)
    threshold = None if start is None else curve.x[start]
    jump = _largest_step(curve)
    partner = _partner(partner_curve, threshold) if partner_curve else None
    label, qualifier, why = _label(tests)
    reasons = [why, _chance_sentence(curve, start)]
    if label == "smooth" and jump:
        reasons.append(_jump_sentence(jump, curve))
    if partner and start != 0:
        reasons.append(_partner_sentence(partner, threshold))
    reasons.append(_documents_sentence(curve))
    if label == "smooth":
        reasons.append(EDITION_NOTE)
    if curve.missing:
        reasons.append("No point for " + ", ".join(f"{g.model} ({g.reason})" for g in curve.missing) + ".")
    if curve.split:
        reasons.append(f"Only results with {curve.split}; others cannot be compared and have a curve of their own.")
    return Verdict(
        curve=curve,
        label=label,
        qualifier=qualifier,
        threshold=threshold,
        threshold_model=None if start is None else curve.models[start],
        evidence={
            "p_trend": tests.trend and tests.trend.p,
            "q_trend": tests.q_trend,
            "z_trend": tests.trend and tests.trend.z,
            "p_top": tests.p_top,
            "q_top": tests.q_top,
            "mde": _detectable(curve),
            "range": tests.trend and tests.trend.fitted_range,
        },
        jump=jump,
        partner=partner,
        reasons=tuple(reason for reason in reasons if reason),
    )


def _label(tests: _Tests) -> tuple[Label, Literal["rising"] | None, str]:
    """The rules of `judge`, with the sentence that says which one decided."""
    curve, found = tests.curve, tests.trend
    top = curve.points[-1].estimate
    if len(curve.points) < FEWEST_SIZES:
        return "inconclusive", None, f"{len(curve.points)} of at least {FEWEST_SIZES} sizes: no trend can be judged."
    if top.n < FEWEST_DOCUMENTS:
        return "inconclusive", None, f"{top.n} documents at the largest size; at least {FEWEST_DOCUMENTS} are needed."
    if found is None or tests.q_trend is None:
        return "inconclusive", None, "The spread of the documents is not known: no trend can be tested."
    effect = _practical_effect(curve.metric)
    significant = tests.q_trend < ALPHA
    clearly_above = _above(tests.q_top) and _gain(top.value, curve.metric) > effect
    bound = abs(found.fitted_range) + 1.96 * found.fitted_range_stderr
    change = f"{found.fitted_range:+.3f} over the sizes, q {probability(tests.q_trend)}"
    if significant and found.fitted_range <= -effect and not _above(tests.q_top):
        return "inverse", None, f"Larger models do worse ({change})."
    if significant and found.z > 0 and (found.fitted_range >= effect or clearly_above):
        return "smooth", None, f"Rises with scale ({change})."
    qualifier: Literal["rising"] | None = "rising" if significant and found.z > 0 else None
    small = "No change with scale"
    if significant:
        small = f"{'Rises' if found.z > 0 else 'Falls'} significantly, but by less than matters"
    everywhere = all(_reliable(curve))
    if bound < 2 * effect:
        label: Label = "flat-above-chance" if everywhere else "flat"
        return label, qualifier, f"{small} ({change}); a change of {bound:.3f} or more is excluded."
    if significant and found.z < 0:
        return "inconclusive", None, f"Falls with scale ({change}), yet stays above chance or by less than matters."
    label = "flat-above-chance" if everywhere and not significant else "inconclusive"
    return label, qualifier, f"No clear trend ({change}), but a change up to {bound:.3f} is not excluded."


def _practical_effect(metric: MetricSpec) -> float:
    """A change that matters, in units of the score; 0 when the metric has no scale to take a share of."""
    return PRACTICAL_EFFECT * max(abs(metric.best or 0.0), abs(metric.chance or 0.0))


def _gain(value: float, metric: MetricSpec) -> float:
    """How much better than chance; minus infinity when there is no chance level."""
    if metric.chance is None:
        return -math.inf
    return (value - metric.chance) * (1 if metric.higher_is_better else -1)


def _above(p: float | None, alpha: float = ALPHA) -> bool:
    return p is not None and p < alpha


def _reliable(curve: Curve) -> list[bool]:
    """For each size: above chance at alpha divided by the number of sizes (Bonferroni)."""
    alpha = ALPHA / len(curve.points)
    return [_above(above_chance_p(e, curve.metric), alpha) for e in curve.estimates]


def _first_reliable(curve: Curve) -> int | None:
    """Index of the smallest size from which this and all larger sizes are above chance."""
    start = None
    for index, above in reversed(list(enumerate(_reliable(curve)))):
        if not above:
            break
        start = index
    return start


def _largest_step(curve: Curve) -> Jump | None:
    """The largest step towards better between neighbouring sizes, as a share of the whole range."""
    direction = 1 if curve.metric.higher_is_better else -1
    steps = [direction * (b - a) for a, b in zip(curve.y, curve.y[1:], strict=False)]
    if not steps or max(steps) <= 0:
        return None
    at = steps.index(max(steps))
    return Jump(steps[at] / (max(curve.y) - min(curve.y)), curve.models[at], curve.models[at + 1])


def _partner(curve: Curve, threshold: float | None) -> Partner:
    """Does the continuous metric already improve below the headline's threshold?"""
    direction = 1 if curve.metric.higher_is_better else -1
    below = [p for p in curve.points if threshold is None or p.x < threshold]
    whole = _improvement(curve)
    part = None
    if len(below) >= FEWEST_SIZES:
        part = trend([math.log10(p.x) for p in below], [p.estimate for p in below])
    total = direction * (curve.y[-1] - curve.y[0])
    share = direction * (below[-1].estimate.value - below[0].estimate.value) / total if below and total > 0 else None
    z_below = part and direction * part.z
    rises = None
    if part is not None and z_below is not None:
        rises = part.p < ALPHA and z_below > 0 and share is not None and share >= MATERIAL_SHARE
    return Partner(curve.metric.name, whole and whole.z, z_below, part and part.p, share, rises)


def _detectable(curve: Curve) -> float | None:
    """Smallest gain over chance that the largest size would have shown (5 %, power 80 %)."""
    top = curve.points[-1].estimate
    if curve.metric.chance is None:
        return None
    if top.proportion:
        return minimum_detectable_effect(top.n_effective, curve.metric.chance)
    return minimum_detectable_effect(top.n, 0.0, stderr=top.stderr) if top.stderr else None


def _chance_sentence(curve: Curve, start: int | None) -> str:
    if curve.metric.chance is None:
        return "The metric has no chance level, so no threshold is given."
    level = f"chance {score(curve.metric.chance)}"
    if start is None:
        return f"The largest size is not reliably above chance ({level})."
    unit = {"params": "parameters", "flops": "training FLOPs", "tokens": "training tokens"}[curve.scale]
    where = f"{size(curve.x[start])} {unit} on ({curve.models[start]}; {level})"
    if start == 0:
        return f"Above chance at every size, from {where}."
    if start == len(curve.points) - 1:
        return f"Above chance only at the largest size, {where.replace(' on (', ' (')}: one size carries this."
    return f"Above chance from {where}."


def _jump_sentence(jump: Jump, curve: Curve) -> str:
    return (
        f"The largest step, {jump.below} to {jump.above}, makes {jump.share:.0%} of the range of {len(curve.y)} sizes."
    )


def _partner_sentence(partner: Partner, threshold: float | None) -> str:
    where = "over all sizes" if threshold is None else "below the threshold"
    if partner.rises_below is None:
        return f"{partner.metric}: too few sizes {where} to say whether it rises earlier."
    z = f"z = {partner.z_below:.1f}"
    if partner.rises_below:
        share = "" if threshold is None or partner.share_below is None else f", {partner.share_below:.0%} of its rise"
        return f"{partner.metric} {'improves' if threshold is None else 'already improves'} {where} ({z}{share})."
    if partner.z_below is not None and partner.z_below < 0 and _above(partner.p_below):
        return f"{partner.metric} gets worse {where} ({z})."
    return f"{partner.metric} does not clearly improve {where} (p {probability(partner.p_below)})."


def _documents_sentence(curve: Curve) -> str:
    fewest, most = min(curve.n), max(curve.n)
    documents = f"n = {most}" if fewest == most else f"n = {fewest} to {most}"
    seeds = max(p.estimate.seeds for p in curve.points)
    repeated = f", {seeds} few-shot seeds" if seeds > 1 else ""
    detectable = _detectable(curve)
    shown = "" if detectable is None else f"; smallest gain over chance the largest size could show: {detectable:.3f}"
    return f"{documents} documents{repeated} per size{shown}."
