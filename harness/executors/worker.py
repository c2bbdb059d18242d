"""The work of every executor on a lane: load its model once, answer its jobs one by one, free the model."""

from __future__ import annotations

import gc
import logging
import pickle
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from harness.engines import pulse
from harness.engines.energy import Reading, meter
from harness.engines.protocol import (
    ENGINES,
    CellPart,
    CuttingEngine,
    Engine,
    EngineSettings,
    attempt,
    attempt_join,
    attempt_part,
    failure,
    open_engine,
    refusals,
)
from harness.errors import HarnessError
from harness.executors.child import ParentLine, ToParent
from harness.records import CellFailure, Outcome
from harness.schedule import ALL_LATER, Job, Lane
from harness.wording import duration

log = logging.getLogger(__name__)

_Done = TypeVar("_Done")

_POISONED = re.compile(r"CUDA error|device-side assert|HIP error|CU(BLAS|DNN|SPARSE|SOLVER)_STATUS_(?!ALLOC_FAILED)")
"""What torch says when a GPU's context is broken: whatever the process asks of the GPU afterwards fails too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Duty:
    """What a model's process has to know before it loads a model."""

    settings: EngineSettings
    """How models run."""
    engines: Mapping[str, str]
    """The table of engines, as the process that leads the run has it."""
    level: int
    """Logging level of this package."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentOutcome:
    """One answered cell, as it travels: nobody on the way has to read it."""

    outcome: bytes
    """The outcome, or a part of a cell, pickled."""
    failed: bool
    """True when it is a failure."""
    is_part: bool = False
    """True when it is a part of a cell, which is to be joined with the others."""
    poisoned: bool = False
    """True when the process can answer no further cell, and another is to take its place."""
    batch_size: int | None = None
    """Batch size that fitted into memory; None when the engine has none."""
    token_budget: int | None = None
    """Tokens of a forward pass that fitted into memory; None when the engine has no such limit."""


class LaneWorker:
    """Answers one lane after the other. The inline executor calls it, the Ray executor makes an actor of it."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._lane: Lane | None = None
        self._engine: Engine | None = None
        self._before: Engine | None = None
        self._refused: Mapping[int, HarnessError] = {}
        self._load_seconds: float | None = None
        self._load_energy_wh: float | None = None
        self._meter = meter(settings.device) if settings.energy else None

    def open(self, lane: Lane) -> tuple[CellFailure, ...]:
        """Load the model of a lane; if that fails, or no job needs it, return a failure for each job of the lane."""
        self._lane = lane
        started = time.perf_counter()
        try:
            self._refused = refusals(lane, self._settings)
            if len(self._refused) == len(lane.jobs):
                return tuple(failure(job.cell, self._refused[i]) for i, job in enumerate(lane.jobs))
            self._engine, loading = self._metered(
                lambda: open_engine(lane.engine, lane.model, self._settings, self._before)
            )
            self._load_energy_wh = None if loading is None else loading.wh
        except Exception as error:  # as broad as `attempt`: a model that does not load must not end the run
            return tuple(failure(job.cell, error) for job in lane.jobs)
        self._load_seconds = time.perf_counter() - started
        log.info("%s is ready after %s", lane.model.name, duration(self._load_seconds))
        return ()

    def answer(self, index: int, documents: range | None = None) -> Outcome | CellPart:
        """Answer the job number `index` of the lane, or some of its documents."""
        job, engine = self._job(index)
        if index in self._refused:
            return failure(job.cell, self._refused[index])
        pulse.begin(_number(job, documents))
        started = time.perf_counter()

        def ask() -> Outcome | CellPart:
            if documents is None:
                return attempt(engine, job.cell, job.task)
            return attempt_part(cast(CuttingEngine, engine), job.cell, job.task, documents)

        back, energy = self._metered(ask)
        part = "" if documents is None else f", documents {_places(documents)},"
        log.info("%s%s took %s", job.cell.label, part, duration(time.perf_counter() - started))
        if isinstance(back, CellPart):
            return back if energy is None else replace(back, energy_wh=energy.wh, energy_measured_wh=energy.measured_wh)
        back = self._with_loading(back)
        if energy is None or isinstance(back, CellFailure):
            return back
        ran = replace(back.provenance, energy_wh=energy.wh, energy_measured_wh=energy.measured_wh)
        return replace(back, provenance=ran)

    def _metered(self, work: Callable[[], _Done]) -> tuple[_Done, Reading | None]:
        """What some work gives, and the energy that it took; None without a meter."""
        if self._meter is None:
            return work(), None
        self._meter.start()
        reading: Reading | None = None
        try:
            done = work()
        finally:  # also on Ctrl-C: a meter left running would count on into the next cell
            reading = self._meter.stop()
        return done, reading

    def join(self, index: int, parts: Sequence[CellPart]) -> Outcome:
        """The outcome of the job number `index` from the answers to all its documents."""
        job, engine = self._job(index)
        return self._with_loading(attempt_join(cast(CuttingEngine, engine), job.cell, job.task, parts))

    def _with_loading(self, outcome: Outcome) -> Outcome:
        """The outcome with the time and energy that the model took to load, from which later plans are made."""
        if isinstance(outcome, CellFailure):
            return outcome
        ran = replace(outcome.provenance, load_seconds=self._load_seconds, load_energy_wh=self._load_energy_wh)
        return replace(outcome, provenance=ran)

    def _job(self, index: int) -> tuple[Job, Engine]:
        assert self._lane is not None, "open() first"
        assert self._engine is not None, "the model was not loaded"
        return self._lane.jobs[index], self._engine

    def close(self) -> None:
        """Free the model."""
        if self._engine is not None:
            self._engine.close()
            self._before, self._engine = self._engine, None


