"""The process that leads a run on Ray: what is asked of which worker, and what happens when one is lost.

It is a child of the command, because Ray ends a driver with a trace of C++ when the head of its cluster is gone. The
command asks it once, with `run`; it answers with outcomes as they come, `at` (what it is at), log records, and `end` or
`error`. It ends early when the command hangs up, and finishes what is being answered when the command says `finish`.
"""

from __future__ import annotations

import heapq
import logging
import os
import pickle
import queue
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from harness.engines.protocol import ENGINES, WITHOUT_MODEL, EngineSettings
from harness.errors import HarnessError
from harness.executors.child import ParentLine, ToParent
from harness.executors.losses import Loss, Losses
from harness.executors.protocol import ExecutorSettings
from harness.executors.ray.fleet import Fleet, Worker, alive, roomiest
from harness.executors.ray.gpus import worker_gpus
from harness.executors.ray.joining import joined
from harness.executors.ray.keeper import KeptReply
from harness.executors.ray.memory import memory_needed
from harness.executors.ray.preflight import check_nodes, check_this_machine, equipment, lacks, looked_at
from harness.executors.worker import Duty, SentOutcome
from harness.plan import Cell
from harness.records import CellFailure
from harness.runs import Workplace
from harness.schedule import Lane
from harness.wording import counted, duration

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
"""Time between two looks at whether the command wants something."""
_CLUSTER_SECONDS = 5.0
"""Time between two looks at the nodes of the cluster."""
_CLOSE_SECONDS = 15.0
"""Time that a worker has to free its model before it is killed."""


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
    out = _Outbox(line)
    try:
        with joined(executor):
            _Leader(lanes, settings, executor, out, orders).run()
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


