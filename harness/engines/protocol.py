"""The protocol of engines, and the one place where any error in a cell is turned into a recorded failure."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from harness.errors import HarnessError, document_of, unknown
from harness.lazy import import_large
from harness.plan import Cell
from harness.records import CellFailure, CellResult, Outcome, Provenance, implausible
from harness.schedule import Lane
from harness.specs import ModelSpec, TaskSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """How models run. Nothing here may change a score, except `truncation`, whose effect is recorded."""

    device: str = "auto"
    """torch device; `auto` takes the GPU assigned to the worker, else the CPU."""
    batch_size: int = 32
    """Requests per forward pass of lm-eval's code; halved when memory runs out."""
    token_budget: int | None = None
    """Tokens per forward pass of the tree engine; halved when memory runs out. None: 2048 on a CPU, 16384 on a GPU."""
    deterministic: bool = False
    """Make scores bitwise independent of what else is in a document's batch; slower."""
    threads: int | None = 1
    """CPU threads of one worker; None leaves torch's default."""
    trust_remote_code: bool = False
    """Run Python files that come with a model and define its layers or how it generates text."""
    allow_tokenizer_code: bool = False
    """Run Python files that come with a model's tokenizer."""
    allow_pickle: bool = False
    """Read weights that are not in safetensors but in pickles, which can run code."""
    allow_code: bool = False
    """Run Python files that come with a task (see `harness.catalog.tasks.code`)."""
    confirm_run_unsafe_code: bool = False
    """The user agreed that programs which a model wrote are executed, in a sandbox."""
    allow_unfenced: bool = False
    """The user agreed that they are executed even where nothing keeps them from the user's files and the network."""
    truncation: Literal["refuse", "allow"] = "refuse"
    """`refuse` fails a cell whose prompts do not fit the context; `allow` cuts and counts them."""
    variants: str | None = None
    """Absolute path of the folder where trained variants are kept; None to train for each loaded model alone."""
    energy: bool = False
    """Measure the energy of each cell, for its provenance."""
    base_url: str | None = None
    """Address of the server that the engine `server` asks, up to its version; None for the other engines."""
    api_key_env: str | None = None
    """Variable of the environment with the server's key; None for OPENAI_API_KEY, and no key where that is not set."""
    concurrency: int = 8
    """Requests to the server under way at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CellPart:
    """A model's responses to some documents of a cell, from which another worker computes the scores of all."""

    documents: range
    """Positions of the documents."""
    responses: tuple[Any, ...]
    """What the model said to each request of each document; only the engine reads it."""
    started_at: datetime
    """When it was begun (UTC)."""
    seconds: float
    """Time that it took."""
    fallback: str | None = None
    """Why lm-eval's own code answered some of the requests; None when it answered none."""
    energy_wh: float | None = None
    """Energy in watt hours; None when not measured."""
    energy_measured_wh: float | None = None
    """Part of it that counters gave; None when not measured."""


