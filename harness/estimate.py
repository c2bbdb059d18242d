"""What a cell will cost, before it runs: requests, tokens, seconds. Pure, and rough on purpose."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.plan import Cell, RunPlan
from harness.records import CellResult
from harness.schedule import Need, Node, bound, lanes, needs, simulate, weight_bytes
from harness.specs import TaskSpec
from harness.treatments import ClassifierHead, Distill, TaskTraining, method_from

CHARS_PER_TOKEN = 4.0
"""English under a common BPE; documents are counted with their JSON keys, so this errs on the high side."""
OPTIONS_GUESS = 4
"""Answer options of a multiple-choice task whose config does not list them."""
DOCUMENTS_GUESS, CHARS_GUESS = 1000, 500.0
"""Documents of a task of which nothing is known here, and the length of one."""


LoadTime = Callable[[Cell], float]
"""Tells the worker seconds until the model of a cell is loaded."""


class Speed(NamedTuple):
    """Speed that is assumed for an engine until cells have been measured."""

    seconds_per_request: float
    """Fixed time of a request, its arithmetic not included."""
    flops_per_second: float
    """Sustained arithmetic of one CPU core in fp32."""
    loads: bool = True
    """False for an engine without a model: nothing is imported or loaded."""


SPEEDS = {
    "tree": Speed(0.0003, 6e10),
    "server": Speed(0.02, 1e13, loads=False),
    "simulated": Speed(0.002, 2e10, loads=False),
}
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
STEP_SECONDS = 0.02
"""Fixed time of a step of training, its arithmetic not included."""
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


def cost_of(cell: Cell, task: TaskSpec, *, pace: float = 1.0, gpus: float | None = None) -> CostEstimate | None:
    """Cost of one cell; None when only the hub knows how many documents the task has.

    Args:
        cell: the cell.
        task: its task.
        pace: measured over estimated seconds of cells that are done, from `measured_pace`.
        gpus: GPUs that its model is loaded on; None for what its family file says.
    """
    n_docs = task.expected_docs
    if n_docs is None:
        return None
    docs = len(cell.positions(n_docs))
    requests = docs * _requests_per_document(task)
    length = CHARS_GUESS if task.n_docs is None and task.mean_doc_chars is None else task.mean_doc_chars or 0.0
    document = length / CHARS_PER_TOKEN
    # documents that bring their examples along are counted with them already
    shots = cell.shots if task.demonstrations == "pool" else 0
    tokens = requests * (1 + shots) * document
    # on trees the examples are read once per cell, and a document once for all its requests
    read = (docs + shots) * document if cell.engine == "tree" else tokens
    speed = _speed(cell)
    on = cell.model.gpus if gpus is None else gpus
    # several GPUs hold the layers of a model in turn, and so are no faster than one
    rate = GPU_FLOPS_PER_SECOND if on else speed.flops_per_second
    arithmetic = 2.0 * (cell.model.params_active or cell.model.params) * read / rate
    own = CELL_SECONDS if speed.loads else 0.0
    seconds = pace * (own + requests * speed.seconds_per_request + arithmetic) + _training_seconds(cell, document, rate)
    return CostEstimate(requests=requests, tokens=tokens, seconds=seconds)


def _training_seconds(cell: Cell, document: float, rate: float) -> float:
    """Time to train the model of a cell on its task: 6 floating-point operations for each parameter and token.

    Each cell counts it, although those of one task share a training that is made once.
    """
    if not cell.model.tuned or cell.model.treatment is None:
        return 0.0
    how = method_from(cell.model.treatment)
    assert isinstance(how, TaskTraining)
    documents = how.documents or DOCUMENTS_GUESS
    steps = how.steps_for(documents)
    # a classifier learns from states for which each document is read once
    seen, operations = (documents, 2.0) if isinstance(how, ClassifierHead) else (steps * how.batch, 6.0)
    read = seen * max(document, 1.0)
    arithmetic = operations * (cell.model.params_active or cell.model.params)
    if isinstance(how, Distill):
        arithmetic += 2.0 * (how.teacher_params or 0)
    return steps * STEP_SECONDS + arithmetic * read / rate


def seconds_of(cell: Cell, task: TaskSpec, *, pace: float = 1.0, gpus: float | None = None) -> float:
    """Worker seconds of one cell; a task whose size only the hub knows counts as one of `DOCUMENTS_GUESS` documents."""
    known = (
        task if task.expected_docs is not None else replace(task, n_docs=DOCUMENTS_GUESS, mean_doc_chars=CHARS_GUESS)
    )
    cost = cost_of(cell, known, pace=pace, gpus=gpus)
    assert cost is not None
    return cost.seconds


def load_seconds(cell: Cell) -> float:
    """Worker seconds until the model of a cell is loaded."""
    if not _speed(cell).loads:
        return 0.0
    return OPEN_SECONDS + weight_bytes(cell.model) / LOAD_BYTES_PER_SECOND


def measured_loading(results: Iterable[CellResult]) -> LoadTime:
    """What tells the time to load a cell's model, from done cells of the same folder.

    A model that was loaded before takes the median of its times. Others are corrected by what those of the same engine
    took over their estimate: disks, networks and the import of packages differ from machine to machine.
    """
    times: defaultdict[tuple[str | None, ...], list[float]] = defaultdict(list)
    ratios: defaultdict[str, list[float]] = defaultdict(list)
    for result in results:
        took, guess = result.provenance.load_seconds, load_seconds(result.cell)
        if took is not None and guess > 0:
            times[_weights(result.cell)].append(took)
            ratios[result.cell.engine].append(took / guess)
    known = {weights: statistics.median(seconds) for weights, seconds in times.items()}
    ratio = {engine: statistics.median(of) for engine, of in ratios.items()}
    return lambda cell: known.get(_weights(cell), load_seconds(cell) * ratio.get(cell.engine, 1.0))


def _weights(cell: Cell) -> tuple[str | None, ...]:
    """What must be the same for a model to take as long to load."""
    model = cell.model
    return cell.engine, model.name, model.revision, model.variant, model.dtype


def opening_seconds(cells: Iterable[Cell], loading: LoadTime = load_seconds) -> float:
    """Worker seconds until the models of these cells are loaded, each once."""
    return math.fsum({(cell.model, cell.engine): loading(cell) for cell in cells}.values())


class RunTime(NamedTuple):
    """How long a run takes on given machines, by the schedule's own decisions."""

    seconds: float
    """From the command to its last line."""
    bound_seconds: float
    """Time that no schedule can beat: all work shared evenly, or the longest piece."""
    gpu_seconds: float
    """GPUs, or parts of them, times the seconds that models lie on them."""
    loads: int
    """Number of times that a model is loaded."""
    parts: int
    """Number of parts that long cells are cut into."""


