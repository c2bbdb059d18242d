"""A Python process of our own with a connection to it: what it prints is kept, and how it ended is known.

Two things are run in one. The model of a worker, because a crash in C, a signal or a poisoned GPU must not take more
than one cell. The driver of Ray, because Ray ends its driver with a trace of C++ when the head of a cluster is gone.
The process and all that it starts end with the process that started it, however that ends.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any, Literal, NoReturn

MOST_LINES = 100
"""Lines of a process that are kept, the last ones."""
_LONGEST_LINE = 500
_OUTSIDE = frozenset({"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGSTOP"})
"""Signals that come from outside of a process: the kernel short of memory, a batch system, a person."""


EndReason = Literal["died", "frozen", "stuck", "late"]
"""`died` by itself or by a signal; or killed: as it was `frozen` and gave no sign of life, `stuck` and did nothing
though it gave some, or `late`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessEnd:
    """How a process ended."""

    reason: EndReason
    """Why it ended."""
    node: str
    """Name of its machine."""
    pid: int
    """Its number."""
    signal: str | None
    """Signal that ended it, such as `SIGSEGV`; None when it ended by itself."""
    code: int | None
    """Its exit code; None when a signal ended it."""
    out_of_memory: bool
    """True when the kernel killed for lack of memory on the machine meanwhile."""
    lines: tuple[str, ...]
    """The last lines that it printed, at most `MOST_LINES`."""

    @property
    def from_outside(self) -> bool:
        """True when the machine or a person ended it, so that the cell may do well elsewhere."""
        return self.reason in ("frozen", "stuck") or (self.reason == "died" and self.signal in _OUTSIDE)

    def in_words(self) -> str:
        """The end in half a sentence."""
        which = f"process {self.pid} on {self.node}"
        if self.reason == "frozen":
            return f"{which} gave no sign of life and was killed"
        if self.reason == "stuck":
            return f"{which} hung: it answered nothing and computed nothing, and was killed"
        if self.reason == "late":
            return f"{which} took longer than allowed and was killed"
        if self.out_of_memory:
            return f"{which} was killed by {self.signal} for lack of memory on the machine"
        return f"{which} was ended by {self.signal}" if self.signal else f"{which} ended with exit code {self.code}"


class ProcessEndedError(Exception):
    """The process that was asked is no more."""

    def __init__(self, ending: ProcessEnd) -> None:
        super().__init__(ending.in_words())
        self.ending = ending


