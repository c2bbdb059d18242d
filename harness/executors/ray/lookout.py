"""Tells the command what each worker is at, and the user what takes too long and why something waits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from harness.executors.ray.fleet import Fleet, Worker
from harness.executors.ray.watching import WAITING_SECONDS, Watched, Watcher
from harness.runs import Workplace
from harness.schedule import Lane, Piece

log = logging.getLogger(__name__)

_LEFT_SECONDS = 2.0
"""Time between two estimates of the time that is left."""
_WATCH_SECONDS = 5.0
"""Time between two looks at what takes long."""


class Outlet(Protocol):
    """Where messages to the command go."""

    def send(self, kind: str, value: object = None) -> None:
        """Send a message."""
        ...


class Lookout:
    """Looks at the workers of a run again and again."""

    def __init__(
        self, lanes: Sequence[Lane], fleet: Fleet, out: Outlet, deadline: Callable[[Piece], float | None]
    ) -> None:
        """`deadline` tells the seconds after which a worker with a piece is ended; None for never."""
        self._lanes, self._fleet, self._out, self._deadline = lanes, fleet, out, deadline
        self._watcher = Watcher()
        self._watched_at = self._came_at = time.monotonic()
        self._left_at = 0.0
        self._told: tuple[Workplace, ...] | None = None

    def tell(self, left: Callable[[], float]) -> None:
        """Tell the command what each worker is at, when that has changed, and now and then the time that is left.

        It is called when all who can be are at work.
        """
        if len(self._fleet):
            self._came_at = time.monotonic()
        if time.monotonic() - self._left_at >= _LEFT_SECONDS:
            self._left_at = time.monotonic()
            self._out.send("left", left())
        at = tuple(self._workplace(worker) for worker in self._fleet.busy if worker.doing != "close")
        if at != self._told:
            self._told = at
            self._out.send("at", at)

    def watch(self, pieces: Mapping[int, Piece], *, waiting: int, unplaced: int, nodes: int) -> None:
        """Say what takes too long, and why something waits.

        Args:
            pieces: what each worker is at, by its number.
            waiting: number of cells that others are at, or that are tried again later.
            unplaced: number of cells, or parts of one, that no worker has begun.
            nodes: number of nodes of the cluster.
        """
        now = time.monotonic()
        if now - self._watched_at < _WATCH_SECONDS:
            return
        self._watched_at = now
        busy = [self._watched(w, pieces.get(w.number), now) for w in self._fleet.busy if w.doing != "close"]
        free, total = self._fleet.room() if any(each.pending for each in busy) else ({}, {})
        for sentence in (
            *self._watcher.news(busy, free=free, total=total),
            *self._watcher.others(waiting, now - self._came_at, unplaced=unplaced, nodes=nodes),
        ):
            log.warning("%s", sentence)

    def _watched(self, worker: Worker, piece: Piece | None, now: float) -> Watched:
        seconds, lane = now - worker.since, self._lanes[worker.lane]
        if piece is None or worker.job is None:
            pending = seconds > WAITING_SECONDS and not worker.node and self._fleet.is_pending(worker)
            return Watched(
                number=worker.number,
                what=lane.model.name,
                seconds=seconds,
                pending=pending,
                gpus=worker.gpus,
                still=worker.still,
            )
        job = lane.jobs[piece.job]
        known = job.documents is not None
        return Watched(
            number=worker.number,
            what=job.cell.label,
            seconds=seconds,
            expected=piece.seconds if known else None,
            documents=job.documents if piece.documents is None else len(piece.documents),
            deadline=None if piece.joins else self._deadline(piece),
            still=worker.still,
        )

    def _workplace(self, worker: Worker) -> Workplace:
        lane = self._lanes[worker.lane]
        return Workplace(
            model=lane.model.name,
            cell=lane.jobs[worker.job].cell.label if worker.job is not None else None,
            node=worker.node,
            pid=worker.pid,
            gpus=worker.gpus,
            doing="" if worker.still is None else worker.still.doing,
        )