MOST_SIMULATED = 200_000
"""Cells of the largest plan whose schedule is simulated, in about a minute; a larger one takes its bound."""


def run_time(
    plan: RunPlan,
    nodes: Sequence[Node],
    *,
    workers: int | None = None,
    pace: float = 1.0,
    loading: LoadTime = load_seconds,
    cutting: Collection[str] = (),
) -> RunTime:
    """How long the cells of a plan take on these machines.

    Args:
        plan: what is to be evaluated.
        nodes: the machines.
        workers: most models loaded at once; None for as many as the machines hold.
        pace: as of `cost_of`.
        loading: tells the time to load a cell's model, from `measured_loading`.
        cutting: engines that can answer parts of a cell.

    Raises:
        MachineError: no node can hold a model.
    """
    if not plan.cells:
        return RunTime(0.0, 0.0, 0.0, 0, 0)
    wanted = {cell.model: _need(cell, nodes) for cell in plan.cells}
    made = lanes(
        plan,
        seconds=lambda cell, task: seconds_of(cell, task, pace=pace, gpus=wanted[cell.model].gpus),
        load_seconds=loading,
        cutting=cutting,
    )
    takes = [wanted[lane.model] for lane in made]
    start = START_SECONDS if any(_speed(cell).loads for cell in plan.cells) else 0.0
    least = bound(made, takes, nodes, workers=workers)
    if len(plan.cells) > MOST_SIMULATED:
        shared = math.fsum(
            (lane.load_seconds + lane.seconds) * take.gpus for lane, take in zip(made, takes, strict=True)
        )
        return RunTime(start + least, start + least, shared, len(made), 0)
    run = simulate(made, takes, nodes, workers=workers)
    return RunTime(start + run.seconds, start + least, run.gpu_seconds, run.loads, run.parts)


def _need(cell: Cell, nodes: Sequence[Node]) -> Need:
    return needs(cell.model, nodes) if _speed(cell).loads else Need()


def measured_pace(
    results: Iterable[CellResult], tasks: Mapping[str, TaskSpec], engines: Collection[str]
) -> float | None:
    """Median of measured over estimated seconds among done cells of these engines; None when there are none."""
    ratios = []
    for result in results:
        cell = result.cell
        # the estimate of a tuned one has its training, which the time of the cell has not
        if cell.engine not in engines or cell.task not in tasks or cell.model.tuned:
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
    if task.config.get("output_type") != "multiple_choice" and "output_type" in task.config:
        return 1
    choices = task.config.get("doc_to_choice")
    return len(choices) if isinstance(choices, list) else OPTIONS_GUESS
