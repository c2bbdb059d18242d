"""One tracker of a run, in a process of its own, that is told what happens and given up on when it fails or hangs.

Nothing waits for it while the run goes on: a thread takes what is to be told from a queue, waits for the answer, and
ends the process when none comes in time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Pipe
from queue import Empty, SimpleQueue
from typing import IO

from harness.tracking.asked import AskedTracker
from harness.tracking.messages import EndOfTracking, Message, to_wire
from harness.wording import cut, duration

PATIENCE_SECONDS = 60.0
"""Longest time that a tracker may take to answer, and in all to finish when the run is over."""
_MOST_AT_ONCE = 500
"""Messages that are told together, when more have come than a tracker takes one by one."""
_UNREAPED = os.WEXITED | os.WNOWAIT | os.WNOHANG
_LEAVING_SECONDS = 5.0
"""Time that a process has to end by itself once it has finished or failed."""


class Follower:
    """One tracker in a process of its own."""

    def __init__(
        self,
        asked: AskedTracker,
        *,
        say: Callable[[str], None],
        given_up: Callable[[AskedTracker, str], None],
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Start its process, which imports the tracker while the run begins.

        Args:
            asked: which tracker, and where it keeps what it is told.
            say: called with what people should know, such as where they can look.
            given_up: called once, with the tracker and the reason, when it is given up on.
            patience: seconds that it may take to answer.

        Raises:
            OSError: no process can be started.
        """
        self.asked = asked
        self._say, self._given_up, self._patience = say, given_up, patience
        self._waiting: SimpleQueue[Message] = SimpleQueue()
        self._over = False
        self._ending = threading.Lock()
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._connection, theirs = Pipe()
        command = [sys.executable, "-P", "-m", "harness.tracking.worker", *asked, str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._printed,  # nothing that a tracker prints may get among the data of the command
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # a group of its own, which ends as a whole and gets no Ctrl-C of a terminal
            )
        self.pid = self._process.pid
        self._thread = threading.Thread(target=self._follow, name=f"tracking by {asked.name}", daemon=True)
        self._thread.start()

    def tell(self, *messages: Message) -> None:
        """Tell it something as soon as it is ready; returns at once, and does nothing once it is given up on."""
        if not self._over:
            for message in messages:
                self._waiting.put(message)

    def has_finished(self, seconds: float) -> bool:
        """Whether it has taken in everything up to the end, or was given up on, by then."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def finish(self, seconds: float | None) -> None:
        """Wait until it has taken in everything up to the end; then its process is gone.

        Args:
            seconds: longest time to wait; None waits as long as it answers in time.
        """
        late = True  # also for whoever does not want to wait any more, and interrupts
        try:
            self._thread.join(None if seconds is None else max(seconds, 0.0))
            late = self._thread.is_alive()
        finally:
            if late:
                self._give_up("it did not finish in time")
            elif self._claim_end():
                self._end_process(_LEAVING_SECONDS)

    def _follow(self) -> None:
        """Tell what waits in the queue, answer by answer, until the end was told or the tracker is given up on."""
        try:
            if not self._answered():  # the process is ready
                return
            while not self._over:
                messages = self._next()
                self._connection.send_bytes(to_wire(messages))
                if not self._answered() or isinstance(messages[-1], EndOfTracking):
                    return
        except (EOFError, OSError):
            self._give_up(self._last_words())

    def _answered(self) -> bool:
        """Whether an answer came in time; what it says is said."""
        if not self._connection.poll(self._patience):
            self._give_up(f"it did not answer for {duration(self._patience)}")
            return False
        if told := self._connection.recv_bytes().decode(errors="replace"):
            self._say(f"{self.asked.name}: {told}")
        return True

    def _next(self) -> list[Message]:
        """What is to be told next: all that waits, up to a limit; nothing behind the end."""
        messages = [self._waiting.get()]
        with suppress(Empty):
            while len(messages) < _MOST_AT_ONCE and not isinstance(messages[-1], EndOfTracking):
                messages.append(self._waiting.get_nowait())
        return messages

    def _last_words(self) -> str:
        """Why the process ended: the last line that it printed, which names the exception where there was one."""
        code = self._exit_code(1.0)
        end = self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, end - 4096))
        lines = [line.strip() for line in self._printed.read().decode(errors="replace").splitlines() if line.strip()]
        return cut(lines[-1], 300) if lines else f"its process ended{'' if code is None else f' with {code}'}"

    def _exit_code(self, seconds: float) -> int | None:
        """Exit code, or number of the signal, of the process when it ends by then; it stays to be waited for."""
        end = time.monotonic() + seconds
        with suppress(ChildProcessError):  # it was ended by another thread
            while (found := os.waitid(os.P_PID, self._process.pid, _UNREAPED)) is None and time.monotonic() < end:
                time.sleep(0.02)
            return None if found is None else found.si_status
        return None

    def _give_up(self, why: str) -> None:
        if self._claim_end():
            self._end_process(0.0)
            self._given_up(self.asked, why)

    def _claim_end(self) -> bool:
        """Whether the process is to be ended by whoever asks now, who is the first."""
        with self._ending:
            first, self._over = not self._over, True
        return first

    def _end_process(self, seconds: float) -> None:
        """End the process and all that it started; it may end by itself before that.

        Until it is waited for, no other process can have its number.
        """
        self._exit_code(seconds)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