def _number(job: Job, documents: range | None) -> int | None:
    """Number of documents that are asked; None where it is not known."""
    if documents is None:
        return job.documents
    return len(documents) if documents.stop < ALL_LATER else None


def _places(documents: range) -> str:
    return f"{documents.start + 1} to {documents.stop if documents.stop < ALL_LATER else 'the last'}"


def serve(line: ParentLine) -> None:
    """The life of a model's process: it loads what it is sent, answers, and ends when its keeper hangs up."""
    worker: LaneWorker | None = None
    line.beat(pulse.pulse)
    for what, arguments in line.requests():
        match what:
            case "begin":
                worker = _begin(line, *arguments)
                line.send("answer")
            case "open":
                assert worker is not None, "begin first"
                line.send("answer", worker.open(*arguments))
            case "answer":
                assert worker is not None, "begin first"
                line.send("answer", travelling(worker.answer(*arguments)))
            case "join":
                assert worker is not None, "begin first"
                index, parts = arguments
                line.send("answer", travelling(worker.join(index, [pickle.loads(part) for part in parts])))
            case "close":
                assert worker is not None, "begin first"
                worker.close()
                # what outlives a model, libraries and prompts, is not looked through again for each of the next ones
                gc.freeze()
                line.send("answer")


def _begin(line: ParentLine, duty: Duty) -> LaneWorker:
    ENGINES.update(duty.engines)
    logging.getLogger("harness").setLevel(duty.level)
    logging.getLogger("harness").addHandler(ToParent(line))
    return LaneWorker(duty.settings)


def travelling(outcome: Outcome | CellPart) -> SentOutcome:
    """The outcome on its way; one that cannot be sent is a failure of its cell."""
    if isinstance(outcome, CellPart):
        return SentOutcome(outcome=pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL), failed=False, is_part=True)
    if isinstance(outcome, CellFailure):
        poisoned = bool(_POISONED.search(f"{outcome.error}: {outcome.message}"))
        return SentOutcome(outcome=pickle.dumps(outcome), failed=True, poisoned=poisoned)
    try:
        sent = pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError) as error:
        return travelling(failure(outcome.cell, error))
    made = outcome.provenance
    return SentOutcome(outcome=sent, failed=False, batch_size=made.batch_size, token_budget=made.token_budget)
