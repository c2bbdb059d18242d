"""What the pieces of a run have taken beside their estimates, and what that says of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from harness.schedule.pieces import Piece

MINUTE = 60.0
"""Seconds of estimates that count as right beforehand."""
OVERRUN = 0.1
"""Part of the time that a piece has taken so far, which it is taken to last on at least."""
_ROUNDS = 3

_Sums = defaultdict[tuple[int, str], float]


def ratio(measured: float, guessed: float, usual: float = 1.0) -> float:
    """Measured over estimated seconds, drawn to the usual ratio while little has been measured."""
    return (MINUTE * usual + measured) / (MINUTE + guessed)


class Rates:
    """Times of the pieces that were answered, summed by model and task, and by cell where a cell was cut."""

    def __init__(self) -> None:
        """Nothing is measured yet."""
        self._guessed: _Sums = defaultdict(float)
        self._measured: _Sums = defaultdict(float)
        self._cells: dict[tuple[int, int], tuple[float, float]] = {}

    def note(self, piece: Piece, seconds: float) -> None:
        """A piece has taken so long."""
        key = piece.lane, piece.task
        self._guessed[key] += piece.seconds
        self._measured[key] += seconds
        if piece.blocks is not None:
            guessed, measured = self._cells.get((piece.lane, piece.job), (0.0, 0.0))
            self._cells[piece.lane, piece.job] = guessed + piece.seconds, measured + seconds

    def expected(self, running: Iterable[tuple[Piece, float]] = ()) -> Expected:
        """What is to be expected now.

        Pieces that are answered already are the quick ones, so what runs later than expected is counted too.

        Args:
            running: pieces that are being answered, and for how many seconds they have been.
        """
        found = Expected(self._guessed, self._measured, self._cells)
        late = [(piece, seconds) for piece, seconds in running if seconds > found.seconds(piece)]
        if not late:
            return found
        guessed, measured = self._guessed.copy(), self._measured.copy()
        for piece, seconds in late:
            guessed[piece.lane, piece.task] += piece.seconds
            measured[piece.lane, piece.task] += (1 + OVERRUN) * seconds
        return Expected(guessed, measured, self._cells)


class Expected:
    """Seconds over estimate, as a factor of the model times a factor of the task.

    The two are fitted in turn, each to what the other leaves; one of which little was measured stays near the usual.
    """

    def __init__(self, guessed: _Sums, measured: _Sums, cells: dict[tuple[int, int], tuple[float, float]]) -> None:
        """Fit the factors to sums of estimated and measured seconds by model and task."""
        self._cells = cells
        self._of_task: dict[str, float] = {}
        for _ in range(_ROUNDS):
            by_lane: defaultdict[int, float] = defaultdict(float)
            lane_measured: defaultdict[int, float] = defaultdict(float)
            by_task: defaultdict[str, float] = defaultdict(float)
            task_measured: defaultdict[str, float] = defaultdict(float)
            for (lane, task), seconds in guessed.items():
                by_lane[lane] += seconds * self._of_task.get(task, 1.0)
                lane_measured[lane] += measured[lane, task]
            self._usual = ratio(sum(lane_measured.values()), sum(by_lane.values()))
            self._of_lane = {lane: ratio(lane_measured[lane], by_lane[lane], self._usual) for lane in by_lane}
            for (lane, task), seconds in guessed.items():
                by_task[task] += seconds * self._of_lane[lane]
                task_measured[task] += measured[lane, task]
            self._of_task = {task: ratio(task_measured[task], by_task[task]) for task in by_task}

    def ratio(self, lane: int, task: str) -> float:
        """Expected over estimated seconds of a cell of this lane and task."""
        return self._of_lane.get(lane, self._usual) * self._of_task.get(task, 1.0)

    def seconds(self, piece: Piece) -> float:
        """Expected time of a piece; parts of a cell tell of its other parts."""
        usual = self.ratio(piece.lane, piece.task)
        guessed, measured = self._cells.get((piece.lane, piece.job), (0.0, 0.0))
        return piece.seconds * ratio(measured, guessed * usual) * usual
