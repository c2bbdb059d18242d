"""What starts next, and where: the decisions of a run, without the clock, the processes and the cluster.

An executor tells a `Dispatcher` what happened, and does what it says; the simulator drives it in the same way. It gives
free places to the lane whose work would last longest, so long as one more worker shortens that by more than the time to
load the model. Near the end cells are cut into parts. This is list scheduling (Graham 1969, longest first), with loads.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from harness.schedule.backlog import PART_SECONDS, Backlog
from harness.schedule.hardware import Need, Node
from harness.schedule.pieces import Lane, Piece
from harness.schedule.places import Places, Spot
from harness.schedule.rates import OVERRUN, Expected, Rates, ratio

JOIN_SECONDS = 1.0
"""Estimated time to score the answers of a cell that was cut."""
LOOK_SECONDS = 10.0
"""Time between two looks for free places while nothing becomes free."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """Load a lane's model in a new worker."""

    worker: int
    """Number of the worker."""
    lane: int
    """Position of the lane."""
    node: str
    """Name of the node."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Give:
    """Let a worker answer a piece."""

    worker: int
    """Number of the worker."""
    piece: Piece
    """The piece."""


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """End a worker; what it took is free once `Dispatcher.ended` is told so."""

    worker: int
    """Number of the worker."""


Order = Load | Give | End


@dataclass(kw_only=True, slots=True)
class _Worker:
    lane: int
    spot: Spot
    piece: Piece | None = None
    ends_at: float = 0.0
    """When it is expected to have answered the piece, or to have loaded the model."""
    since: float = 0.0
    """When it began with that."""
    task: str | None = None
    """Task of its piece before."""
    ending: bool = False

    def seconds_left(self, now: float, expected: Expected) -> float:
        """Estimated time until it is done with what it is at; what is late will be later still."""
        if self.ends_at <= self.since:
            return 0.0
        ends_at = self.ends_at
        if self.piece is not None and not self.piece.joins:
            ends_at = self.since + expected.seconds(self.piece)
        return max(ends_at - now, OVERRUN * (now - self.since))


@dataclass(kw_only=True, slots=True)
class _Lane:
    need: Need
    load_seconds: float
    waiting: Backlog
    workers: int = 0
    busy: int = 0
    ends: float = 0.0
    """Sum of `ends_at` of its busy workers."""
    closed: bool = False
    """True when its model cannot be loaded."""
    not_before: float = 0.0
    """Time before which no further worker is started."""
    avoid: frozenset[str] = frozenset()
    """Nodes on which none is started where there are others."""
    full: bool = False
    """True when its model could be loaded by some workers, and then by no more."""
    guessed: float = 0.0
    """Estimated seconds of what is answered."""
    measured: float = 0.0
    """Seconds that it took."""
    parts: dict[int, int] = field(default_factory=dict)
    """Job -> parts of it that are not answered yet."""
    dropped: set[int] = field(default_factory=set)

    @property
    def ratio(self) -> float:
        """Measured over estimated time of the pieces so far; a minute of estimates counts as right beforehand."""
        return ratio(self.measured, self.guessed)

    def left(self, now: float) -> float:
        """Worker seconds until it is done, with what its workers are at."""
        return self.waiting.seconds * self.ratio + max(0.0, self.ends - self.busy * now)


class Dispatcher:
    """Decides what each worker does. Every method takes the time in seconds since the run began."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        needs: Sequence[Need],
        nodes: Sequence[Node],
        *,
        workers: int | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            lanes: what is to be answered.
            needs: what a worker of each lane takes.
            nodes: the machines.
            workers: most models loaded at once; None for as many as the nodes hold.
        """
        self._lanes = [
            _Lane(need=need, load_seconds=lane.load_seconds, waiting=Backlog(i, lane))
            for i, (lane, need) in enumerate(zip(lanes, needs, strict=True))
        ]
        self._places = Places(nodes)
        self._most = workers
        self._workers: dict[int, _Worker] = {}
        self._idle: dict[int, None] = {}
        self._number = 0
        self._rates = Rates()
        self._aside: frozenset[str] = frozenset()
        self._look_at = 0.0  # when free places are looked for again, unless something happens before

    @property
    def done(self) -> bool:
        """True when nothing waits and nothing is being answered."""
        return not self._workers and not any(len(lane.waiting) for lane in self._lanes if not lane.closed)

    def steps(self, now: float) -> Iterator[Order]:
        """Everything that is to be started now."""
        left = self._time_left(now)
        for number in list(self._idle):
            worker = self._workers[number]
            if (piece := self._next(worker, left)) is not None:
                del self._idle[number]
                yield self._begin(number, worker, piece, now)
            else:
                del self._idle[number]
                self._lanes[worker.lane].workers -= 1
                worker.ending = True
                yield End(worker=number)
        if now < self._look_at:
            return
        while (chosen := self._choose(now)) is not None:
            number, spot = chosen
            lane = self._lanes[number]
            self._number += 1
            loaded = now if math.isinf(lane.load_seconds) else now + lane.load_seconds
            self._workers[self._number] = _Worker(lane=number, spot=spot, ends_at=loaded, since=now)
            lane.workers += 1
            yield Load(worker=self._number, lane=number, node=spot.node)
        paused = [lane.not_before for lane in self._lanes if lane.not_before > now]
        self._look_at = min([now + LOOK_SECONDS, *paused])

    def opened(self, number: int, seconds: float | None = None) -> None:
        """A worker has loaded its model, in so many seconds; None when that is as was expected."""
        lane = self._lanes[self._workers[number].lane]
        if seconds is not None and not math.isinf(lane.load_seconds):
            lane.load_seconds = seconds
        self._idle[number] = None

    def answered(self, number: int, now: float, seconds: float | None = None) -> Piece | None:
        """A worker has answered its piece; what is left to join when it was the last part of a cell.

        Args:
            number: the worker.
            now: the time.
            seconds: time that the piece took; None when that tells nothing, as of a cell that failed.
        """
        worker = self._workers[number]
        piece, lane = worker.piece, self._lanes[worker.lane]
        assert piece is not None
        if seconds is not None and not piece.joins:
            lane.guessed += piece.seconds
            lane.measured += seconds
            self._rates.note(piece, seconds)
        self._rest(number, worker)
        if piece.joins or piece.blocks is None or piece.job in lane.dropped:
            return None
        lane.parts[piece.job] -= 1
        if lane.parts[piece.job]:
            return None
        joining = replace(piece, blocks=None, joins=True, seconds=JOIN_SECONDS)
        del self._idle[number]
        self._take_up(worker, joining, now)
        return joining

    def ended(self, number: int) -> None:
        """A worker that was to end has ended, and what it took is free."""
        self._places.free(self._workers.pop(number).spot)
        self._look_at = 0.0

    def lost(self, number: int) -> Piece | None:
        """A worker is gone, with the piece that it was at; None when it was loading or idle."""
        worker = self._workers[number]
        piece = worker.piece
        if piece is not None:
            self._rest(number, worker)
        self._idle.pop(number, None)
        self._lanes[worker.lane].workers -= not worker.ending
        self.ended(number)
        return piece

    def again(self, piece: Piece) -> None:
        """Put back a piece that was not answered."""
        self._lanes[piece.lane].dropped.discard(piece.job)
        self._lanes[piece.lane].waiting.put(piece)
        self._look_at = 0.0

    def drop(self, piece: Piece) -> None:
        """A cell has failed: no further part of it is answered, and none is joined."""
        lane = self._lanes[piece.lane]
        lane.dropped.add(piece.job)
        lane.waiting.drop(piece.job)
        lane.parts.pop(piece.job, None)

    def reloads(self, number: int) -> bool:
        """Take an idle worker out of service until `opened`, because its model is loaded anew; False to end it instead.

        It is worth the time only while work of its lane waits.
        """
        lane = self._lanes[self._workers[number].lane]
        if number not in self._idle or lane.closed or not len(lane.waiting):
            return False
        del self._idle[number]
        return True

    def pause(self, number: int, until: float, avoid: Collection[str] = ()) -> None:
        """Start no further worker of a lane before a time, and then on another node than these if there is one."""
        lane = self._lanes[number]
        lane.not_before, lane.avoid = until, frozenset(avoid)
        self._look_at = 0.0

    def set_aside(self, nodes: Collection[str]) -> None:
        """Start no further worker on these nodes if there are others."""
        self._aside = frozenset(nodes)

    def seconds_left(self, now: float) -> float:
        """Estimated time until all is done.

        It is the time that all places together need for what waits, with the models that are still to be loaded, or
        that of the worker who ends last; a schedule takes little longer than the larger of the two.
        """
        expected = self._rates.expected(self._running(now))
        ahead = [
            (lane.need.gpus, self._ahead(number, lane, expected))
            for number, lane in enumerate(self._lanes)
            if not lane.closed
        ]
        begun = [(worker.spot.need.gpus, worker.seconds_left(now, expected)) for worker in self._workers.values()]
        on_gpus = sum(gpus * left for gpus, left in (*ahead, *begun))
        on_cpus = sum(left for gpus, left in (*ahead, *begun) if not gpus)
        shares = on_gpus / max(1, self._places.gpus), on_cpus / max(1, self._places.workers)
        most = sum(left for _, left in (*ahead, *begun)) / self._most if self._most else 0.0
        last = max((left for _, left in begun), default=0.0)
        # workers that share what is left do not end at once
        uneven = min(PART_SECONDS, last) if len(begun) > 1 else 0.0
        return max(max(*shares, most) + uneven, last)

    def _running(self, now: float) -> Iterator[tuple[Piece, float]]:
        for worker in self._workers.values():
            if worker.piece is not None and not worker.piece.joins:
                yield worker.piece, now - worker.since

    @staticmethod
    def _ahead(number: int, lane: _Lane, expected: Expected) -> float:
        """Worker seconds that what waits takes, with one more load where no worker has the model."""
        loads = 0.0 if lane.workers or not len(lane.waiting) or math.isinf(lane.load_seconds) else lane.load_seconds
        return loads + sum(seconds * expected.ratio(number, task) for task, seconds in lane.waiting.by_task())

    @property
    def waiting(self) -> int:
        """Number of pieces that no worker has begun."""
        return sum(len(lane.waiting) for lane in self._lanes if not lane.closed)

    def waits(self, number: int) -> int:
        """Number of pieces of a lane that no worker has begun."""
        return len(self._lanes[number].waiting)

    def give_up(self, number: int) -> tuple[int, ...]:
        """Give up a lane whose model cannot be loaded; the jobs that are never answered for that."""
        lane = self._lanes[number]
        lane.closed = True
        return lane.waiting.clear()

    def no_more_workers(self, number: int) -> None:
        """Leave a lane to the workers it has: its model could not be loaded again."""
        self._lanes[number].full = True

    def join(self, node: Node) -> None:
        """A node has come."""
        self._places.join(node)
        self._look_at = 0.0

    def leave(self, name: str) -> tuple[int, ...]:
        """A node has gone; the workers that were on it, each of which is to be reported `lost`."""
        self._places.leave(name)
        return tuple(number for number, worker in self._workers.items() if worker.spot.node == name)

    # --- workers ------------------------------------------------------------------------------------------------------

    def _next(self, worker: _Worker, time_left: float) -> Piece | None:
        lane = self._lanes[worker.lane]
        if lane.closed or self._places.is_kept(worker.spot.node, worker.lane, lane.need):
            return None
        shared = self._places.hold(lane.need) > 1 and self._most != 1
        pieces = lane.waiting.take(worker.task, time_left / lane.ratio if shared else math.inf)
        if not pieces:
            return None
        if len(pieces) > 1:
            lane.parts[pieces[0].job] = lane.parts.get(pieces[0].job, 1) + 1
        return pieces[0]

    def _begin(self, number: int, worker: _Worker, piece: Piece, now: float) -> Give:
        self._take_up(worker, piece, now)
        return Give(worker=number, piece=piece)

    def _take_up(self, worker: _Worker, piece: Piece, now: float) -> None:
        lane = self._lanes[worker.lane]
        worker.piece, worker.task = piece, piece.task
        worker.since, worker.ends_at = now, now + piece.seconds * lane.ratio
        lane.busy += 1
        lane.ends += worker.ends_at

    def _rest(self, number: int, worker: _Worker) -> None:
        lane = self._lanes[worker.lane]
        lane.busy -= 1
        lane.ends = lane.ends - worker.ends_at if lane.busy else 0.0
        assert worker.piece is not None
        if not worker.piece.joins:
            lane.waiting.released(worker.piece.task)
        worker.piece, worker.ends_at = None, worker.since
        self._idle[number] = None

    # --- where the next model is loaded -------------------------------------------------------------------------------

    def _time_left(self, now: float) -> float:
        """Time until all is done if all places share the work evenly."""
        lefts = [(lane.left(now), lane.need.gpus) for lane in self._lanes if not lane.closed]
        on_gpus = sum(left * gpus for left, gpus in lefts if gpus)
        on_cpus = sum(left for left, gpus in lefts if not gpus)
        least = on_gpus / max(1, self._places.gpus), on_cpus / max(1, self._places.workers)
        return max(*least, sum(left for left, _ in lefts) / self._most if self._most else 0.0)

    def _choose(self, now: float) -> tuple[int, Spot] | None:
        """The lane that would last longest and gains by one more worker, with its place; None when none does."""
        if self._most is not None and len(self._workers) >= self._most:
            return None
        over = {number for number, lane in enumerate(self._lanes) if lane.closed or not len(lane.waiting)}
        self._places.keep_for_none_of(over)
        scores = [(self._gain(lane, now), number) for number, lane in enumerate(self._lanes)]
        for gain, number in sorted(scores, reverse=True):
            if gain <= 0:
                return None
            lane = self._lanes[number]
            avoid = self._aside | lane.avoid
            if not self._places.able(lane.need) - avoid:
                avoid = frozenset()
            if (spot := self._places.take(lane.need, number, avoid)) is not None:
                return number, spot
            if not lane.workers:
                self._places.keep(lane.need, number)
        return None

    @staticmethod
    def _gain(lane: _Lane, now: float) -> float:
        """Time that a lane would take with one worker more; 0 when one more would not shorten it."""
        if lane.closed or not len(lane.waiting) or now < lane.not_before:
            return 0.0
        left = lane.left(now)
        if lane.workers and (lane.full or left / lane.workers <= lane.load_seconds):
            return 0.0
        return left / (lane.workers + 1) or 1e-9
