"""What is done with a lane, wherever it runs: open its model once, answer its jobs one by one, close."""

from __future__ import annotations

from harness.engines.protocol import Engine, EngineSettings, attempt, failure, open_engine
from harness.records import CellFailure, Outcome
from harness.schedule import Lane


class LaneWorker:
    """One lane and its loaded model. The inline executor calls it, Ray makes an actor of it."""

    def __init__(self, lane: Lane, settings: EngineSettings) -> None:
        self._lane = lane
        self._settings = settings
        self._engine: Engine | None = None

    def open(self) -> tuple[CellFailure, ...]:
        """Load the model: nothing when it is ready, otherwise one failure per job of the lane."""
        try:
            self._engine = open_engine(self._lane.engine, self._lane.model, self._settings)
        except Exception as error:  # as broad as `attempt`: a model that does not load must not end the run
            return tuple(failure(job.cell, error) for job in self._lane.jobs)
        return ()

    def answer(self, index: int) -> Outcome:
        """The outcome of the lane's job number `index`."""
        assert self._engine is not None, "open() first"
        job = self._lane.jobs[index]
        return attempt(self._engine, job.cell, job.task)

    def close(self) -> None:
        """Free the model."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
