"""Everything that is concluded from one look at the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.analysis.curves import Compared, Curve, OthersResults, Scale, curves_of, measured_results, with_others
from harness.analysis.stats import Resolution
from harness.analysis.verdict.judging import judge
from harness.analysis.verdict.types import Judged
from harness.plan import Cell
from harness.records import CellFailure, CellResult
from harness.store import DocumentScores, Problem


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
    judged: tuple[Judged, ...]
    """The curves of headline metrics with their verdicts, all judged together."""
    scale: Scale
    """The x axis of the curves."""
    by_document: bool = False
    """True when the scores of single documents were weighed, and not those of cells alone."""

    compared: tuple[Compared, ...] = ()
    """What became of results of others with which these are compared; what joins is in `curves` and `judged`."""

    @property
    def families(self) -> tuple[str, ...]:
        """Families with at least one judged curve, by name."""
        return tuple(sorted({row.curve.family for row in self.judged}))

    def of(self, family: str, task: str | None = None) -> tuple[Judged, ...]:
        """The judged curves of one family, or of one of its tasks."""
        return tuple(row for row in self.judged if row.curve.family == family and task in {None, row.curve.task})


def study(
    results: Iterable[CellResult],
    failures: Iterable[CellFailure] = (),
    problems: Iterable[Problem] = (),
    *,
    scale: Scale = "params",
    items: Callable[[Cell], DocumentScores | None] | None = None,
    others: Iterable[OthersResults] = (),
) -> Study:
    """Draw up and judge every curve that the results hold.

    Args:
        results: in any order; headers are enough.
        failures: cells without a result.
        problems: result files that were skipped.
        scale: the x axis.
        items: gives the scores of a cell's documents, see `curves`; None judges by the scores of cells alone.
        others: results of others; what is comparable is judged with one's own, the rest is in `Study.compared`.
    """
    done, failed = tuple(results), tuple(failures)
    joined = with_others(measured_results(done, failed, items=items), others, scale=scale)
    drawn_up = curves_of(joined.measured, scale=scale)
    return Study(
        results=done,
        failures=failed,
        problems=tuple(problems),
        curves=drawn_up,
        judged=judge(drawn_up),
        scale=scale,
        by_document=items is not None,
        compared=joined.compared,
    )


def resolutions(judged: Iterable[Judged]) -> dict[str, Resolution]:
    """What the documents at the largest size of each task could show, by task; of several curves the finest."""
    found: dict[str, Resolution] = {}
    for row in judged:
        curve, mde = row.curve, row.verdict.evidence.mde
        known = found.get(curve.task)
        if known is None or (mde is not None and (known.mde is None or mde < known.mde)):
            found[curve.task] = Resolution(curve.n[-1], curve.metric.chance, mde, None)
    return found
