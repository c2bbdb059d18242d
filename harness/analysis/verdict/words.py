"""Verdicts in words: labels, thresholds and p values as tables, legends and sentences show them."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import NamedTuple

from harness.analysis.curves import Curve, Scale
from harness.analysis.stats import PRACTICAL_EFFECT
from harness.analysis.verdict.types import (
    ABOVE_CHANCE,
    FORMAT_ARTEFACT,
    NOT_ABOVE_CHANCE,
    Evidence,
    Judged,
    Label,
    Tone,
    Verdict,
)
from harness.wording import number, p_value, signed, small_probability

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
_SAID = {ABOVE_CHANCE: "still above chance", NOT_ABOVE_CHANCE: "not above chance"}
"""Qualifiers without which a label would say too much: they stand behind its words and not in brackets."""
_TONES: Mapping[Label, Tone] = {
    "emergent": "good",
    "smooth": "good",
    "inverse": "bad",
    "u-shaped": "bad",
    "inverted-u": "bad",
    "metric-artefact": "bad",
}
"""Labels whose colour is not `plain`."""
UNITS: Mapping[Scale, str] = {
    "params": "parameters",
    "params_non_embedding": "parameters outside the embeddings",
    "params_active": "parameters used per token",
    "flops": "training FLOPs",
    "tokens": "training tokens",
    "loss": "loss",
}
"""What a number on each axis counts."""
NONE = "–"
"""What a table shows where there is no number."""


class TableRow(NamedTuple):
    """One judged curve as a row of a table, every cell in words."""

    family: str
    """Family name."""
    task: str
    """Task name."""
    setting: str
    """Shots, prompt variant, and what sets the curve apart from others."""
    verdict: str
    """Label and qualifier."""
    threshold: str
    """Where the ability sets in, with its 95 % interval."""
    above_chance_from: str
    """Scale from which on all sizes are above chance."""
    change: str
    """Rise of the fitted line over all sizes, in units of the score."""
    q: str
    """Corrected p of the trend."""
    deciding_sizes: str
    """How many sizes there are without which the verdict would be another: `1 of 8`."""
    why: str
    """The reasons, one sentence after the other."""
    evidence: str
    """All numbers behind the verdict with their names."""


def table_row(judged: Judged) -> TableRow:
    """The judged curve as people read it; the numbers themselves are in its verdict."""
    curve, verdict, evidence = judged.curve, judged.verdict, judged.verdict.evidence
    return TableRow(
        family=curve.family,
        task=curve.task,
        setting=curve.label,
        verdict=label_text(verdict),
        threshold=threshold_text(judged) or NONE,
        above_chance_from=NONE if verdict.reliable_from is None else number(verdict.reliable_from),
        change=signed(shown_change(curve, evidence)) or NONE,
        q=p_value(evidence.q_trend) or NONE,
        deciding_sizes=f"{len(verdict.flips)} of {len(curve.points)}" if verdict.flips else NONE,
        why=" ".join(verdict.reasons),
        evidence=", ".join(f"{name} {evidence_text(name, value)}" for name, value in asdict(evidence).items()),
    )


def label_text(verdict: Verdict) -> str:
    """Label and qualifier in plain words: `emergent (apparent)`, `falls, still above chance`."""
    others = [one for one in (verdict.qualifier or "").split() if one not in _SAID]
    return kind_text(verdict) + (f" ({', '.join(others)})" if others else "")


def kind_text(verdict: Verdict) -> str:
    """The label in plain words, without what is said in brackets: `falls, still above chance`."""
    said = [_SAID[one] for one in (verdict.qualifier or "").split() if one in _SAID]
    return ", ".join([PLAIN_WORDS[verdict.label], *said])


def tone_of(verdict: Verdict) -> Tone:
    """The colour of a verdict, which never says more than its words: no rise below chance is good news."""
    qualifiers = (verdict.qualifier or "").split()
    if NOT_ABOVE_CHANCE in qualifiers:
        return "plain"
    if verdict.label == "emergent" and FORMAT_ARTEFACT in qualifiers:
        return "bad"
    return _TONES.get(verdict.label, "plain")


def threshold_text(judged: Judged) -> str:
    """Where the ability sets in, with its 95 % interval: `184k (108k-402k)`; empty when it does not.

    Ends outside the sizes measured are written with the last size measured: `<11.6k`, `6.9B+`.
    """
    curve, verdict = judged.curve, judged.verdict
    # Not ">": after the hyphen of an interval it would read as an arrow.
    low, high = f"<{number(min(curve.x))}", f"{number(max(curve.x))}+"
    if verdict.threshold is None:
        level = (curve.metric.chance or 0.0) + PRACTICAL_EFFECT * (curve.metric.best or 1.0)
        there = verdict.label == "smooth" and curve.metric.chance is not None and curve.y[0] >= level
        return (high if curve.scale == "loss" else low) if there else ""
    if verdict.threshold_low is not None:
        low = number(verdict.threshold_low)
    if verdict.threshold_high is not None:
        high = number(verdict.threshold_high)
    return f"{number(verdict.threshold)} ({low}-{high})"


def shown_change(curve: Curve, evidence: Evidence) -> float | None:
    """Change of the fitted line over all points, or what the scores span where that is clearly less; None without one.

    A straight line through a jump rises by more than the scores do, and may leave the range that they can have.
    """
    if evidence.range is None:
        return None
    span = max(curve.y) - min(curve.y)
    beyond = evidence.range_stderr is not None and abs(evidence.range) > span + 2 * evidence.range_stderr
    best = math.inf if curve.metric.best is None or curve.metric.chance is None else abs(curve.metric.best) or math.inf
    return math.copysign(span if beyond else min(abs(evidence.range), best), evidence.range)


def evidence_text(name: str, value: float | None) -> str:
    """One number of the evidence: of p and q values the order of magnitude is shown, however small they are."""
    if value is None:
        return NONE
    return small_probability(value) if name.startswith(("p_", "q_")) else number(value)


def same_place_text(curve: Curve) -> str:
    """Says of a curve whose models all have the same scale that they do, and which scale it is."""
    where = f"{number(curve.x[0])} {UNITS[curve.scale]}"
    return f"all {len(curve.points)} models lie at one place of this axis, {where}"


@cache
def evidence_texts() -> Mapping[str, str]:
    """What each number of `Evidence` is: the docstrings of its fields, which Python itself does not keep."""
    (definition,) = ast.parse(inspect.getsource(Evidence)).body
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for field, docstring in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(docstring, ast.Expr):
            texts[ast.unparse(field.target)] = inspect.cleandoc(ast.literal_eval(docstring.value)).replace("\n", " ")
    return texts
