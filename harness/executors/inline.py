"""Runs lanes in this process, one after the other: for debugging, one GPU, and machines without Ray."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence

from harness.engines import pulse
from harness.engines.protocol import CellPart, EngineSettings
from harness.executors.protocol import ExecutorSettings
from harness.executors.sharing import Sharing
from harness.executors.signals import ended_by_sigterm
from harness.executors.worker import LaneWorker
from harness.records import Outcome
from harness.schedule import Lane

_TAKEN_SECONDS = 1.0
"""Time between two looks at cells that other runs are at, when nothing else is left."""


class InlineExecutor:
    """One model at a time in this process, however many workers the settings allow."""

    def __init__(self, settings: ExecutorSettings) -> None:
        self._sharing = Sharing(settings.lease)  # neither the number of workers nor an address applies here
        self.loading: tuple[str, ...] = ()
        self.elsewhere = 0
        """Number of jobs that other runs have answered."""
        self._answering: str | None = None
        self._ahead = 0.0
        self._guessed = self._measured = 0.0

    @property
    def doing(self) -> tuple[str, ...]:
        """What is done before a cell is answered, with its name, such as a training and how far it is."""
        cell, what = self._answering, pulse.pulse().doing
        return (f"{cell}: {what}",) if cell is not None and what else ()

    @property
    def seconds_left(self) -> float:
        """Estimated time until all jobs are answered, corrected by the ones that are."""
        return self._ahead * (60.0 + self._measured) / (60.0 + self._guessed)

    def run(self, lanes: Sequence[Lane], settings: EngineSettings) -> Generator[Outcome, None, None]:
        """One outcome per job, in the order of the lanes. A crash of the process ends the run, unlike on Ray."""
        self._ahead = sum(lane.seconds for lane in lanes)
        worker = LaneWorker(settings)
        with ended_by_sigterm():
            for lane in lanes:
                ends = self._ahead - lane.seconds
                self.loading = (lane.model.name,)
                try:
                    failures = worker.open(lane)
                    self.loading = ()
                    yield from failures
                    for index in () if failures else self._taken(lane):
                        started = time.monotonic()
                        self._answering = lane.jobs[index].cell.label
                        answered = worker.answer(index)
                        self._answering = None
                        assert not isinstance(answered, CellPart)
                        self._count(lane.jobs[index].seconds, time.monotonic() - started)
                        yield answered
                    self._ahead = ends
                finally:
                    self._answering = None
                    worker.close()

    def _count(self, guessed: float, measured: float) -> None:
        self._ahead = max(0.0, self._ahead - guessed)
        self._guessed += guessed
        self._measured += measured

    def _taken(self, lane: Lane) -> Iterator[int]:
        """Jobs that no other run answers, each once it is taken; those that one is at come last."""
        waiting = deque(range(len(lane.jobs)))
        refused = 0
        while waiting:
            index = waiting.popleft()
            match self._sharing.take(lane.jobs[index].cell):
                case "mine":
                    refused = 0
                    yield index
                case "done":
                    self.elsewhere += 1
                case "taken":
                    waiting.append(index)
                    refused += 1
                    if refused >= len(waiting):
                        time.sleep(_TAKEN_SECONDS)
                        refused = 0
