"""The decisions of a run on Ray: what the schedule says is asked of workers, and what is lost is tried again.

What runs where comes from `harness.schedule.Dispatcher`, what is tried again from `harness.executors.losses`.
"""

from __future__ import annotations

import heapq
import logging
import pickle
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

from harness.engines.protocol import ENGINES, EngineSettings
from harness.executors.losses import Loss, Losses
from harness.executors.protocol import ExecutorSettings
from harness.executors.ray.fleet import Fleet, Worker
from harness.executors.ray.keeper import KeptReply
from harness.executors.ray.lookout import Lookout, Outlet
from harness.executors.ray.nodes import Nodes, variables
from harness.executors.sharing import Sharing
from harness.executors.worker import Duty, SentOutcome
from harness.plan import Cell
from harness.records import CellFailure
from harness.schedule import Dispatcher, End, Give, Lane, Load, Order, Piece
from harness.wording import duration

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
"""Time between two looks at whether the command wants something."""
_TAKEN_SECONDS = 5.0
"""Time between two looks at a cell that another run is at."""
LEAST_DEADLINE, DEADLINE_FACTOR = 600.0, 10.0
"""Most seconds that any cell may take, and how many times its estimate, whichever is longer."""


class Wishes(Protocol):
    """What the command says while the run goes on."""

    stop: threading.Event
    """Set when the run is to end at once."""
    finish_by: float | None
    """Time by which what is being answered may come back, and nothing else is started; None for no end."""


@dataclass(kw_only=True, slots=True)
class _LaneState:
    avoid: set[str] = field(default_factory=set)
    """Ids of nodes on which it was lost."""
    fits: dict[str, int] = field(default_factory=dict)
    """Batch size and token budget that fitted into memory."""
    opened: int = 0
    """Workers that have its model."""
    refused: tuple[CellFailure, ...] = ()
    """Why the model could not be loaded on the node where it was tried first, for each job; empty before."""
    refused_by: Any = None
    """The worker that said so."""


