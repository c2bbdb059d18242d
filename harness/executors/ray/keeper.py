"""The actor that stands between Ray and a model: it starts the model's process, asks it, and says how it ended.

It loads nothing itself. So it outlives a crash, a frozen model and a poisoned GPU, and what Ray reports as the death of
an actor is the loss of a machine and nothing else.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ray

from harness.executors.process import Process, ProcessEnd, ProcessEndedError
from harness.executors.ray.memory import free_memory, memory_needed, total_memory
from harness.executors.relocation import moved, package_folders
from harness.executors.worker import Duty, SentOutcome
from harness.records import CellFailure
from harness.schedule import Lane
from harness.specs import ModelSpec
from harness.wording import duration

log = logging.getLogger(__name__)

SILENCE_SECONDS = 45.0
"""Most time without a sign of life, in which the process does not compute either."""
MEMORY_WAIT_SECONDS = 600.0
"""Most time that a model waits for memory that others have taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptReply:
    """What a keeper says about one request."""

    node: str
    """Name of its machine."""
    node_id: str
    """Ray's name of the node: a machine may be several."""
    pid: int | None
    """Number of the model's process; None when there is none."""
    answer: SentOutcome | None = None
    """The answered cell; None for other requests, and when the process ended."""
    refused: tuple[CellFailure, ...] = ()
    """Why the model cannot be loaded, for each job of the lane; empty when it is loaded."""
    ending: ProcessEnd | None = None
    """How the process ended instead of answering; None when it answered."""
    lines: tuple[str, ...] = ()
    """What it printed last; empty when all went well."""
    said: tuple[logging.LogRecord, ...] = field(default=(), repr=False)
    """Log records of the process since the last reply."""


class Keeper:
    """Keeps one process with a model at a time."""

    def __init__(
        self, duty: Duty, environment: Mapping[str, str], folders: tuple[str, ...], *, on_gpu: bool = False
    ) -> None:
        """Start nothing yet.

        Args:
            duty: what the process has to know.
            environment: variables that it has besides those of this machine.
            folders: where the package lies on the machine of the driver.
            on_gpu: True when the weights lie on a GPU, and need no memory of the machine.
        """
        self._duty = duty
        self._environment = dict(environment)
        self._folders = folders
        self._on_gpu = on_gpu
        self._process: Process | None = None
        self._said: list[logging.LogRecord] = []
        self._fits: dict[str, int] = {}
        logging.getLogger("harness").setLevel(duty.level)

    def open(self, lane: Lane, fits: Mapping[str, int], *, fresh: bool) -> KeptReply:
        """Load the model of a lane.

        Args:
            lane: the cells of one model.
            fits: batch size and token budget that other workers of the model found to fit into memory.
            fresh: True to end the process before, which may be broken, and start another.
        """
        if fresh:
            self._end()
        lane = moved(lane, self._folders, package_folders())
        if not self._on_gpu:
            self._wait_for_memory(lane.model)
        try:
            if self._process is None:
                self._process = Process("harness.executors.worker:serve", environment=self._environment)
                settings = replace(self._duty.settings, **fits)  # type: ignore[arg-type]
                if self._on_gpu and settings.device == "auto":
                    settings = replace(settings, device="cuda")  # and not the CPU where none is seen
                self._ask("begin", replace(self._duty, settings=settings))
            refused = self._ask("open", lane)
        except ProcessEndedError as ended:
            return self._ended(ended)
        lines = self._process.lines if refused else ()
        return self._reply(refused=refused, lines=lines)

    def answer(self, index: int, seconds: float | None = None, documents: range | None = None) -> KeptReply:
        """Answer one job of the lane, or some of its documents, in at most so many seconds."""
        return self._answered("answer", index, documents, seconds=seconds)

    def join(self, index: int, parts: Sequence[bytes]) -> KeptReply:
        """The outcome of one job of the lane from the pickled answers to all its documents."""
        return self._answered("join", index, parts)

    def _answered(self, what: str, *arguments: object, seconds: float | None = None) -> KeptReply:
        try:
            answer: SentOutcome = self._ask(what, *arguments, seconds=seconds)
        except ProcessEndedError as ended:
            return self._ended(ended)
        assert self._process is not None
        if answer.poisoned:
            lines = self._process.lines
            self._end()  # so that it answers nothing more, of this lane or another
            return self._reply(answer=answer, lines=lines)
        return self._reply(answer=answer, lines=self._process.lines if answer.failed else ())

    def close(self, *, end: bool) -> KeptReply:
        """Free the model; with `end` its process is gone, and all that it started, when this returns."""
        ending = None
        try:
            if self._process is not None:
                self._ask("close", seconds=10.0)
        except ProcessEndedError as ended:
            ending, self._process = ended.ending, None
        if end:
            self._end()
        return self._reply(ending=ending)

    def _ask(self, what: str, *arguments: object, seconds: float | None = None) -> Any:
        assert self._process is not None, "open() first"
        return self._process.ask(what, *arguments, on_log=self._said.append, seconds=seconds, silence=SILENCE_SECONDS)

    def _end(self) -> None:
        if self._process is not None:
            self._process.close(seconds=0.0)
            self._process = None

    def _ended(self, ended: ProcessEndedError) -> KeptReply:
        self._process = None
        return self._reply(ending=ended.ending, lines=ended.ending.lines)

    def _reply(self, **said: object) -> KeptReply:
        records, self._said = tuple(self._said), []
        pid = self._process.pid if self._process else None
        node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""
        return KeptReply(node=socket.gethostname(), node_id=node, pid=pid, said=records, **said)  # type: ignore[arg-type]

    def _wait_for_memory(self, model: ModelSpec) -> None:
        """Wait while others have taken the memory that the weights need, instead of being killed for it."""
        needed = memory_needed(model)
        if needed > total_memory():
            return  # waiting will not help, and what the model needs is an estimate
        started = time.monotonic()
        while needed > free_memory():
            if time.monotonic() - started > MEMORY_WAIT_SECONDS:
                log.warning("%s: loaded though the memory for it is not free", model.name)
                return
            time.sleep(2.0)
        waited = time.monotonic() - started
        if waited > 1.0:
            record = log.makeRecord(
                log.name,
                logging.WARNING,
                "",
                0,
                "%s waited %s for memory on %s",
                (model.name, duration(waited), socket.gethostname()),
                None,
            )
            self._said.append(record)
