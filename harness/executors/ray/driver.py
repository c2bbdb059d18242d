"""The process that leads a run on Ray: what is asked of which worker, and what happens when one is lost.

It is a child of the command, because Ray ends a driver with a trace of C++ when the head of its cluster is gone. The
command asks it once, with `run`; it answers with outcomes as they come, `at` (what it is at), log records, and `end` or
`error`. It ends early when the command hangs up, and finishes what is being answered when the command says `finish`.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from contextlib import suppress

from harness.engines.protocol import ENGINES
from harness.errors import HarnessError
from harness.executors.child import ParentLine, ToParent
from harness.executors.ray.fleet import alive
from harness.executors.ray.joining import joined
from harness.executors.ray.leader import Leader
from harness.executors.ray.preflight import equipment, lacks, looked_at


def lead(line: ParentLine) -> None:
    """Do what the command asks, once."""
    asked = line.requests()
    what, arguments = next(asked, ("", ()))
    if what != "run":
        return
    lanes, settings, executor, engines, level = arguments
    ENGINES.update(engines)
    logging.getLogger("harness").setLevel(level)
    logging.getLogger("harness").addHandler(ToParent(line))
    orders = Orders(asked)
    out = Outbox(line)
    try:
        with joined(executor):
            out.send("joined")
            Leader(lanes, settings, executor, out, orders).run()
        out.send("end")
    except HarnessError as error:
        out.send("error", error)
    finally:
        out.flush()


def examine(line: ParentLine) -> None:
    """Say what each node of a cluster has, as name, words and what it lacks; or why the cluster cannot be joined."""
    _, (settings,) = next(line.requests())
    try:
        with joined(settings):
            seen = looked_at(alive(), (), {name: os.environ[name] for name in settings.forwarded if name in os.environ})
            line.send("answer", [(each.name, equipment(each), lacks(each, on_gpu=True)) for each in seen.values()])
    except HarnessError as error:
        line.send("answer", str(error))


class Orders:
    """What the command says while the run goes on; a thread listens."""

    def __init__(self, requests: object) -> None:
        self.stop = threading.Event()
        self.finish_by: float | None = None
        threading.Thread(target=self._listen, args=(requests,), name="orders", daemon=True).start()

    def _listen(self, requests: object) -> None:
        for what, arguments in requests:  # type: ignore[attr-defined]
            if what == "finish":
                self.finish_by = time.monotonic() + arguments[0]
        self.stop.set()  # the command has hung up, or is gone


class Outbox:
    """Sends in a thread of its own, so that workers go on while the command writes results."""

    def __init__(self, line: ParentLine) -> None:
        self._line = line
        self._queue: queue.Queue[tuple[str, object] | None] = queue.Queue(maxsize=200)
        self._thread = threading.Thread(target=self._send, name="outbox", daemon=True)
        self._thread.start()

    def send(self, kind: str, value: object = None) -> None:
        """Send a message when it is its turn."""
        self._queue.put((kind, value))

    def flush(self) -> None:
        """Wait until everything is sent."""
        self._queue.put(None)
        self._thread.join()

    def _send(self) -> None:
        while (message := self._queue.get()) is not None:
            with suppress(OSError):  # nobody listens any more; the run is about to stop
                self._line.send(*message)