class Engine(Protocol):
    """One loaded model that answers cells. It is opened at the start of a lane and closed at its end."""

    def evaluate(self, cell: Cell, task: TaskSpec) -> CellResult:
        """Answer every document of the cell. Any exception means the cell failed."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


class CuttingEngine(Engine, Protocol):
    """An engine that can answer parts of a cell: those in `CUTTING`."""

    def answer_part(self, cell: Cell, task: TaskSpec, documents: range) -> CellPart:
        """Answer some documents of the cell, whole blocks of them."""
        ...

    def join_parts(self, cell: Cell, task: TaskSpec, parts: Sequence[CellPart]) -> CellResult:
        """The result of the cell from parts that cover all of its documents."""
        ...


ENGINES: dict[str, str] = {
    "tree": "harness.engines.tree.lm:TreeEngine",
    "lm-eval": "harness.engines.lm_eval_engine:LmEvalEngine",
    "seq2seq": "harness.engines.seq2seq:Seq2SeqEngine",
    "encoder": "harness.engines.encoder.engine:EncoderEngine",
    "vllm": "harness.engines.vllm_lm:VllmEngine",
    "server": "harness.engines.server.lm:ServerEngine",
    "simulated": "harness.engines.simulated:SimulatedEngine",
}
"""Engine name -> `module:class`; imported when opened, so that listing them costs nothing."""

CUTTING = frozenset({"tree", "lm-eval", "seq2seq", "encoder", "simulated"})
"""Engines that can answer parts of a cell, with scores equal in every byte to those of the cell in one go."""

WITHOUT_MODEL = frozenset({"server", "simulated"})
"""Engines that load no model, so that the model need not be on this machine."""

SERVED = frozenset({"server"})
"""Engines whose models have the names that a server gives them."""


def open_engine(name: str, model: ModelSpec, settings: EngineSettings, before: Engine | None = None) -> Engine:
    """Load a model in the engine called `name`.

    An engine that has a method `take_over` is given the closed engine of the model before, if that is of its kind.

    Args:
        name: name of the engine.
        model: the model.
        settings: how it runs.
        before: the engine of the model before, which is closed; None for the first.

    Raises:
        HarnessError: the engine is not known, or the model cannot be read.
    """
    engine: Engine = _engine_class(name)(model, settings)
    if type(before) is type(engine) and (take_over := getattr(engine, "take_over", None)) is not None:
        take_over(before)
    return engine


def refusals(lane: Lane, settings: EngineSettings) -> Mapping[int, HarnessError]:
    """Jobs of a lane that its engine can refuse before the model's weights are loaded, by their positions.

    An engine that can do so has a function `refusals` with the same arguments.
    """
    look = getattr(_engine_class(lane.engine), "refusals", None)
    found: Mapping[int, HarnessError] = {} if look is None else look(lane, settings)
    return found


def _engine_class(name: str) -> Any:
    if name not in ENGINES:
        raise HarnessError(unknown("engine", name, ENGINES))
    module, attribute = ENGINES[name].split(":")
    return getattr(import_large(module), attribute)


def attempt(engine: Engine, cell: Cell, task: TaskSpec) -> Outcome:
    """Evaluate one cell; any error becomes a failure of this cell alone."""
    try:
        result = engine.evaluate(cell, task)
        if problem := implausible(result):
            raise HarnessError(f"task {task.name}: {problem}")
        return result
    except Exception as error:  # the one broad except: a failing cell must not end a run
        return failure(cell, error)


def attempt_part(engine: CuttingEngine, cell: Cell, task: TaskSpec, documents: range) -> CellPart | CellFailure:
    """Answer some documents of a cell; any error becomes a failure of the cell."""
    try:
        return engine.answer_part(cell, task, documents)
    except Exception as error:  # as broad as `attempt`
        return failure(cell, error)


def attempt_join(engine: CuttingEngine, cell: Cell, task: TaskSpec, parts: Sequence[CellPart]) -> Outcome:
    """The result of a cell from its parts; any error becomes a failure of the cell."""
    try:
        ordered = sorted(parts, key=lambda part: part.documents.start)
        result = engine.join_parts(cell, task, ordered)
        if problem := implausible(result):
            raise HarnessError(f"task {task.name}: {problem}")
        return replace(result, provenance=_joined(result.provenance, ordered))
    except Exception as error:  # as broad as `attempt`
        return failure(cell, error)


def _joined(last: Provenance, parts: Sequence[CellPart]) -> Provenance:
    """The provenance of a cell whose parts several workers answered: their times and energies added up."""
    energies = [part.energy_wh for part in parts if part.energy_wh is not None]
    measured = [part.energy_measured_wh for part in parts if part.energy_measured_wh is not None]
    return replace(
        last,
        started_at=min(part.started_at for part in parts),
        seconds=last.seconds + sum(part.seconds for part in parts),
        fallback=next((part.fallback for part in parts if part.fallback), None),
        energy_wh=sum(energies) if len(energies) == len(parts) else None,
        energy_measured_wh=sum(measured) if len(measured) == len(parts) else None,
    )


def failure(cell: Cell, error: Exception) -> CellFailure:
    """The failure of a cell with this error and its traceback."""
    lines = str(error).strip().splitlines()
    return CellFailure(
        cell=cell,
        error=type(error).__name__,
        message=lines[0] if lines else type(error).__name__,
        traceback="".join(traceback.format_exception(error)),
        doc_id=document_of(error),
        option=getattr(error, "option", None),
        failed_at=datetime.now(UTC),
        node=socket.gethostname(),
        pid=os.getpid(),
    )
