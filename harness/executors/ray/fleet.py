"""Keepers on Ray: start one, ask it something, see what came back. Decides nothing."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
import ray._private.state
from ray.exceptions import ActorUnschedulableError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from harness.executors.losses import Loss
from harness.executors.ray.gpus import smallest_gpu
from harness.executors.ray.keeper import Keeper, KeptReply
from harness.executors.relocation import package_folders
from harness.executors.vigil import Still
from harness.executors.worker import Duty
from harness.schedule import Lane
from harness.wording import duration

_IP = re.compile(r"\bip(?:=|: )([0-9A-Fa-f.:]+)")
KEEPER_SILENCE = 45.0
"""Most time without a word of a keeper, which says something every `harness.executors.ray.keeper.TELL_SECONDS`."""
_PROBE_SECONDS = 60.0
"""Time that nodes have to tell the memory of their GPUs."""
Environment = Callable[[float], Mapping[str, str]]
"""Variables of a model's process, by the GPUs that it has."""


@dataclass(kw_only=True, slots=True, eq=False)
class Worker:
    """A keeper, and what it has been asked."""

    actor: Any
    """Ray's handle."""
    gpus: float
    """GPUs that it has, or the part of one."""
    node: str = ""
    """Name of its machine; empty until it has answered once."""
    node_id: str = ""
    """Ray's name of the node, a machine may be several; empty until then."""
    pid: int | None = None
    """Number of the model's process, as of the last answer."""
    number: int = -1
    """Number of the worker in the schedule; a keeper that loads another model gets another number."""
    lane: int = -1
    """Position of the lane whose model it has."""
    doing: str = "open"
    """What it is asked now: `open`, `answer` or `close`."""
    job: int | None = None
    """Position of the job that it answers; None while it does something else."""
    since: float = field(default=0.0)
    """When it was asked, by the monotonic clock."""
    heard: float = field(default=0.0)
    """When its keeper last said something about that, or was asked, by the monotonic clock."""
    still: Still | None = None
    """How far it is, as of then; None before it has said so."""


