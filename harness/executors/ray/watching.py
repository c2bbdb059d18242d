"""What a user should know while nothing comes back: what hangs, what is slow, and what waits for room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.executors.vigil import STUCK_SECONDS, Still
from harness.schedule import BLOCK
from harness.wording import counted, duration

SLOW_SECONDS, SLOW_FACTOR = 60.0, 5.0
"""Seconds after which a cell is named that takes longer than so many times its estimate."""
WAITING_SECONDS = 30.0
"""Seconds after which it is said why something waits."""
QUIET_SECONDS = 40.0
"""Seconds without a step after which a worker may hang. With the ten between two words of a keeper, and the five
between two looks, a worker that hangs is named within a minute."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What one worker has been at, and for how long."""

    number: int
    """Number of the worker."""
    what: str
    """Label of its cell, or name of the model that it is to load."""
    seconds: float
    """Time since it was asked."""
    expected: float | None = None
    """Estimated time of the cell; None while the model is loaded, and where nobody knows."""
    documents: int | None = None
    """Number of documents that it was asked; None while the model is loaded, and where nobody knows."""
    deadline: float | None = None
    """Time after which its process is ended; None for never."""
    pending: bool = False
    """True while Ray has not found room for it."""
    gpus: float = 0.0
    """GPUs that it takes."""
    still: Still | None = None
    """How far it is; None before it has said so."""


class Watcher:
    """Says each thing once."""

    def __init__(self) -> None:
        self._said: set[tuple[object, ...]] = set()

    def news(
        self, workers: Sequence[Watched], *, free: Mapping[str, float], total: Mapping[str, float]
    ) -> Iterator[str]:
        """Sentences about workers that were not said before.

        Args:
            workers: what is asked of whom.
            free: Ray's resource -> how much of it is free in the cluster.
            total: Ray's resource -> how much of it there is.
        """
        for worker in workers:
            kind, sentence = _of(worker, free, total)
            if sentence and (key := (worker.number, worker.what, kind)) not in self._said:
                self._said.add(key)
                yield sentence

    def others(self, cells: int, seconds: float, *, unplaced: int = 0, nodes: int = 0) -> Iterator[str]:
        """The sentence about what a run waits for that has no worker.

        Args:
            cells: number of cells that other runs are at, or that are tried again later.
            seconds: time for which it has had no worker.
            unplaced: number of cells, or parts of one, that no node takes.
            nodes: number of nodes of the cluster.
        """
        if seconds <= WAITING_SECONDS or not (cells or unplaced) or ("others", cells, unplaced) in self._said:
            return
        self._said.add(("others", cells, unplaced))
        if cells:
            yield f"waiting for {counted(cells, 'cell')} that other runs are at, or that are tried again"
        else:
            yield (
                f"{counted(unplaced, 'cell')} wait for a node: of {counted(nodes, 'node')} in the cluster none takes a "
                "worker for them now; they are answered when one joins that does"
            )


def _of(worker: Watched, free: Mapping[str, float], total: Mapping[str, float]) -> tuple[str, str]:
    """What is to be said about a worker, and which kind of trouble that is; nothing when all is well."""
    if worker.pending:
        return "waits", _waiting(worker, free, total) if worker.seconds > WAITING_SECONDS else ""
    still = worker.still
    if still is not None and still.waits_for:
        sentence = f"{worker.what} waits for {still.waits_for}, since {duration(worker.seconds)}"
        return "waits", sentence if worker.seconds > WAITING_SECONDS else ""
    if still is not None and still.idle_seconds > QUIET_SECONDS:
        return "idle", _idle(worker, still)
    if worker.expected is None:
        return "", ""
    if still is not None and still.quiet_seconds > max(QUIET_SECONDS, SLOW_FACTOR * _step_seconds(worker, still)):
        return "quiet", _quiet(worker, still)
    if worker.seconds > max(SLOW_SECONDS, SLOW_FACTOR * worker.expected):
        return "slow", _slow(worker)
    return "", ""


def _step_seconds(worker: Watched, still: Still) -> float:
    """Time that one step may take: the longest so far, or before the first one that of a block of documents."""
    if still.longest_seconds is not None:
        return still.longest_seconds
    assert worker.expected is not None
    return worker.expected * min(1.0, BLOCK / max(1, worker.documents or 1))


def _waiting(worker: Watched, free: Mapping[str, float], total: Mapping[str, float]) -> str:
    resource = "GPU" if worker.gpus else "CPU"
    wanted = worker.gpus or 1.0
    has, of = free.get(resource, 0.0), total.get(resource, 0.0)
    return (
        f"{worker.what} waits for {wanted:g} {resource} on one node, since {duration(worker.seconds)}: of "
        f"{of:g} in the cluster {has:g} are free, and the others are held by this run or by other jobs"
    )


def _idle(worker: Watched, still: Still) -> str:
    """A deadlock, a download that does not come, a file system that does not answer."""
    until = f"its process is ended after {duration(STUCK_SECONDS)}" if still.documents else _until(worker)
    doing = "loading it" if worker.documents is None and worker.expected is None else "answering it"
    return (
        f"{worker.what}: {_done(still)}the process {doing} has computed nothing for {duration(still.idle_seconds)}: it "
        f"hangs, or waits for a file or the network; {until}"
    )


def _quiet(worker: Watched, still: Still) -> str:
    """An endless loop, or a step that takes far longer than others."""
    return (
        f"{worker.what}: {_done(still)}the process answering it computes, and nothing has come of it for "
        f"{duration(still.quiet_seconds)}: it may be in an endless loop; {_until(worker)}"
    )


def _slow(worker: Watched) -> str:
    assert worker.expected is not None
    return (
        f"{worker.what} is slow: {_done(worker.still)}it has been answered for {duration(worker.seconds)}, and was "
        f"expected to take {duration(worker.expected)}; {_until(worker)}"
    )


def _done(still: Still | None) -> str:
    """How many documents are answered; nothing where that is not known."""
    return f"{still.documents} of {counted(still.of, 'document')} answered; " if still and still.of else ""


def _until(worker: Watched) -> str:
    if worker.deadline is None:
        return "end the run and start it again to try anew"
    return f"its process is ended after {duration(worker.deadline)}"
