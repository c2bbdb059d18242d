"""Everything that is concluded from one look at the results, and verdicts in words for tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from harness.analysis.curves import Curve, Scale, curves
from harness.analysis.reasons import PLAIN_WORDS
from harness.analysis.verdict import Verdict, judge
from harness.analysis.wording import probability, size
from harness.records import CellFailure, CellResult
from harness.store import Problem

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
) -> Study:
    """Draw and judge everything the results hold.

    Args:
        results: in any order; headers are enough.
        failures: cells without a result.
        problems: result files that were skipped.
        scale: the x axis.
    """
    done, gone = tuple(results), tuple(failures)
    drawn = curves(done, gone, scale=scale)
    return Study(results=done, failures=gone, problems=tuple(problems), curves=drawn, verdicts=judge(drawn))


def headline(drawn: Iterable[Curve]) -> tuple[Curve, ...]:
    """The curves of the headline metric."""
    return tuple(c for c in drawn if c.rank == 0)


def partner(drawn: Iterable[Curve]) -> tuple[Curve, ...]:
    """The curves of the first continuous metric beside the headline, in every setting of one task."""
    continuous = sorted((c for c in drawn if c.rank > 0 and c.metric.continuous), key=lambda c: c.rank)
    return tuple(c for c in continuous if c.metric.name == continuous[0].metric.name)


class Row(NamedTuple):
    """One verdict in words, for a table."""

    family: str
    task: str
    setting: str
    verdict: str
    above_chance_from: str
    change: str
    q: str
    largest_step: str
    why: str


def row(verdict: Verdict) -> Row:
    """The verdict as people read it; the numbers themselves are in `Verdict.evidence`."""
    curve, found, jump = verdict.curve, verdict.evidence, verdict.jump
    change, q = found["range"], found["q_trend"]
    return Row(
        family=curve.family,
        task=curve.task,
        setting=curve.label,
        verdict=" ".join(filter(None, (PLAIN_WORDS[verdict.label], verdict.qualifier and f"({verdict.qualifier})"))),
        above_chance_from=NONE if verdict.reliable_from is None else size(verdict.reliable_from),
        change=NONE if change is None else f"{change:+.3f}",
        q=NONE if q is None else probability(q).removeprefix("= "),
        largest_step=f"{jump.share:.0%}" if verdict.threshold is not None and jump else NONE,
        why=" ".join(verdict.reasons),
    )
