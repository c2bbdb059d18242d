"""The pieces of one lane that no worker has begun, and which of them a worker takes next."""

from __future__ import annotations

import bisect
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from operator import attrgetter

from harness.schedule.pieces import Lane, Piece

PART_SECONDS = 20.0
"""Shortest part that a cell is cut into: each part reads the documents and the demonstrations anew."""

CAUTION = 2.0
"""How much longer than estimated a piece may take without ending after everything else."""


class Backlog:
    """Pieces by task, in each task the longest last."""

    def __init__(self, number: int, lane: Lane) -> None:
        """The cells of the lane at position `number`, as pieces."""
        self.seconds = 0.0
        self._blocks = [job.blocks if lane.may_cut else 1 for job in lane.jobs]
        self._by_task: dict[str, list[Piece]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._workers: Counter[str] = Counter()
        self._size = 0
        for job, of in enumerate(lane.jobs):
            piece = Piece(lane=number, job=job, task=of.task.name, seconds=of.seconds)
            self._by_task.setdefault(piece.task, []).append(piece)
            self._add(piece)
        for pieces in self._by_task.values():
            pieces.sort(key=attrgetter("seconds", "job"))

    def __len__(self) -> int:
        return self._size

    def put(self, piece: Piece) -> None:
        """Add a piece, such as the rest of a cell that was cut, or what a lost worker had begun."""
        bisect.insort(self._by_task.setdefault(piece.task, []), piece, key=attrgetter("seconds"))
        self._add(piece)

    def by_task(self) -> Iterator[tuple[str, float]]:
        """Each task with the estimated seconds of its pieces."""
        return ((task, self._seconds[task]) for task in self._by_task)

    def take(self, before: str | None, time_left: float) -> tuple[Piece, ...]:
        """The piece that a worker answers next; two pieces when a cell was cut, of which the second is put back.

        A worker stays with its task, whose documents it has at hand, then goes where most work waits per worker. The
        longest piece of all comes first where it would otherwise end after everything else.

        Args:
            before: the task of the worker's piece before; None for none.
            time_left: estimated time until all work is done if all workers share it evenly, in the seconds of pieces.
        """
        if not self._size:
            return ()
        task = max(self._by_task, key=lambda name: self._by_task[name][-1].seconds)
        if self._by_task[task][-1].seconds <= time_left / CAUTION:
            task = before if before in self._by_task else max(self._by_task, key=self._waiting)
        piece = self._pop(task, -1)
        if not piece.joins:
            self._workers[task] += 1
        return self._cut(piece, time_left)

    def released(self, task: str) -> None:
        """A worker is done with a piece of this task."""
        self._workers[task] -= 1

    def drop(self, job: int) -> None:
        """Take away every part of a cell that has failed."""
        for task, pieces in list(self._by_task.items()):
            for place in reversed([i for i, piece in enumerate(pieces) if piece.job == job]):
                self._pop(task, place)

    def clear(self) -> tuple[int, ...]:
        """Take away everything; the jobs of which a part or all of it waited, in their order."""
        jobs = sorted({piece.job for pieces in self._by_task.values() for piece in pieces})
        self._by_task.clear()
        self._size, self.seconds = 0, 0.0
        return tuple(jobs)

    def _waiting(self, task: str) -> float:
        """Waiting work of a task per worker, with one worker more."""
        pieces = self._by_task[task]
        # the longest piece times their number, since adding them all up at each step would take long
        return pieces[-1].seconds * len(pieces) / (1 + self._workers[task])

    def _add(self, piece: Piece) -> None:
        self.seconds += piece.seconds
        self._seconds[piece.task] += piece.seconds
        self._size += 1

    def _pop(self, task: str, place: int) -> Piece:
        pieces = self._by_task[task]
        piece = pieces.pop(place)
        self._seconds[task] = self._seconds[task] - piece.seconds if pieces else 0.0
        if not pieces:
            del self._by_task[task]
        self._size -= 1
        self.seconds = self.seconds - piece.seconds if self._size else 0.0
        return piece

    def _cut(self, piece: Piece, time_left: float) -> tuple[Piece, ...]:
        """The piece as it is, or a first part that ends in time, and the rest, which is put back."""
        of = self._blocks[piece.job]
        blocks = len(piece.blocks or range(of))
        share = max(time_left / CAUTION, PART_SECONDS)
        if blocks < 2 or piece.joins or piece.seconds < share + PART_SECONDS:
            return (piece,)
        first, rest = piece.cut(min(blocks - 1, max(1, math.floor(blocks * share / piece.seconds))), of)
        self.put(rest)
        return first, rest
