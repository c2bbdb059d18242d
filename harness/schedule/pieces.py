"""Which cells are answered by one loaded model, and the pieces of work that they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from harness.plan import Cell, RunPlan
from harness.plan.generation import asked_generation
from harness.specs import ModelSpec, TaskSpec

BLOCK = 256
"""Documents that an engine answers at a time. A cell with more is answered block by block also when one worker answers
all of it, so that its scores do not depend on how many workers shared it."""
ALL_LATER = 2**31
"""End of the documents of a last part, where the number of documents is only known from the page of a data set."""
_DOCUMENTS_GUESS = 1000
"""Documents of a task whose number only the hub knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A cell with the task it needs."""

    cell: Cell
    """The cell to evaluate."""
    task: TaskSpec
    """Its task."""
    seconds: float = 1.0
    """Estimated time on one worker."""

    @property
    def documents(self) -> int | None:
        """Number of documents that are asked, as their page says where they are not here; None where that is silent."""
        return self.cell.n_asked(self.task.expected_docs)

    @property
    def blocks(self) -> int:
        """Number of blocks that it can be cut into; 1 for a cell that one worker has to answer."""
        # answers drawn by chance may depend on the answers drawn before them; chosen documents are few
        if self.documents is None or self.cell.docs is not None or self._is_drawn:
            return 1
        return max(1, math.ceil(self.documents / BLOCK))

    def documents_of(self, piece: Piece) -> range | None:
        """Positions of the documents of a part of it; None for a piece that is no part.

        The last part has all that are left, as a data set may have grown since its page was written.
        """
        if piece.documents is None or self.task.n_docs is not None or piece.documents.stop < self.blocks * BLOCK:
            return piece.documents
        return range(piece.documents.start, ALL_LATER)

    @property
    def _is_drawn(self) -> bool:
        return self.task.draws(self.cell.prompt, asked_generation(self.cell.generation))


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """Cells that one loaded model answers. Several workers may load the model and share them."""

    model: ModelSpec
    """The model, which each worker loads once for all jobs it gets."""
    engine: str
    """Name of the engine that loads it."""
    jobs: tuple[Job, ...]
    """The cells in the order in which a single worker runs them."""
    load_seconds: float = 0.0
    """Estimated time until a worker has loaded the model; infinite to load it once."""
    may_cut: bool = False
    """True when several workers can answer parts of one cell."""

    @property
    def seconds(self) -> float:
        """Estimated time of all jobs together on one worker."""
        return math.fsum(job.seconds for job in self.jobs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """What one worker does in one go: a whole cell, some blocks of its documents, or the joining of such parts."""

    lane: int
    """Position of the lane."""
    job: int
    """Position of the job in the lane."""
    task: str
    """Name of the job's task, whose documents the worker has at hand afterwards."""
    seconds: float
    """Estimated time."""
    blocks: range | None = None
    """Blocks of documents; None for the whole cell, or for joining."""
    joins: bool = False
    """True when the answers to all blocks are there, and are to be scored."""

    @property
    def documents(self) -> range | None:
        """Positions of the documents; the last block may be shorter. None for a piece that is no part."""
        return None if self.blocks is None else range(self.blocks.start * BLOCK, self.blocks.stop * BLOCK)

    def cut(self, blocks: int, of: int) -> tuple[Piece, Piece]:
        """A first part of so many blocks, and the rest.

        Args:
            blocks: blocks of the first part, fewer than the piece has.
            of: blocks of the whole cell.
        """
        mine = self.blocks or range(of)
        first, rest = mine[:blocks], mine[blocks:]
        each = self.seconds / len(mine)
        return (
            replace(self, blocks=first, seconds=each * len(first)),
            replace(self, blocks=rest, seconds=each * len(rest)),
        )


def lanes(
    plan: RunPlan,
    *,
    seconds: Callable[[Cell, TaskSpec], float] | None = None,
    load_seconds: Callable[[Cell], float] | None = None,
    cutting: Collection[str] = (),
) -> tuple[Lane, ...]:
    """One lane per loaded model, the most expensive first so that it does not run alone at the end.

    Cells of one task stay together: its documents are read and its prompts built once per worker.

    Args:
        plan: the cells.
        seconds: estimated time of a cell on one worker; None for times that are right in proportion only.
        load_seconds: estimated time to load a cell's model; None to load each model once.
        cutting: engines that can answer parts of a cell.
    """
    cost = seconds or _proportional
    grouped: dict[tuple[ModelSpec, str], list[Cell]] = {}
    for cell in plan.cells:
        grouped.setdefault((cell.model, cell.engine), []).append(cell)
    unordered = [
        Lane(
            model=model,
            engine=engine,
            jobs=tuple(
                Job(cell=c, task=plan.tasks[c.task], seconds=cost(c, plan.tasks[c.task]))
                for c in sorted(cells, key=lambda c: (c.suite, c.task, c.prompt, c.shots, c.seed))
            ),
            load_seconds=load_seconds(cells[0]) if load_seconds else math.inf,
            # of several workers one would train, and the others wait for it
            may_cut=engine in cutting and not model.tuned,
        )
        for (model, engine), cells in grouped.items()
    ]
    return tuple(sorted(unordered, key=lambda lane: -lane.seconds))


def _proportional(cell: Cell, task: TaskSpec) -> float:
    """Relative time of a cell: its model's size, the length of its prompts and their number."""
    asked = len(cell.positions(task.n_docs or _DOCUMENTS_GUESS))
    return 1e-9 * cell.model.params * (1 + cell.shots) * asked