class Process:
    """A child process that answers requests; the parent's end of the connection."""

    def __init__(self, main: str, *, environment: Mapping[str, str] | None = None) -> None:
        """Start it.

        Args:
            main: `module:function` to call in it, with a `harness.executors.child.ParentLine`.
            environment: variables that it has besides those of this process.
        """
        self._connection, theirs = Pipe()
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._killed_at_start = _kernel_kills()
        command = [sys.executable, "-P", "-m", "harness.executors.child", main, str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # a group of its own, which ends as a whole and gets no Ctrl-C of a terminal
            )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, name=f"output of {self.pid}", daemon=True)
        self._reader.start()
        self._watch = _watched(self.pid)

    def ask(
        self,
        what: str,
        *arguments: Any,
        on_log: Callable[[logging.LogRecord], None] | None = None,
        seconds: float | None = None,
        silence: float | None = None,
    ) -> Any:
        """The answer to one request.

        Args:
            what: name of the request.
            arguments: what goes with it.
            on_log: called with each log record that arrives meanwhile.
            seconds: most time until the answer; None for no limit.
            silence: most time without a sign of life, in which the process does not compute either; None for no limit.

        Raises:
            ProcessEndedError: it ended before it answered, or was killed as it took too long.
        """
        asking = self.asking(what, *arguments, on_log=on_log, seconds=seconds, silence=silence)
        while True:
            try:
                next(asking)
            except StopIteration as stop:
                return stop.value

    def asking(
        self,
        what: str,
        *arguments: Any,
        on_log: Callable[[logging.LogRecord], None] | None = None,
        seconds: float | None = None,
        silence: float | None = None,
    ) -> Generator[Any, None, Any]:
        """As `ask`, for those who want to do something while they wait.

        Yields:
            About every second what the last sign of life told; None before the first.

        Returns:
            The answer.
        """
        self.tell(what, *arguments)
        told: Any = None
        for kind, value in self.messages(seconds=seconds, silence=silence):
            match kind:
                case "log" if on_log is not None:
                    on_log(value)
                case "answer":
                    return value
                case "beat":
                    told = value
            yield told
        raise AssertionError("messages end with an error")

    def tell(self, what: str, *arguments: Any) -> None:
        """Send a request without waiting for an answer; a process that is gone says so with its next message."""
        with suppress(OSError):
            self._connection.send((what, arguments))

    def messages(self, *, seconds: float | None = None, silence: float | None = None) -> Iterator[tuple[str, Any]]:
        """Everything that the process sends, signs of life included, and a `tick` in each second without anything.

        Arguments and errors as of `ask`.
        """
        started = heard = time.monotonic()
        computed = _cpu_seconds(self.pid)
        while True:
            try:
                message = self._connection.recv() if self._connection.poll(1.0) else None
            except (EOFError, OSError):
                raise ProcessEndedError(self._ended("died")) from None
            now = time.monotonic()
            if message is not None:
                yield message
                heard = now
            if seconds is not None and now - started > seconds:
                raise ProcessEndedError(self._ended("late"))
            if message is not None:
                computed = None if silence is None else _cpu_seconds(self.pid)
            elif silence is not None and now - heard > silence:
                # one long call in C holds back the signs of life, and computes
                if _cpu_seconds(self.pid) == computed:
                    raise ProcessEndedError(self._ended("frozen"))
                heard, computed = now, _cpu_seconds(self.pid)
            if message is None:
                yield "tick", None

    def give_up(self, reason: EndReason) -> NoReturn:
        """End it with all that it started.

        Raises:
            ProcessEndedError: always, with how it ended.
        """
        raise ProcessEndedError(self._ended(reason))

    def has_message(self) -> bool:
        """Whether something of the process is there to be read, if only that it has hung up."""
        try:
            return self._connection.poll(0)
        except OSError:
            return True

    def close(self, *, seconds: float = 10.0) -> None:
        """Hang up, give the process so much time to end by itself, and end it with all that it started."""
        self._connection.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=seconds)
        self.kill()

    def kill(self) -> None:
        """End the process and all that it started; returns when they are gone."""
        end = time.monotonic() + 10.0
        while time.monotonic() < end:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                break
            if self._process.poll() is not None and not _runs(self.pid):
                break  # what is left are records of ends that nobody has asked for yet
            time.sleep(0.01)
        self._process.wait()
        with suppress(OSError):
            os.write(self._watch, b"over\n")
        if self._watch >= 0:
            os.close(self._watch)
            self._watch = -1
        self._connection.close()

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines that it has printed so far."""
        return tuple(self._lines)

    def _ended(self, reason: EndReason) -> ProcessEnd:
        if reason == "died":
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5.0)  # it has hung up, and is about to end
        self.kill()
        self._reader.join(timeout=1.0)
        code = self._process.returncode
        name = signal.Signals(-code).name if code < 0 else None
        return ProcessEnd(
            reason=reason,
            node=socket.gethostname(),
            pid=self.pid,
            signal=name,
            code=None if name else code,
            out_of_memory=name == "SIGKILL" and reason == "died" and _kernel_kills() > self._killed_at_start,
            lines=self.lines,
        )

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._lines.append(line.decode(errors="replace").rstrip()[:_LONGEST_LINE])


def _watched(group: int) -> int:
    """Let a shell kill a group of processes when this process is gone; the descriptor that keeps it waiting.

    The shell is no child of this process, since Ray kills the children of a worker that it ends, and their own not.
    """
    theirs, mine = os.pipe()
    script = 'exec 3<&0; (read over <&3 || kill -9 "-$0") &'  # a shell gives what is behind & another input
    try:
        subprocess.run(
            ["/bin/sh", "-c", script, str(group)],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )
    finally:
        os.close(theirs)
    return mine


def _cpu_seconds(pid: int) -> float | None:
    """Time that a process has computed; None on machines without /proc, where silence alone tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _kernel_kills() -> int:
    """How many processes the kernel has killed for lack of memory since it started; 0 where it does not tell."""
    try:
        words = Path("/proc/vmstat").read_text().split()
        return int(words[words.index("oom_kill") + 1])
    except (OSError, ValueError):
        return 0


def _runs(group: int) -> bool:
    """Whether a process of this group is still there, other than as the record of its end."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of) == group and state not in "ZX":
                return True
    return False
