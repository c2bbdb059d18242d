"""The inside of a process that `harness.executors.process` started: it takes requests and sends what it has to say.

Run as `python -m harness.executors.child MODULE:FUNCTION DESCRIPTOR`. The function is called with a `ParentLine`, and
the process ends when it returns.
"""

from __future__ import annotations

import faulthandler
import logging
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

BEAT_SECONDS = 5.0
"""Time between two signs of life."""


class ParentLine:
    """The child's end of the connection. Any thread may send."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def requests(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """What the parent asks, as name and arguments, until the parent hangs up."""
        while True:
            try:
                yield self._connection.recv()
            except (EOFError, OSError):  # the second when it did not read everything
                return

    def send(self, kind: str, value: Any = None) -> None:
        """Send a message; what cannot be pickled raises here, before a byte is sent."""
        data = pickle.dumps((kind, value), pickle.HIGHEST_PROTOCOL)
        with self._sending:
            self._connection.send_bytes(data)

    def beat(self, tell: Callable[[], Any] = lambda: None) -> None:
        """Send signs of life from now on, each with what `tell` says then."""
        threading.Thread(target=self._beat, args=(tell,), name="signs of life", daemon=True).start()

    def _beat(self, tell: Callable[[], Any]) -> None:
        pause = threading.Event()
        while not pause.wait(BEAT_SECONDS):
            try:
                self.send("beat", tell())
            except OSError:  # the parent has hung up, and the process is about to end
                return


class ToParent(logging.Handler):
    """Sends log records to the parent, which shows them as its own."""

    def __init__(self, line: ParentLine) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, with its text put together."""
        told = logging.makeLogRecord({**record.__dict__, "msg": record.getMessage(), "args": None, "exc_info": None})
        self._line.send("log", told)


def main() -> None:
    """Call the function that the command line names."""
    faulthandler.enable()  # a crash in C leaves the lines of Python that led to it
    # batch systems send it to every process of a job, and what is to end is for the command to decide
    signal.signal(signal.SIGTERM, lambda *_: None)
    module, function = sys.argv[1].split(":")
    getattr(import_module(module), function)(ParentLine(Connection(int(sys.argv[2]))))


if __name__ == "__main__":
    main()
