"""Runs lanes in this process, one after the other: for debugging, one GPU, and machines without Ray."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from harness.engines.protocol import CellPart, EngineSettings
from harness.executors.protocol import ExecutorSettings
from harness.executors.signals import ended_by_sigterm
from harness.executors.worker import LaneWorker
from harness.records import Outcome
from harness.schedule import Lane


class InlineExecutor:
    """One model at a time in this process, however many workers the settings allow."""

    def __init__(self, settings: ExecutorSettings) -> None:
        del settings  # neither the number of workers nor an address applies here
        self.loading: tuple[str, ...] = ()

    def run(self, lanes: Sequence[Lane], settings: EngineSettings) -> Generator[Outcome, None, None]:
        """One outcome per job, in the order of the lanes. A crash of the process ends the run, unlike on Ray."""
        with ended_by_sigterm():
            for lane in lanes:
                worker = LaneWorker(settings)
                self.loading = (lane.model.name,)
                try:
                    failures = worker.open(lane)
                    self.loading = ()
                    yield from failures
                    for index in range(0 if failures else len(lane.jobs)):
                        answered = worker.answer(index)
                        assert not isinstance(answered, CellPart)
                        yield answered
                finally:
                    worker.close()
