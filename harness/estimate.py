"""What a cell will cost, before it runs: requests, tokens, seconds. Pure, and rough on purpose."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.plan import Cell
from harness.records import CellResult
from harness.specs import TaskSpec

CHARS_PER_TOKEN = 4.0
"""English under a common BPE; documents are counted with their JSON keys, so this errs on the high side."""
OPTIONS_GUESS = 4
"""Answer options of a multiple-choice task whose config does not list them."""


class Speed(NamedTuple):
    """Speed that is assumed for an engine until cells have been measured."""

    seconds_per_request: float
    """Fixed time of a request, its arithmetic not included."""
    flops_per_second: float
    """Sustained arithmetic of one CPU core in fp32."""
    loads: bool = True
    """False for an engine without a model: nothing is imported or loaded."""


SPEEDS = {"tree": Speed(0.0003, 6e10), "simulated": Speed(0.002, 2e10, loads=False)}
"""Engine name -> speed."""
OTHER_SPEED = Speed(0.002, 2e10)
"""Speed of every other engine."""
GPU_FLOPS_PER_SECOND = 2e13
"""Sustained arithmetic of one data-centre GPU in half precision."""
START_SECONDS = 10.0
"""Start of Ray and a worker's import of torch and transformers, on idle cores."""
OPEN_SECONDS = 1.5
"""Loading of any model, beside the reading of its weights: its tokenizer, and a trial of the engine."""
LOAD_BYTES_PER_SECOND = 5e8
"""Reading of weights from a disk."""
CELL_SECONDS = 0.2
"""Building of a cell's prompts and writing of its answers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CostEstimate:
    """Cost of one cell, or of many added up."""

    requests: int = 0
    """Model calls: one per answer option, or each generation and the scoring of the reference answer."""
    tokens: float = 0.0
    """Prompt tokens of all requests, as if no request shared any with another."""
    seconds: float = 0.0
    """Worker seconds: divide by the workers for wall time."""

    def __add__(self, other: CostEstimate) -> CostEstimate:
        return CostEstimate(
            requests=self.requests + other.requests,
            tokens=self.tokens + other.tokens,
            seconds=self.seconds + other.seconds,
        )


def cost_of(cell: Cell, task: TaskSpec, *, pace: float = 1.0) -> CostEstimate | None:
    """Cost of one cell; None when only the hub knows how many documents the task has.

    Args:
        cell: the cell.
        task: its task.
        pace: measured over estimated seconds of cells that are done, from `measured_pace`.
    """
    if task.n_docs is None:
        return None
    docs = task.n_docs if cell.limit is None else min(task.n_docs, cell.limit)
    requests = docs * _requests_per_document(task)
    document = (task.mean_doc_chars or 0.0) / CHARS_PER_TOKEN
    # documents that bring their examples along are counted with them already
    shots = cell.shots if task.demonstrations == "pool" else 0
    tokens = requests * (1 + shots) * document
    # on trees the examples are read once per cell, and a document once for all its requests
    read = (docs + shots) * document if cell.engine == "tree" else tokens
    speed = _speed(cell)
    rate = GPU_FLOPS_PER_SECOND if cell.model.gpus else speed.flops_per_second
    arithmetic = 2.0 * (cell.model.params_active or cell.model.params) * read / rate
    own = CELL_SECONDS if speed.loads else 0.0
    seconds = pace * (own + requests * speed.seconds_per_request + arithmetic)
    return CostEstimate(requests=requests, tokens=tokens, seconds=seconds)


def opening_seconds(cells: Iterable[Cell]) -> float:
    """Worker seconds until the models of these cells are loaded, each once."""
    models = {(cell.model, cell.engine) for cell in cells if _speed(cell).loads}
    return math.fsum(OPEN_SECONDS + 4.0 * model.params / LOAD_BYTES_PER_SECOND for model, _ in models)


def wall_seconds(cells: Iterable[Cell], work: float, workers: int) -> float:
    """Time of a run from the command to its last line.

    Args:
        cells: what it evaluates.
        work: worker seconds of all cells.
        workers: models loaded at once.
    """
    todo = tuple(cells)
    lanes = {(cell.model, cell.engine) for cell in todo}
    start = START_SECONDS if any(_speed(cell).loads for cell in todo) else 0.0
    return start + (work + opening_seconds(todo)) / max(1, min(workers, len(lanes)))


def measured_pace(results: Iterable[CellResult], tasks: Mapping[str, TaskSpec], engine: str) -> float | None:
    """Median of measured over estimated seconds among done cells of the same engine; None when there are none."""
    ratios = []
    for result in results:
        cell = result.cell
        if cell.engine != engine or cell.task not in tasks:
            continue
        guess = cost_of(cell, tasks[cell.task])
        if guess and guess.seconds > 0:
            ratios.append(result.provenance.seconds / guess.seconds)
    return statistics.median(ratios) if ratios else None


def _speed(cell: Cell) -> Speed:
    return SPEEDS.get(cell.engine, OTHER_SPEED)


def _requests_per_document(task: TaskSpec) -> int:
    if task.generates:
        return int(task.config.get("repeats") or 1) + 1
    choices = task.config.get("doc_to_choice")
    return len(choices) if isinstance(choices, list) else OPTIONS_GUESS
