"""The process of one tracker: takes messages and answers each, so that the run sees that it is alive.

Run as `python -m harness.tracking.worker NAME WHERE DESCRIPTOR`. An exception ends it, and its last line says why.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.errors import HarnessError
from harness.tracking.messages import EndOfTracking, Message, ProgressOfTracking, Scored, StartOfTracking, from_wire

if TYPE_CHECKING:
    import pandas as pd

_ORPHAN_SECONDS = 60.0
"""Longest time that the process outlives its run."""


class Tracker(Protocol):
    """What all trackers do. An error of any kind ends the process, and the run goes on."""

    def start(self, message: StartOfTracking) -> str:
        """Begin a run; returns where people can look at it, in words."""

    def score(self, messages: Sequence[Scored]) -> None:
        """Take places on curves."""

    def progress(self, message: ProgressOfTracking) -> None:
        """Note how far the run is."""

    def end(self, message: EndOfTracking, leaderboard: pd.DataFrame | None) -> None:
        """End the run; returns when everything is kept. The leaderboard is the wide one, None without a result."""


MODULES: Mapping[str, str] = {
    "tensorboard": "harness.tracking.to_tensorboard:ToTensorBoard",
    "wandb": "harness.tracking.to_wandb:ToWandb",
    "mlflow": "harness.tracking.to_mlflow:ToMlflow",
    "trackio": "harness.tracking.to_trackio:ToTrackio",
}
"""Name of a tracker -> its class."""


def open_tracker(name: str, where: str) -> Tracker:
    """The tracker of this name; its package is imported now."""
    module, kind = MODULES[name].split(":")
    tracker: Tracker = getattr(import_module(module), kind)(where)
    return tracker


class Telling:
    """Hands messages to a tracker, and puts together what is told at the end."""

    def __init__(self, tracker: Tracker) -> None:
        """Nothing is told yet."""
        self._tracker = tracker
        self._results = ""

    def take(self, messages: Iterable[Message]) -> str:
        """Tell the tracker what a run says; returns what people should know."""
        words, scores = "", list[Scored]()
        for message in messages:
            if isinstance(message, Scored):
                scores.append(message)
                continue
            self._flush(scores)
            if isinstance(message, StartOfTracking):
                self._results = message.results
                words = self._tracker.start(message)
            elif isinstance(message, EndOfTracking):
                self._tracker.end(message, self._leaderboard())
            else:
                self._tracker.progress(message)
        self._flush(scores)
        return words

    def _flush(self, scores: list[Scored]) -> None:
        if scores:
            self._tracker.score(scores)
            scores.clear()

    def _leaderboard(self) -> pd.DataFrame | None:
        """The wide leaderboard of the results folder as it is now; None without a result."""
        from harness.leaderboard import wide_table
        from harness.reading import read_outcomes

        try:
            done, failures, _ = read_outcomes(Path(self._results))
        except HarnessError:
            return None
        return wide_table(done, failures)


def main() -> None:
    """Serve one run."""
    name, where, descriptor = sys.argv[1:]
    for sent_to_all in (signal.SIGTERM, signal.SIGINT):  # the run decides how it ends, and says so
        signal.signal(sent_to_all, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), name="end with the run", daemon=True).start()
    connection = Connection(int(descriptor))
    telling = Telling(open_tracker(name, where))
    connection.send_bytes(b"")  # ready
    ended = False
    while not ended:
        try:
            messages = from_wire(connection.recv_bytes())
        except EOFError:  # the run is gone
            messages = [EndOfTracking(ending="lost")]
        words = telling.take(messages)
        ended = isinstance(messages[-1], EndOfTracking)
        if not (ended and messages[-1] == EndOfTracking(ending="lost")):
            connection.send_bytes(words.encode())


def _end_with(parent: int) -> None:
    """End this process when the run's is gone, after some time to finish."""
    while os.getppid() == parent:
        time.sleep(1.0)
    time.sleep(_ORPHAN_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