class _Outbox:
    """Sends in a thread of its own, so that workers go on while the command writes results."""

    def __init__(self, line: ParentLine) -> None:
        self._line = line
        self._queue: queue.Queue[tuple[str, object] | None] = queue.Queue(maxsize=200)
        self._thread = threading.Thread(target=self._send, name="outbox", daemon=True)
        self._thread.start()

    def send(self, kind: str, value: object = None) -> None:
        self._queue.put((kind, value))

    def flush(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _send(self) -> None:
        while (message := self._queue.get()) is not None:
            with suppress(OSError):  # nobody listens any more; the run is about to stop
                self._line.send(*message)


@dataclass(kw_only=True, slots=True)
class _LaneState:
    gpus: float
    todo: deque[int]
    avoid: set[str] = field(default_factory=set)
    """Ids of nodes on which it was lost."""
    fits: dict[str, int] = field(default_factory=dict)
    """Batch size and token budget that fitted into memory."""
    refused: tuple[CellFailure, ...] = ()
    """Why the model could not be loaded on the node where it was tried first, for each job; empty before."""
    refused_by: Any = None
    """The worker that said so."""


class _Leader:
    """The decisions of a run."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        settings: EngineSettings,
        executor: ExecutorSettings,
        out: _Outbox,
        orders: Orders,
    ) -> None:
        self._lanes, self._settings, self._executor = lanes, settings, executor
        self._out, self._orders = out, orders
        self._nodes = alive()
        self._looked_at = time.monotonic()
        nodes = list(self._nodes.values())
        # all lanes before the first cell, so that a model that cannot run is not recorded as a failure
        self._gpus = [worker_gpus(lane, settings.device, nodes) for lane in lanes]
        self._states = [
            _LaneState(gpus=gpus, todo=deque(range(len(lane.jobs))))
            for lane, gpus in zip(lanes, self._gpus, strict=True)
        ]
        self._memory: dict[str, float] = {}
        self._losses = Losses()
        self._order = count()
        self._waiting: list[tuple[float, int, int]] = []
        self._idle: list[Worker] = []
        duty = Duty(settings=settings, engines=dict(ENGINES), level=log.getEffectiveLevel())
        self._fleet = Fleet(lanes, duty, self._environment)

    def run(self) -> None:
        """Until everything is answered, or the command wants an end."""
        self._check_nodes()
        for number, lane in enumerate(self._lanes):
            if lane.jobs:
                heapq.heappush(self._waiting, (0.0, next(self._order), number))
        try:
            while (self._waiting or len(self._fleet)) and not self._ended():
                self._look_at_nodes()
                self._start()
                for worker, back in self._fleet.come_back(seconds=_LOOK_SECONDS):
                    self._take(worker, back)
                if not len(self._fleet):
                    time.sleep(0.05)  # lanes that were lost wait for their next try
                self._tell()
        finally:
            for worker in (*self._fleet.busy, *self._idle):
                self._fleet.kill(worker)

    def _ended(self) -> bool:
        if self._orders.stop.is_set():
            return True
        if self._orders.finish_by is None:
            return False
        self._waiting.clear()
        return time.monotonic() > self._orders.finish_by or not any(w.doing == "answer" for w in self._fleet.busy)

    # --- starting -----------------------------------------------------------------------------------------------------

    @property
    def _most(self) -> int:
        """Most models loaded at once: as many as the nodes there are now can answer."""
        cpus = sum(node["Resources"].get("CPU", 0.0) for node in self._nodes.values())
        return self._executor.workers or max(1, int(cpus) // (self._settings.threads or 1))

    def _start(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic() and len(self._fleet) < self._most:
            _, _, number = heapq.heappop(self._waiting)
            state = self._states[number]
            worker = self._worker_for(number, state)
            self._fleet.open(worker, number, state.fits)

    def _worker_for(self, number: int, state: _LaneState) -> Worker:
        """An idle worker, or a new one, for which one idle worker ends to make room."""
        avoid = (state.avoid | self._losses.nodes_aside() | self._too_small(number)) & self._nodes.keys()
        if self._idle:
            worker = self._idle.pop()
            if not state.gpus and worker.node_id not in avoid:
                return worker
            self._fleet.kill(worker)
        node = roomiest(self._nodes, avoid, state.gpus) if avoid else None
        return self._fleet.start(state.gpus, node)

    def _too_small(self, number: int) -> set[str]:
        """Ids of nodes whose memory cannot hold the model of a lane that runs on the CPU."""
        lane = self._lanes[number]
        if self._gpus[number] or lane.engine in WITHOUT_MODEL:
            return set()
        return {node_id for node_id, memory in self._memory.items() if memory < memory_needed(lane.model)}

    def _again(self, number: int, wait: float) -> None:
        if self._states[number].todo:
            heapq.heappush(self._waiting, (time.monotonic() + wait, next(self._order), number))

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
            self._next(worker)
            return
        self._fleet.kill(worker)
        failed = tuple(replace(each, node=reply.node, pid=reply.pid, log=reply.lines) for each in reply.refused)
        if not state.refused and self._nodes.keys() - self._losses.nodes_aside() - {worker.node_id}:
            state.refused, state.refused_by, state.avoid = failed, worker, {worker.node_id}
            self._again(worker.lane, 0.0)
            return
        first = state.refused or failed
        self._fail(worker.lane, {job: first[job] for job in state.todo})

    def _answered(self, worker: Worker, reply: KeptReply, answer: SentOutcome) -> None:
        state, job = self._states[worker.lane], worker.job
        assert job is not None
        found = {"batch_size": answer.batch_size, "token_budget": answer.token_budget}
        state.fits |= {name: fits for name, fits in found.items() if fits is not None and self._is_less(name, fits)}
        before = self._losses.before((worker.lane, job))
        extra = {"node": reply.node, "log": reply.lines} if answer.failed else {}
        number = worker.lane
        if answer.poisoned and state.todo:
            self._fleet.open(worker, number, state.fits, fresh=True)
        else:
            self._next(worker)
        self._out.send("outcome", (number, job, answer.outcome, {**extra, "losses": before}))

    def _is_less(self, name: str, value: int) -> bool:
        asked = getattr(self._settings, name)
        return asked is None or value < asked

    def _next(self, worker: Worker) -> None:
        state = self._states[worker.lane]
        if state.todo and self._orders.finish_by is None:
            self._fleet.answer(worker, state.todo.popleft())
        else:
            # a GPU's memory is only known to be free when the process that used it has ended
            self._fleet.close(worker, end=worker.gpus > 0 or not self._waiting)

    def _closed(self, worker: Worker, back: KeptReply | Loss) -> None:
        if isinstance(back, Loss):  # it was killed already
            return
        if self._waiting and back.ending is None and not worker.gpus:
            self._idle.append(worker)
        else:
            self._fleet.kill(worker)

    def _lost(self, worker: Worker, loss: Loss, *, keeper_lives: bool) -> None:
        """A try ended without an answer: it is repeated, here or elsewhere, or fails."""
        number, job = worker.lane, worker.job
        lane, state, what = self._lanes[number], self._states[number], (number, job)
        wait = self._losses.wait_after(what, loss, opening=job is None)
        if job is None and loss.kind == "machine":
            self._charge(worker, loss.words)
        if wait is None:
            before = self._losses.before(what)
            doing = f"loading {lane.model.name}" if job is None else "answering this cell"
            jobs = [*state.todo] if job is None else [job]
            self._fail(number, {each: _died(loss, doing, before, lane.jobs[each].cell) for each in jobs})
        elif job is not None:
            state.todo.appendleft(job)
        if loss.kind == "cell" and state.todo:
            self._fleet.open(worker, number, state.fits, fresh=True)
            return
        if keeper_lives:
            self._fleet.kill(worker)
        if wait is not None:
            of = lane.model.name if job is None else lane.jobs[job].cell.label
            log.warning("%s: %s; tried again in %s", of, loss.words, duration(wait))
            state.avoid = {worker.node_id}
        self._again(number, wait or 0.0)

    def _charge(self, worker: Worker, words: str) -> None:
        """Note that a worker could not start on its node, which is put aside after the second time."""
        if worker.node_id and self._losses.put_aside(worker.node_id):
            log.warning("node %s is put aside, as workers could not start there: %s", worker.node, words)

    def _fail(self, number: int, failures: Mapping[int, CellFailure]) -> None:
        """Record failures of jobs of a lane, which are not tried again."""
        for job, failed in failures.items():
            self._out.send("outcome", (number, job, pickle.dumps(failed), {}))
        self._states[number].todo = deque(job for job in self._states[number].todo if job not in failures)

    # --- what it is at ------------------------------------------------------------------------------------------------

    def _look_at_nodes(self) -> None:
        if time.monotonic() - self._looked_at > _CLUSTER_SECONDS:
            before, self._nodes = self._nodes, alive()
            self._looked_at = time.monotonic()
            new = {node_id: node for node_id, node in self._nodes.items() if node_id not in before}
            if new and self._executor.address is not None:
                log.info("%s joined", counted(len(new), "node"))
                for node_id, seen in looked_at(new, self._lanes, self._environment(0.0), seconds=10.0).items():
                    if problem := lacks(seen, on_gpu=any(self._gpus)):
                        self._losses.put_aside_at_once(node_id)
                        log.warning("%s; it is put aside", problem)
                    elif seen.answer:
                        self._memory[node_id] = seen.answer["memory"]

    def _check_nodes(self) -> None:
        """Look at every node before the first cell; a private Ray has this machine alone."""
        if self._executor.address is None:
            check_this_machine(self._lanes, self._gpus)
            return
        seen = looked_at(self._nodes, self._lanes, self._environment(0.0))
        check_nodes(list(seen.values()), self._lanes, self._gpus)
        self._memory |= {node_id: each.answer["memory"] for node_id, each in seen.items() if each.answer}

    def _tell(self) -> None:
        at = tuple(self._workplace(worker) for worker in self._fleet.busy if worker.doing != "close")
        if at != getattr(self, "_told", None):
            self._told = at
            self._out.send("at", at)

    def _workplace(self, worker: Worker) -> Workplace:
        lane = self._lanes[worker.lane]
        return Workplace(
            model=lane.model.name,
            cell=lane.jobs[worker.job].cell.label if worker.job is not None else None,
            node=worker.node,
            pid=worker.pid,
            gpus=worker.gpus,
        )

    def _environment(self, gpus: float) -> Mapping[str, str]:
        """Variables of a model's process."""
        variables = {name: os.environ[name] for name in self._executor.forwarded if name in os.environ}
        variables["TOKENIZERS_PARALLELISM"] = "false"
        if self._settings.threads:
            variables["OMP_NUM_THREADS"] = str(self._settings.threads)
        if not gpus and not self._settings.device.startswith("cuda"):
            variables["CUDA_VISIBLE_DEVICES"] = ""  # Ray shows every GPU to actors that request none
        return variables


def _died(loss: Loss, doing: str, before: tuple[str, ...], cell: Cell) -> CellFailure:
    """The failure of a cell whose process is gone."""
    by_machine = loss.kind == "machine"
    hint = "; often for lack of memory: try fewer --workers or a smaller --batch-size" if by_machine else ""
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
