"""Which cells are answered by one loaded model, and in what order. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from harness.plan import Cell, RunPlan
from harness.specs import ModelSpec, TaskSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A cell with the task it needs."""

    cell: Cell
    """The cell to evaluate."""
    task: TaskSpec
    """Its task."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """Cells that one worker answers with one loaded model."""

    model: ModelSpec
    """The model, which is loaded once for all jobs."""
    engine: str
    """Name of the engine that loads it."""
    jobs: tuple[Job, ...]
    """The cells in the order in which they run."""


def lanes(plan: RunPlan) -> tuple[Lane, ...]:
    """One lane per loaded model, the most expensive first so that it does not run alone at the end.

    Cells of one task stay together: its documents are read and its prompts built once per lane.
    """
    grouped: dict[tuple[ModelSpec, str], list[Cell]] = {}
    for cell in plan.cells:
        grouped.setdefault((cell.model, cell.engine), []).append(cell)
    unordered = [
        Lane(
            model=model,
            engine=engine,
            jobs=tuple(
                Job(cell=c, task=plan.tasks[c.task])
                for c in sorted(cells, key=lambda c: (c.suite, c.task, c.prompt, c.shots, c.seed))
            ),
        )
        for (model, engine), cells in grouped.items()
    ]
    return tuple(sorted(unordered, key=lambda lane: -lane.model.params * sum(_weight(job.cell) for job in lane.jobs)))


def _weight(cell: Cell) -> int:
    """Relative length of a cell's prompts: the question and its demonstrations."""
    return 1 + cell.shots
