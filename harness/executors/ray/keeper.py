"""The actor that stands between Ray and a model: it starts the model's process, asks it, and says how it ended.

It loads nothing itself. So it outlives a crash, a frozen model and a poisoned GPU, and what Ray reports as the death of
an actor is the loss of a machine and nothing else.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ray

from harness.executors.process import Process, ProcessEnd, ProcessEndedError
from harness.executors.ray.memory import free_memory, memory_needed, total_memory
from harness.executors.relocation import moved, package_folders
from harness.executors.vigil import Still, Vigil, family_cpu_seconds
from harness.executors.worker import Duty, SentOutcome
from harness.records import CellFailure
from harness.schedule import Lane
from harness.specs import ModelSpec
from harness.wording import duration

log = logging.getLogger(__name__)

SILENCE_SECONDS = 45.0
"""Most time without a sign of life, in which the process does not compute either."""
TELL_SECONDS = 10.0
"""Time after which a keeper says that its process is still at what it was asked, and how far."""
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
    seconds: float | None = None
    """Time that the model took to load, the start of its process included; None for other requests."""
    still: Still | None = None
    """How far the process is; None when it has answered or ended. `Keeper.go_on` waits on."""
    said: tuple[logging.LogRecord, ...] = field(default=(), repr=False)
    """Log records of the process since the last reply."""


_Work = Generator[Still | None, None, KeptReply]
"""What goes on in a request: it says about every second how the process is, and in the end what the reply is."""


class Keeper:
    """Keeps one process with a model at a time.

    Every request comes back within `TELL_SECONDS`. When it is not answered by then, the reply says how far the process
    is, and the leader asks again with `go_on`; so a keeper, a machine or a network that hangs shows as silence.
    """

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
        self._work: _Work | None = None
        logging.getLogger("harness").setLevel(duty.level)

    def open(self, lane: Lane, fits: Mapping[str, int], *, fresh: bool) -> KeptReply:
        """Load the model of a lane.

        Args:
            lane: the cells of one model.
            fits: batch size and token budget that other workers of the model found to fit into memory.
            fresh: True to end the process before, which may be broken, and start another.
        """
        return self._begun(self._opening(lane, fits, fresh=fresh))

    def answer(self, index: int, seconds: float | None = None, documents: range | None = None) -> KeptReply:
        """Answer one job of the lane, or some of its documents, in at most so many seconds."""
        return self._begun(self._answering("answer", index, documents, seconds=seconds))

    def join(self, index: int, parts: Sequence[bytes]) -> KeptReply:
        """The outcome of one job of the lane from the pickled answers to all its documents."""
        return self._begun(self._answering("join", index, parts))

    def go_on(self) -> KeptReply:
        """Wait on for what was asked last."""
        assert self._work is not None, "ask something first"
        until = time.monotonic() + TELL_SECONDS
        try:
            while True:
                still = next(self._work)
                if time.monotonic() >= until:
                    return self._reply(still=still or Still())
        except StopIteration as stop:
            self._work = None
            reply: KeptReply = stop.value
            return reply

    def _begun(self, work: _Work) -> KeptReply:
        self._work = work
        return self.go_on()

    def _opening(self, lane: Lane, fits: Mapping[str, int], *, fresh: bool) -> _Work:
        if fresh:
            self._end()
        lane = moved(lane, self._folders, package_folders())
        if not self._on_gpu:
            yield from self._memory_free(lane.model)
        started = time.monotonic()
        try:
            if self._process is None:
                self._process = Process("harness.executors.worker:serve", environment=self._environment)
                settings = replace(self._duty.settings, **fits)  # type: ignore[arg-type]
                if self._on_gpu and settings.device == "auto":
                    settings = replace(settings, device="cuda")  # and not the CPU where none is seen
                yield from self._asking("begin", replace(self._duty, settings=settings))
            refused = yield from self._asking("open", lane)
        except ProcessEndedError as ended:
            return self._ended(ended)
        lines = self._process.lines if refused else ()
        return self._reply(refused=refused, lines=lines, seconds=time.monotonic() - started)

    def _answering(self, what: str, *arguments: object, seconds: float | None = None) -> _Work:
        try:
            answer: SentOutcome = yield from self._asking(what, *arguments, seconds=seconds)
        except ProcessEndedError as ended:
            return self._ended(ended)
        assert self._process is not None
        if answer.poisoned:
            lines = self._process.lines
            self._end()  # so that it answers nothing more, of this lane or another
            return self._reply(answer=answer, lines=lines)
        return self._reply(answer=answer, lines=self._process.lines if answer.failed else ())

    def _asking(self, what: str, *arguments: object, seconds: float | None = None) -> Generator[Still, None, Any]:
        """Ask the process, which is ended when it hangs."""
        assert self._process is not None, "open() first"
        process = self._process
        vigil = Vigil(lambda: family_cpu_seconds(process.pid))
        asking = process.asking(what, *arguments, on_log=self._said.append, seconds=seconds, silence=SILENCE_SECONDS)
        while True:
            try:
                pulse = next(asking)
            except StopIteration as stop:
                return stop.value
            still = vigil.look(pulse)
            if still.is_stuck:
                process.give_up("stuck")
            yield still

    def close(self, *, end: bool) -> KeptReply:
        """Free the model; with `end` its process is gone, and all that it started, when this returns."""
        ending = None
        try:
            if self._process is not None:
                self._process.ask("close", on_log=self._said.append, seconds=10.0)
        except ProcessEndedError as ended:
            ending, self._process = ended.ending, None
        if end:
            self._end()
        return self._reply(ending=ending)

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

    def _memory_free(self, model: ModelSpec) -> Generator[Still, None, None]:
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
            wanted, free = needed / 1e9, free_memory() / 1e9
            yield Still(waits_for=f"{wanted:.1f} GB of memory on {socket.gethostname()}, of which {free:.1f} are free")
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
