"""Everything that is concluded from one look at the results, and verdicts in words for tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from harness.analysis.curves import Curve, Scale, curves
from harness.analysis.stats import PRACTICAL_EFFECT, Resolution
from harness.analysis.verdict.reasons import PLAIN_WORDS
from harness.analysis.verdict.types import Verdict
from harness.analysis.verdict.verdict import judge
from harness.plan import Cell
from harness.records import CellFailure, CellResult
from harness.store import DocumentScores, Problem
from harness.wording import number, p_value, signed, small_probability

NONE = "–"
"""What a table shows where there is no number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """Results with the curves and verdicts they give on one scale axis."""

    results: tuple[CellResult, ...]
    """Cells that were evaluated; headers are enough."""
    failures: tuple[CellFailure, ...]
    """Cells that failed."""
    problems: tuple[Problem, ...]
    """Result files that were skipped."""
    curves: tuple[Curve, ...]
    """Every metric of every setting."""
    verdicts: tuple[Verdict, ...]
    """One per headline curve, all judged together."""
    scale: Scale
    """The x axis of the curves."""

    @property
    def families(self) -> tuple[str, ...]:
        """Families with at least one curve, by name."""
        return tuple(sorted({c.family for c in self.curves}))

    def of(self, family: str, task: str | None = None) -> tuple[Curve, ...]:
        """The curves of one family, or of one of its tasks."""
        return tuple(c for c in self.curves if c.family == family and task in {None, c.task})


def study(
    results: Iterable[CellResult],
    failures: Iterable[CellFailure] = (),
    problems: Iterable[Problem] = (),
    *,
    scale: Scale = "params",
    items: Callable[[Cell], DocumentScores | None] | None = None,
) -> Study:
    """Draw and judge everything the results hold.

    Args:
        results: in any order; headers are enough.
        failures: cells without a result.
        problems: result files that were skipped.
        scale: the x axis.
        items: gives the scores of a cell's documents, see `curves`; None judges by the scores of cells alone.
    """
    done, gone = tuple(results), tuple(failures)
    drawn = curves(done, gone, scale=scale, items=items)
    return Study(
        results=done, failures=gone, problems=tuple(problems), curves=drawn, verdicts=judge(drawn), scale=scale
    )


def headline(drawn: Iterable[Curve]) -> tuple[Curve, ...]:
    """The curves of the headline metric."""
    return tuple(c for c in drawn if c.rank == 0)


def partner(drawn: Iterable[Curve]) -> tuple[Curve, ...]:
    """The curves of the first continuous metric beside the headline, in every setting of one task."""
    continuous = sorted((c for c in drawn if c.rank > 0 and c.metric.continuous), key=lambda c: c.rank)
    return tuple(c for c in continuous if c.metric.name == continuous[0].metric.name)


def resolutions(verdicts: Iterable[Verdict]) -> dict[str, Resolution]:
    """What the documents at the largest size of each task could show, by task; of several curves the finest."""
    found: dict[str, Resolution] = {}
    for verdict in verdicts:
        curve, mde = verdict.curve, verdict.evidence["mde"]
        known = found.get(curve.task)
        if known is None or (mde is not None and (known.mde is None or mde < known.mde)):
            found[curve.task] = Resolution(curve.n[-1], curve.metric.chance, mde, None)
    return found


class Row(NamedTuple):
    """One verdict in words, for a table."""

    family: str
    task: str
    setting: str
    verdict: str
    threshold: str
    above_chance_from: str
    change: str
    q: str
    deciding_sizes: str
    """Sizes without which the verdict would be another."""
    why: str
    evidence: str
    """The numbers behind it."""


def row(verdict: Verdict) -> Row:
    """The verdict as people read it; the numbers themselves are in `Verdict.evidence`."""
    curve, found = verdict.curve, verdict.evidence
    return Row(
        family=curve.family,
        task=curve.task,
        setting=curve.label,
        verdict=in_words(verdict),
        threshold=threshold(verdict) or NONE,
        above_chance_from=NONE if verdict.reliable_from is None else number(verdict.reliable_from),
        change=signed(found["range"]) or NONE,
        q=p_value(found["q_trend"]) or NONE,
        deciding_sizes=f"{len(verdict.flips)} of {len(curve.points)}" if verdict.flips else NONE,
        why=" ".join(verdict.reasons),
        evidence=", ".join(f"{name} {evidence_text(name, value)}" for name, value in found.items()),
    )


def in_words(verdict: Verdict) -> str:
    """Label and qualifier in plain words: `emergent (apparent)`."""
    qualifier = "" if verdict.qualifier is None else f" ({verdict.qualifier.replace(' ', ', ')})"
    return PLAIN_WORDS[verdict.label] + qualifier


def threshold(verdict: Verdict) -> str:
    """Where the ability sets in, with its 95 % interval: `184k (108k-402k)`; empty when it does not.

    What lies outside the sizes measured is named by the last of them: `<11.6k`, `6.9B+`.
    """
    curve = verdict.curve
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


def evidence_text(name: str, value: float | None) -> str:
    """One number of the evidence: of p and q values the order of magnitude is shown, however small they are."""
    if value is None:
        return NONE
    return small_probability(value) if name.startswith(("p_", "q_")) else number(value)