class Fleet:
    """Every keeper of a run."""

    def __init__(self, lanes: Sequence[Lane], duty: Duty, environment: Environment) -> None:
        self._lanes = lanes
        self._shared: dict[int, Any] = {}
        self._duty = duty
        self._environment = environment
        self._folders = package_folders()
        self._asked: dict[Any, Worker] = {}

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def busy(self) -> tuple[Worker, ...]:
        """Workers that have been asked something and have not answered."""
        return tuple(self._asked.values())

    def start(self, gpus: float, node_id: str | None, *, only: bool = False) -> Worker:
        """A new keeper.

        Args:
            gpus: GPUs that it takes, or the part of one.
            node_id: the node that is wanted; None where there is only one.
            only: True when no other node will do.
        """
        options: dict[str, Any] = {"num_cpus": 1, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0}
        if node_id is not None:
            options["scheduling_strategy"] = _on(node_id, only=only)
        made = ray.remote(Keeper).options(**options)
        environment = self._environment(gpus)
        return Worker(actor=made.remote(self._duty, environment, self._folders, on_gpu=gpus > 0), gpus=gpus)

    def open(self, worker: Worker, lane: int, fits: Mapping[str, int], *, fresh: bool = False) -> None:
        """Let a keeper load the model of a lane."""
        if lane not in self._shared:
            self._shared[lane] = ray.put(self._lanes[lane])  # stored once for all workers of the lane
        worker.lane = lane
        self._ask(worker, "open", worker.actor.open.remote(self._shared[lane], dict(fits), fresh=fresh))

    def answer(self, worker: Worker, job: int, seconds: float | None = None, documents: range | None = None) -> None:
        """Let a keeper answer one job of its lane, or some of its documents."""
        self._ask(worker, "answer", worker.actor.answer.remote(job, seconds, documents), job)

    def join(self, worker: Worker, job: int, parts: Sequence[bytes]) -> None:
        """Let a keeper make the outcome of a job from the answers to all its documents."""
        self._ask(worker, "answer", worker.actor.join.remote(job, list(parts)), job)

    def close(self, worker: Worker, *, end: bool) -> None:
        """Let a keeper free its model."""
        self._ask(worker, "close", worker.actor.close.remote(end=end))

    def kill(self, worker: Worker) -> None:
        """End a keeper, its model and all that it started."""
        self._asked = {ref: other for ref, other in self._asked.items() if other is not worker}
        ray.kill(worker.actor)

    def is_pending(self, worker: Worker) -> bool:
        """Whether Ray has not found room for a worker yet."""
        known = ray._private.state.actors(worker.actor._actor_id.hex()) or {}
        return known.get("State", "") not in ("", "ALIVE", "DEAD")

    def room(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Resources of the cluster that are free, and all of them."""
        return ray.available_resources(), ray.cluster_resources()  # type: ignore[no-untyped-call]

    def come_back(self, *, seconds: float) -> list[tuple[Worker, KeptReply | Loss]]:
        """What has come back, after at most so many seconds."""
        if not self._asked:
            return []
        ready, _ = ray.wait(list(self._asked), num_returns=1, timeout=seconds)
        if ready:  # all that is there, so that no worker waits for its turn
            ready, _ = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        back = [(worker, said) for ref in ready for worker, said in [self._read(ref)] if said is not None]
        return [*back, *self._silent()]

    def _ask(self, worker: Worker, doing: str, ref: Any, job: int | None = None) -> None:
        worker.doing, worker.job, worker.since, worker.still = doing, job, time.monotonic(), None
        self._await(worker, ref)

    def _await(self, worker: Worker, ref: Any) -> None:
        worker.heard = time.monotonic()
        self._asked[ref] = worker

    def _silent(self) -> list[tuple[Worker, Loss]]:
        """Workers whose keepers say nothing any more, as when a machine or a network hangs."""
        now = time.monotonic()
        # a keeper that has never said anything may wait for room
        silent = [(ref, w) for ref, w in self._asked.items() if w.node and now - w.heard > KEEPER_SILENCE]
        for ref, _ in silent:
            del self._asked[ref]
        return [(worker, _hung(worker)) for _, worker in silent]

    def _read(self, ref: Any) -> tuple[Worker, KeptReply | Loss | None]:
        """Who has come back with what; nothing for a worker that is still at it, and is waited for again."""
        worker = self._asked.pop(ref)
        back = self._reply(worker, ref)
        if isinstance(back, KeptReply) and back.still is not None:
            worker.still = back.still
            self._await(worker, worker.actor.go_on.remote())
            return worker, None
        return worker, back

    def _reply(self, worker: Worker, ref: Any) -> KeptReply | Loss:
        try:
            reply: KeptReply = ray.get(ref)
        except RayTaskError as error:  # an error of ours in the keeper
            raise error.cause if isinstance(error.cause, Exception) else error from None
        except RayError as error:
            return _lost(worker, error)
        worker.node, worker.node_id, worker.pid = reply.node, reply.node_id, reply.pid
        for record in reply.said:
            logging.getLogger(record.name).handle(record)
        return reply


def _on(node_id: str, *, only: bool) -> NodeAffinitySchedulingStrategy:
    """The strategy that starts an actor on a node; where others of the cluster have taken its room, on another."""
    return NodeAffinitySchedulingStrategy(node_id, soft=not only, _spill_on_unavailable=not only)


def _hung(worker: Worker) -> Loss:
    words = f"its worker on {worker.node} gave no sign of life for {duration(KEEPER_SILENCE)}"
    return Loss(kind="machine", node=worker.node, words=words, pid=worker.pid)


def _lost(worker: Worker, error: RayError) -> Loss:
    """What Ray says about a keeper that is gone, in half a sentence."""
    text = str(error).strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not worker.node:
        worker.node_id, worker.node = _node_of(error, text)
    where = f" on {worker.node}" if worker.node else ""
    if isinstance(error, RayActorError) and error.actor_init_failed:
        words = f"a worker could not start{where}: {lines[-1]}"
    elif isinstance(error, RayActorError) and getattr(error, "preempted", False):
        words = f"the node of its worker{where} was preempted"
    elif "node has died" in text or "node was terminated" in text or "Node" in type(error).__name__:
        words = f"the node of its worker{where} was lost"
    elif "OOM" in text and "memory" in text and "was killed" in text:
        words = f"Ray killed its worker{where}, as the machine ran short of memory"
    else:
        words = f"the keeper of its worker{where} was lost ({type(error).__name__})"
    last = tuple(line[:500] for line in lines[-20:])
    begun = "never ran" not in text and not isinstance(error, ActorUnschedulableError)
    return Loss(kind="machine", node=worker.node, words=words, pid=worker.pid, lines=last, begun=begun)


def _node_of(error: RayError, text: str) -> tuple[str, str]:
    """Ray's name and the machine's name of the node of an actor that never answered; empty where Ray does not know."""
    actor = getattr(error, "actor_id", None)
    node_id = ((ray._private.state.actors(actor) or {}).get("Address", {}) if actor else {}).get("NodeID", "")
    by_id = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes()}  # type: ignore[no-untyped-call]
    match = _IP.search(text)
    return node_id, by_id.get(node_id) or (match[1] if match else "")


def alive() -> dict[str, Mapping[str, Any]]:
    """Id of each node that is there -> what Ray knows of it."""
    return {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]


def gpu_sizes(nodes: Mapping[str, Mapping[str, Any]], told: float | None) -> dict[str, float]:
    """Memory of the smallest GPU of each node in bytes: what the user says, or else what the nodes say.

    Args:
        nodes: as from `alive`.
        told: what the user says; None for nothing.
    """
    with_gpus = [name for name, node in nodes.items() if node["Resources"].get("GPU")]
    if told is not None:
        return dict.fromkeys(with_gpus, told)
    ask = ray.remote(smallest_gpu)
    asked = {name: ask.options(num_cpus=0, scheduling_strategy=_on(name, only=True)).remote() for name in with_gpus}
    if not asked:
        return {}
    ready, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=_PROBE_SECONDS)
    sizes = {name: ray.get(ref) for name, ref in asked.items() if ref in ready}
    return {name: size for name, size in sizes.items() if size}
