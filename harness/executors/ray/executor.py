"""The command's side of Ray: it starts the driver, shows what the driver says, and hands out its outcomes."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

from harness.engines.devices import why_no_gpu
from harness.engines.protocol import ENGINES, EngineSettings
from harness.errors import MachineError
from harness.executors.process import Process, ProcessEnd, ProcessEndedError
from harness.executors.protocol import ExecutorSettings
from harness.executors.ray.gpus import worker_gpus
from harness.records import CellResult, Outcome
from harness.runs import Workplace
from harness.schedule import Lane
from harness.wording import duration

log = logging.getLogger(__name__)

STARTS = (2.0, 5.0, 15.0)
"""Seconds before a private Ray that did not come up, or was lost, is started again."""
JOINS = (2.0,)
"""Seconds before a cluster is joined again, in case the driver alone was lost and not the cluster."""
_MOST_READ = 64
"""Messages of the driver that are read before the first of them is dealt with."""
_END_SECONDS = 20.0
"""Time that the driver has to end its workers and Ray."""


class RayExecutor:
    """As many models at the same time as there is room for, each loaded in a process of its own."""

    def __init__(self, settings: ExecutorSettings) -> None:
        self._settings = settings
        self._at: tuple[Workplace, ...] | None = None
        self._ends_at: float | None = None
        self.elsewhere = 0
        """Number of jobs that other runs have answered."""
        self.has_more = False
        """True when further outcomes have arrived beside the last one."""

    @property
    def loading(self) -> tuple[str, ...]:
        """Names of the models that are being loaded now, or of Ray while it starts."""
        if self._at is None:
            return ("Ray",)
        return tuple(place.model for place in self._at if place.cell is None)

    @property
    def doing(self) -> tuple[str, ...]:
        """What workers do before they answer, each with its cell, such as a training and how far it is."""
        return tuple(f"{place.cell}: {place.doing}" for place in self._at or () if place.cell and place.doing)

    @property
    def workplaces(self) -> tuple[Workplace, ...]:
        """What each worker is at."""
        return self._at or ()

    @property
    def seconds_left(self) -> float | None:
        """Estimated time until all jobs are answered; None before the driver has told."""
        return None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())

    def run(self, lanes: Sequence[Lane], settings: EngineSettings) -> Generator[Outcome, None, None]:
        """One outcome per job, as they finish.

        Raises:
            MachineError: Ray does not start here, the cluster cannot be joined or is lost, or no node can hold a model.
        """
        if self._settings.address is None and why_no_gpu():
            for lane in lanes:  # before Ray is started, which takes seconds
                worker_gpus(lane, settings.device, ())
        waits = list(STARTS if self._settings.address is None else JOINS)
        gone: Exception | None = None
        left = [lane for lane in lanes if lane.jobs]
        while left:
            back: set[tuple[int, int]] = set()
            try:
                yield from self._session(left, settings, back)
                return
            except MachineError as error:
                raise gone or error from None  # what cannot be joined again was lost before
            except _LostError as lost:
                gone = MachineError(str(lost))
                if not waits:
                    raise gone from None
                wait = waits.pop(0)
                log.warning("%s; tried again in %s", lost, duration(wait))
                time.sleep(wait)
            left = [
                replace(lane, jobs=tuple(job for j, job in enumerate(lane.jobs) if (i, j) not in back))
                for i, lane in enumerate(left)
            ]
            left = [lane for lane in left if lane.jobs]

    def _session(
        self, lanes: Sequence[Lane], settings: EngineSettings, back: set[tuple[int, int]]
    ) -> Iterator[Outcome]:
        """The outcomes from one driver; each job that came back is added to `back`."""
        self._at, joined = None, False
        # as the tests of a project do, a user may have put folders on the path
        paths = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
        driver = Process("harness.executors.ray.driver:lead", environment={"PYTHONPATH": paths})
        try:
            with _finishing(driver, self._settings.grace_seconds) as finishing:
                level = logging.getLogger("harness").getEffectiveLevel()
                driver.tell("run", lanes, settings, self._settings, dict(ENGINES), level)
                for (kind, value), more in _read_ahead(driver):
                    match kind:
                        case "outcome":
                            number, index, sent, extra = value
                            back.add((number, index))
                            self.has_more = more
                            yield _outcome(lanes[number].jobs[index].cell, sent, extra)
                        case "joined":
                            joined = True
                        case "elsewhere":
                            back.add(value)
                            self.elsewhere += 1
                        case "at":
                            self._at = value
                        case "left":
                            self._ends_at = time.monotonic() + value
                        case "log":
                            logging.getLogger(value.name).handle(value)
                        case "error":
                            raise _LostError(str(value)) if type(value).__name__ == "NotStartedError" else value
                        case "end":
                            break
                if finishing.is_set():
                    raise KeyboardInterrupt
        except ProcessEndedError as ended:
            raise self._gone(ended.ending, joined=joined) from None
        finally:
            driver.close(seconds=_END_SECONDS)

    def _gone(self, ending: ProcessEnd, *, joined: bool) -> Exception:
        """What the end of the driver means: Ray ends its driver when a cluster is lost."""
        if any(line.startswith("Traceback") for line in ending.lines):
            return RuntimeError("the driver of Ray failed:\n" + "\n".join(ending.lines))
        if self._settings.address is not None and not joined:
            return MachineError(
                f"Ray gave up while it joined the cluster at {self._settings.address}, as it does on a machine that is "
                f"no node of it ({ending.node}); start the run on one of its nodes, for instance with `ray job submit`"
            )
        where = f"the Ray cluster at {self._settings.address}" if self._settings.address else "the private Ray"
        return _LostError(
            f"{where} is lost: its head, or the node of this run, is gone ({ending.in_words()}); what was finished is "
            "kept, and the same command goes on from there"
        )


def _read_ahead(driver: Process) -> Iterator[tuple[tuple[str, Any], bool]]:
    """Every message of the driver, and whether an outcome has arrived behind it."""
    read: deque[tuple[str, Any]] = deque()
    try:
        for message in driver.messages():
            read.append(message)
            if len(read) >= _MOST_READ or not driver.has_message():
                yield from _with_more(read)
    except ProcessEndedError:
        yield from _with_more(read)
        raise


def _with_more(read: deque[tuple[str, Any]]) -> Iterator[tuple[tuple[str, Any], bool]]:
    outcomes = sum(kind == "outcome" for kind, _ in read)
    while read:
        message = read.popleft()
        outcomes -= message[0] == "outcome"
        yield message, outcomes > 0


class _LostError(Exception):
    """Ray did not start, or is lost."""


def _outcome(cell: Any, sent: bytes, extra: dict[str, Any]) -> Outcome:
    """The outcome as the run knows its cell, since paths may differ on the node, with what is known besides."""
    outcome: Outcome = pickle.loads(sent)
    if isinstance(outcome, CellResult):
        losses = extra.get("losses", ())
        return replace(outcome, cell=cell, provenance=replace(outcome.provenance, losses=losses))
    return replace(outcome, cell=cell, **extra)


@contextmanager
def _finishing(driver: Process, grace_seconds: float) -> Iterator[threading.Event]:
    """On SIGTERM let cells that are being answered come back, and start no others; a second one ends at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def finish(number: int, frame: FrameType | None) -> None:
        if asked.is_set() or not grace_seconds:
            raise KeyboardInterrupt
        asked.set()
        log.warning("SIGTERM: cells that are being answered have %s to come back", duration(grace_seconds))
        driver.tell("finish", grace_seconds)

    usual = signal.signal(signal.SIGTERM, finish)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, usual or signal.SIG_DFL)
