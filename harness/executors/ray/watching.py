"""What a user should know while nothing comes back: a cell that takes far too long, and work that waits for room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.wording import counted, duration

SLOW_SECONDS, SLOW_FACTOR = 60.0, 5.0
"""Seconds after which a cell is named that takes longer than so many times its estimate."""
WAITING_SECONDS = 30.0
"""Seconds after which it is said why something waits."""


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
    """Estimated time of the cell; None while the model is loaded."""
    deadline: float | None = None
    """Time after which its process is ended; None for never."""
    pending: bool = False
    """True while Ray has not found room for it."""
    gpus: float = 0.0
    """GPUs that it takes."""


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
            if worker.pending and worker.seconds > WAITING_SECONDS:
                sentence = _waiting(worker, free, total)
            elif worker.expected is not None and worker.seconds > max(SLOW_SECONDS, SLOW_FACTOR * worker.expected):
                sentence = _slow(worker)
            else:
                continue
            if (key := (worker.number, worker.what, worker.pending)) not in self._said:
                self._said.add(key)
                yield sentence

    def others(self, cells: int, seconds: float) -> Iterator[str]:
        """The sentence about cells that other runs are at, when nothing else is left to do."""
        if cells and seconds > WAITING_SECONDS and ("others", cells) not in self._said:
            self._said.add(("others", cells))
            yield f"waiting for {counted(cells, 'cell')} that other runs are at, or that are tried again"


def _waiting(worker: Watched, free: Mapping[str, float], total: Mapping[str, float]) -> str:
    resource = "GPU" if worker.gpus else "CPU"
    wanted = worker.gpus or 1.0
    has, of = free.get(resource, 0.0), total.get(resource, 0.0)
    return (
        f"{worker.what} waits for {wanted:g} {resource} on one node, since {duration(worker.seconds)}: of "
        f"{of:g} in the cluster {has:g} are free, and the others are held by this run or by other jobs"
    )


def _slow(worker: Watched) -> str:
    assert worker.expected is not None
    until = "" if worker.deadline is None else f"; its process is ended after {duration(worker.deadline)}"
    return (
        f"{worker.what} has been answered for {duration(worker.seconds)}, and was expected to take "
        f"{duration(worker.expected)}{until}"
    )