class Leader:
    """Does what the dispatcher says, and tells it what happened."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        settings: EngineSettings,
        executor: ExecutorSettings,
        out: Outlet,
        orders: Wishes,
    ) -> None:
        """Look at the nodes; nothing is started yet.

        Raises:
            MachineError: no node can ever hold a model.
        """
        self._settings, self._executor = settings, executor
        self._out, self._orders = out, orders
        self._nodes = Nodes(lanes, settings, executor)
        self._started = time.monotonic()
        # a model is loaded on as many GPUs as it needs, whatever its family file says
        self._lanes = [
            replace(lane, model=replace(lane.model, gpus=need.gpus))
            for lane, need in zip(lanes, self._nodes.needs, strict=True)
        ]
        self._states = [_LaneState() for _ in lanes]
        self._dispatcher = Dispatcher(lanes, self._nodes.needs, self._nodes.places(), workers=executor.workers)
        self._losses = Losses()
        self._sharing = Sharing(executor.lease)
        self._order = count()
        self._delayed: list[tuple[float, int, Piece]] = []
        self._workers: dict[int, Worker] = {}
        self._pieces: dict[int, Piece] = {}
        self._parts: dict[tuple[int, int], list[bytes]] = defaultdict(list)
        self._over: set[tuple[int, int]] = set()
        self._idle: list[Worker] = []
        duty = Duty(settings=settings, engines=dict(ENGINES), level=log.getEffectiveLevel())
        self._fleet = Fleet(self._lanes, duty, lambda gpus: variables(settings, executor, gpus))
        self._lookout = Lookout(self._lanes, self._fleet, out, self._deadline)

    def run(self) -> None:
        """Until everything is answered, or the command wants an end."""
        self._nodes.check()
        for number in range(len(self._lanes)):
            self._pause(number, 0.0)
        try:
            while (len(self._fleet) or self._delayed or not self._dispatcher.done) and not self._ended():
                self._look_at_nodes()
                self._go_on()
                self._lookout.tell(lambda: self._dispatcher.seconds_left(self._now))
                if not len(self._fleet):
                    time.sleep(0.05)  # what was lost waits for its next try
                for worker, back in self._fleet.come_back(seconds=_LOOK_SECONDS):
                    self._take(worker, back)
                self._lookout.watch(
                    self._pieces,
                    waiting=len(self._delayed),
                    unplaced=self._dispatcher.waiting,
                    nodes=len(self._nodes),
                )
            self._lookout.tell(lambda: self._dispatcher.seconds_left(self._now))
        finally:
            for worker in (*self._fleet.busy, *self._idle):
                self._fleet.kill(worker)

    def _ended(self) -> bool:
        if self._orders.stop.is_set():
            return True
        if self._orders.finish_by is None:
            return False
        return time.monotonic() > self._orders.finish_by or not any(w.doing == "answer" for w in self._fleet.busy)

    @property
    def _now(self) -> float:
        return time.monotonic() - self._started

    # --- what is to be done -------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if self._orders.finish_by is not None:
            return
        while self._delayed and self._delayed[0][0] <= self._now:
            piece = heapq.heappop(self._delayed)[2]
            if self._is_ours(piece):
                self._dispatcher.again(piece)
        refused = True
        while refused:  # workers whose cells other runs have get others
            refused = False
            for order in self._dispatcher.steps(self._now):
                refused |= not self._do(order)

    def _do(self, order: Order) -> bool:
        """Do what the dispatcher says; False when it is to say something else, as another run has the cell."""
        match order:
            case Load():
                worker = self._worker_for(order)
                worker.number = order.worker
                self._workers[order.worker] = worker
                self._fleet.open(worker, order.lane, self._states[order.lane].fits)
            case Give():
                if not self._is_ours(order.piece):
                    self._dispatcher.drop(order.piece)
                    self._parts.pop((order.piece.lane, order.piece.job), None)
                    self._dispatcher.answered(order.worker, self._now)
                    return False
                self._give(self._workers[order.worker], order.piece)
            case End():
                worker = self._workers.pop(order.worker)
                self._pieces.pop(order.worker, None)
                self._states[worker.lane].opened -= 1
                # a GPU's memory is only known to be free when the process that used it has ended
                self._fleet.close(worker, end=worker.gpus > 0)
        return True

    def _is_ours(self, piece: Piece) -> bool:
        """Whether no other run is at a cell or has finished it; one that another run is at is asked for later again."""
        job = self._lanes[piece.lane].jobs[piece.job]
        taken = self._sharing.take(job.cell)
        if taken == "done":
            self._out.send("elsewhere", (piece.lane, piece.job))
        if taken == "taken":
            whole = replace(piece, blocks=None, seconds=job.seconds)
            heapq.heappush(self._delayed, (self._now + _TAKEN_SECONDS, next(self._order), whole))
        return taken == "mine"

    def _worker_for(self, order: Load) -> Worker:
        """An idle worker of the node, or a new one, for which one idle worker ends to make room."""
        gpus = self._nodes.needs[order.lane].gpus
        here = [worker for worker in self._idle if worker.node_id in ("", order.node)]
        if here:
            self._idle.remove(here[0])
            if not gpus:
                return here[0]
            self._fleet.kill(here[0])
        only = bool(self._states[order.lane].avoid or self._losses.nodes_aside())
        return self._fleet.start(gpus, order.node if len(self._nodes) > 1 else None, only=only)

    def _give(self, worker: Worker, piece: Piece) -> None:
        self._pieces[worker.number] = piece
        if piece.joins:
            # they are kept until the outcome is there: the worker that joins them may be lost as any other
            self._fleet.join(worker, piece.job, self._parts[piece.lane, piece.job])
        else:
            documents = self._lanes[piece.lane].jobs[piece.job].documents_of(piece)
            self._fleet.answer(worker, piece.job, self._deadline(piece), documents)

    def _deadline(self, piece: Piece) -> float | None:
        """Seconds after which a worker is taken for hung; None where nobody knows how much there is to do."""
        if self._executor.cell_seconds is not None:
            return self._executor.cell_seconds
        if self._lanes[piece.lane].jobs[piece.job].documents is None:
            return None
        return max(LEAST_DEADLINE, DEADLINE_FACTOR * piece.seconds)

    # --- what comes back ----------------------------------------------------------------------------------------------

    def _take(self, worker: Worker, back: KeptReply | Loss) -> None:
        loss = back if isinstance(back, Loss) else Loss.by(back.ending) if back.ending is not None else None
        if isinstance(back, Loss):
            self._fleet.kill(worker)
        if worker.doing == "close":
            self._closed(worker, back)
        elif loss is not None:
            self._lost(worker, loss, keeper_lives=isinstance(back, KeptReply))
        elif isinstance(back, KeptReply) and worker.doing == "open":
            self._opened(worker, back)
        elif isinstance(back, KeptReply) and back.answer is not None:
            self._answered(worker, back, back.answer)

    def _opened(self, worker: Worker, reply: KeptReply) -> None:
        state = self._states[worker.lane]
        if not reply.refused:
            self._losses.started(worker.node_id)
            if state.refused:  # what one node could not load, another can
                self._charge(state.refused_by, state.refused[0].message)
                state.refused = ()
            state.opened += 1
            self._dispatcher.opened(worker.number, reply.seconds)
            return
        self._gone(worker)
        self._fleet.kill(worker)
        failed = tuple(replace(each, node=reply.node, pid=reply.pid, log=reply.lines) for each in reply.refused)
        others = self._nodes.ids - self._losses.nodes_aside() - {worker.node_id}
        if state.opened:
            self._no_more(worker, others)
        elif not state.refused and others:
            state.refused, state.refused_by, state.avoid = failed, worker, {worker.node_id}
            self._pause(worker.lane, 0.0)
        else:
            first = state.refused or failed
            self._give_up(worker.lane, dict(enumerate(first)))

    def _no_more(self, worker: Worker, others: Collection[str]) -> None:
        """Leave a lane to the workers that have loaded its model, at least on the node where one could not."""
        if others:
            self._states[worker.lane].avoid.add(worker.node_id)
            self._pause(worker.lane, 0.0)
        else:
            self._dispatcher.no_more_workers(worker.lane)

    def _answered(self, worker: Worker, reply: KeptReply, answer: SentOutcome) -> None:
        state, piece = self._states[worker.lane], self._pieces.pop(worker.number)
        what = piece.lane, piece.job
        found = {"batch_size": answer.batch_size, "token_budget": answer.token_budget}
        state.fits |= {name: fits for name, fits in found.items() if fits is not None and self._is_less(name, fits)}
        if answer.is_part and what not in self._over:
            self._parts[what].append(answer.outcome)
        if answer.failed and piece.blocks is not None:
            self._dispatcher.drop(piece)
        took = None if answer.failed else time.monotonic() - worker.since
        joining = self._dispatcher.answered(worker.number, self._now, took)
        if joining is not None:
            self._give(worker, joining)
        elif answer.poisoned:
            self._load_anew(worker)
        if not answer.is_part:
            extra = {"node": reply.node, "log": reply.lines} if answer.failed else {}
            self._send(piece, answer.outcome, {**extra, "losses": self._losses.before(what)})

    def _load_anew(self, worker: Worker) -> None:
        """Let a fresh process load the model of a worker that has none any more, if there is more to answer."""
        if self._orders.finish_by is None and self._dispatcher.reloads(worker.number):
            self._states[worker.lane].opened -= 1
            self._fleet.open(worker, worker.lane, self._states[worker.lane].fits, fresh=True)

    def _send(self, piece: Piece, outcome: bytes, extra: dict[str, Any]) -> None:
        """Send the outcome of a cell, once: several parts of it may fail."""
        what = piece.lane, piece.job
        self._parts.pop(what, None)
        if what not in self._over:
            self._out.send("outcome", (*what, outcome, extra))
        if piece.blocks is not None:
            self._over.add(what)

    def _is_less(self, name: str, value: int) -> bool:
        asked = getattr(self._settings, name)
        return asked is None or value < asked

    def _closed(self, worker: Worker, back: KeptReply | Loss) -> None:
        self._dispatcher.ended(worker.number)
        if isinstance(back, Loss):  # it was killed already
            return
        if back.ending is None and not worker.gpus and not self._dispatcher.done:
            self._idle.append(worker)
        else:
            self._fleet.kill(worker)

    def _gone(self, worker: Worker) -> Piece | None:
        """Forget a worker; the piece that it was at."""
        self._workers.pop(worker.number, None)
        self._pieces.pop(worker.number, None)
        return self._dispatcher.lost(worker.number)

    def _lost(self, worker: Worker, loss: Loss, *, keeper_lives: bool) -> None:
        """A try ended without an answer: it is repeated, here or elsewhere, or fails."""
        number, piece = worker.lane, self._pieces.get(worker.number)
        lane, state = self._lanes[number], self._states[number]
        what = (number, None if piece is None else piece.job)
        wait = self._losses.wait_after(what, loss, opening=piece is None)
        if piece is None and loss.kind == "machine" and loss.begun:
            self._charge(worker, loss.words)
        if piece is not None and wait is None:
            self._dispatcher.drop(piece)
            failed = _died(loss, "answering this cell", self._losses.before(what), lane.jobs[piece.job].cell)
            self._send(piece, pickle.dumps(failed), {})
        if piece is not None and loss.kind == "cell" and keeper_lives:
            self._pieces.pop(worker.number)
            self._dispatcher.answered(worker.number, self._now)
            self._load_anew(worker)
            return
        self._gone(worker)
        state.opened -= piece is not None
        if keeper_lives:
            self._fleet.kill(worker)
        if wait is None and piece is None:
            self._could_not_load(worker, loss)
        if wait is None:
            return
        if wait:
            of = lane.model.name if piece is None else lane.jobs[piece.job].cell.label
            log.warning("%s: %s; tried again in %s", of, loss.words, duration(wait))
            state.avoid = {worker.node_id}
        if piece is None:
            self._pause(number, wait)
        else:
            self._pause(number, 0.0)
            heapq.heappush(self._delayed, (self._now + wait, next(self._order), piece))

    def _could_not_load(self, worker: Worker, loss: Loss) -> None:
        number = worker.lane
        if self._states[number].opened:
            self._no_more(worker, self._nodes.ids - self._losses.nodes_aside() - {worker.node_id})
            return
        before = self._losses.before((number, None))
        doing = f"loading {self._lanes[number].model.name}"
        cells = [job.cell for job in self._lanes[number].jobs]
        self._give_up(number, {job: _died(loss, doing, before, cell) for job, cell in enumerate(cells)})

    def _charge(self, worker: Worker, words: str) -> None:
        """Note that a worker could not start on its node, which is put aside after the second time."""
        if worker.node_id and self._losses.put_aside(worker.node_id):
            log.warning("node %s is put aside, as workers could not start there: %s", worker.node, words)
            self._dispatcher.set_aside(self._losses.nodes_aside())

    def _give_up(self, number: int, failures: Mapping[int, CellFailure]) -> None:
        """Record failures of the jobs of a lane that wait, which are not tried again."""
        again = [piece for _, _, piece in self._delayed if piece.lane == number]
        self._delayed = [entry for entry in self._delayed if entry[2].lane != number]
        heapq.heapify(self._delayed)
        for piece in again:
            self._dispatcher.again(piece)
        for job in self._dispatcher.give_up(number):
            piece = Piece(lane=number, job=job, task="", seconds=0.0)
            self._send(piece, pickle.dumps(failures[job]), {})

    def _look_at_nodes(self) -> None:
        """Use nodes that have come, and count on none that has gone."""
        joined, left, useless = self._nodes.look()
        for name in left:
            self._dispatcher.leave(name)
        for name in useless:
            self._losses.put_aside_at_once(name)
            self._dispatcher.set_aside(self._losses.nodes_aside())
        for node in joined:
            self._dispatcher.join(node)

    def _pause(self, number: int, wait: float) -> None:
        """Start no further worker of a lane for so long, and none on nodes where it was lost or finds no room."""
        self._dispatcher.pause(number, self._now + wait, self._states[number].avoid | self._nodes.too_small(number))


def _died(loss: Loss, doing: str, before: tuple[str, ...], cell: Cell) -> CellFailure:
    """The failure of a cell whose process is gone."""
    killed = loss.signal == "SIGKILL" or "memory" in loss.words
    hint = "; often for lack of memory: try fewer --workers or a smaller --batch-size" if killed else ""
    return CellFailure(
        cell=cell,
        error="WorkerDied",
        message=f"the worker process died while {doing}: {loss.words}{hint}",
        traceback="\n".join(loss.lines),
        failed_at=datetime.now(UTC),
        node=loss.node,
        pid=loss.pid,
        signal=loss.signal,
        log=loss.lines,
        losses=before,
    )
