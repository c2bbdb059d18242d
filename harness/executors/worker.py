"""The work of every executor on a lane: load its model once, answer its jobs one by one, free the model."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace

from harness.engines.energy import meter
from harness.engines.protocol import Engine, EngineSettings, attempt, failure, open_engine, refusals
from harness.errors import HarnessError
from harness.records import CellFailure, CellResult, Outcome
from harness.schedule import Lane
from harness.wording import duration

log = logging.getLogger(__name__)


class LaneWorker:
    """Answers one lane after the other. The inline executor calls it, the Ray executor makes an actor of it."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._lane: Lane | None = None
        self._engine: Engine | None = None
        self._refused: Mapping[int, HarnessError] = {}
        self._meter = meter(settings.device) if settings.energy else None

    def open(self, lane: Lane) -> tuple[CellFailure, ...]:
        """Load the model of a lane; if that fails, or no job needs it, return a failure for each job of the lane."""
        self._lane = lane
        started = time.perf_counter()
        try:
            self._refused = refusals(lane, self._settings)
            if len(self._refused) == len(lane.jobs):
                return tuple(failure(job.cell, self._refused[i]) for i, job in enumerate(lane.jobs))
            self._engine = open_engine(lane.engine, lane.model, self._settings)
        except Exception as error:  # as broad as `attempt`: a model that does not load must not end the run
            return tuple(failure(job.cell, error) for job in lane.jobs)
        log.info("%s is ready after %s", lane.model.name, duration(time.perf_counter() - started))
        return ()

    def answer(self, index: int) -> Outcome:
        """Answer the job number `index` of the lane."""
        assert self._lane is not None, "open() first"
        assert self._engine is not None, "the model was not loaded"
        job = self._lane.jobs[index]
        if index in self._refused:
            return failure(job.cell, self._refused[index])
        if self._meter is not None:
            self._meter.start()
        started = time.perf_counter()
        try:
            outcome = attempt(self._engine, job.cell, job.task)
        finally:  # also on Ctrl-C: a meter left running would count on into the next cell
            energy_wh = None if self._meter is None else self._meter.stop()
        log.info("%s took %s", job.cell.label, duration(time.perf_counter() - started))
        if energy_wh is None or not isinstance(outcome, CellResult):
            return outcome
        return replace(outcome, provenance=replace(outcome.provenance, energy_wh=energy_wh))

    def close(self) -> None:
        """Free the model."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
