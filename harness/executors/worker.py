"""What is done with lanes, wherever they run: open a lane's model once, answer its jobs one by one, close."""

from __future__ import annotations

import logging
import time

from harness.engines.protocol import Engine, EngineSettings, attempt, failure, open_engine
from harness.records import CellFailure, Outcome
from harness.schedule import Lane

log = logging.getLogger(__name__)


class LaneWorker:
    """One lane after the other with its loaded model. The inline executor calls it, Ray makes an actor of it."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._lane: Lane | None = None
        self._engine: Engine | None = None

    def open(self, lane: Lane) -> tuple[CellFailure, ...]:
        """Load the model of `lane`: nothing when it is ready, otherwise one failure per job of the lane."""
        self._lane = lane
        started = time.perf_counter()
        try:
            self._engine = open_engine(lane.engine, lane.model, self._settings)
        except Exception as error:  # as broad as `attempt`: a model that does not load must not end the run
            return tuple(failure(job.cell, error) for job in lane.jobs)
        log.info("%s is ready after %.1f s", lane.model.name, time.perf_counter() - started)
        return ()

    def answer(self, index: int) -> Outcome:
        """The outcome of the lane's job number `index`."""
        assert self._lane is not None, "open() first"
        assert self._engine is not None, "the model was not loaded"
        job = self._lane.jobs[index]
        started = time.perf_counter()
        outcome = attempt(self._engine, job.cell, job.task)
        log.info("%s took %.1f s", job.cell.label, time.perf_counter() - started)
        return outcome

    def close(self) -> None:
        """Free the model."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
