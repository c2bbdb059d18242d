"""Free places on the nodes: worker processes, whole GPUs and parts of them, memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.schedule.hardware import Need, Node

_LEAST = 1e-9


class Spot(NamedTuple):
    """What one worker has taken."""

    node: str
    """Name of the node."""
    gpus: tuple[int, ...]
    """Numbers of its GPUs there."""
    need: Need
    """How much of each."""


@dataclass(kw_only=True, slots=True)
class _Free:
    node: Node
    workers: int
    gpus: list[float]
    """Free part of each GPU."""
    memory: float
    used: int = 0
    kept_for: int | None = None
    """Lane that waits for GPUs of this node, which is given to no other; None for none."""
    kept_gpus: float = 0.0
    """GPUs that a worker of that lane takes."""


class Places:
    """What is free, and who waits for it."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes: dict[str, _Free] = {}
        for node in nodes:
            self.join(node)

    @property
    def gpus(self) -> int:
        """Number of GPUs of all nodes."""
        return sum(free.node.gpus for free in self._nodes.values())

    @property
    def workers(self) -> int:
        """Number of workers that all nodes may have."""
        return sum(free.node.workers for free in self._nodes.values())

    def able(self, need: Need) -> frozenset[str]:
        """Names of the nodes that take such a worker when they are free; a cluster's head often takes none."""
        nodes = {name: free.node for name, free in self._nodes.items()}
        return frozenset(name for name, node in nodes.items() if node.workers >= 1 and node.gpus >= need.gpus)

    def hold(self, need: Need) -> int:
        """Number of workers that would find a place if all were free."""
        if not need.gpus:
            return self.workers
        each = (
            node.node.gpus * round(1 / need.gpus) if need.gpus < 1 else node.node.gpus // need.gpus
            for node in self._nodes.values()
        )
        return int(sum(each))

    def join(self, node: Node) -> None:
        """Add a node."""
        memory = float("inf") if node.memory is None else node.memory
        self._nodes[node.name] = _Free(node=node, workers=node.workers, gpus=[1.0] * node.gpus, memory=memory)

    def leave(self, name: str) -> None:
        """Take a node away."""
        self._nodes.pop(name, None)

    def take(self, need: Need, lane: int, avoid: Collection[str] = ()) -> Spot | None:
        """The fullest place that holds a worker, so that large models find nodes that are empty; None for none.

        Args:
            need: what the worker takes.
            lane: position of its lane.
            avoid: names of nodes that are not used.
        """
        best: tuple[float, _Free, tuple[int, ...]] | None = None
        for name, free in self._nodes.items():
            if free.workers < 1 or free.kept_for not in (None, lane) or name in avoid:
                continue
            found = self._fit(free, need)
            if found is not None and (best is None or found[0] < best[0]):
                best = (found[0], free, found[1])
        if best is None:
            return None
        _, free, numbers = best
        spot = Spot(node=free.node.name, gpus=numbers, need=need)
        self._change(free, spot, -1)
        for each in self._nodes.values():
            if each.kept_for == lane:
                each.kept_for = None
        return spot

    def free(self, spot: Spot) -> None:
        """Give back what a worker had; a node that has left has nothing to get back."""
        if (free := self._nodes.get(spot.node)) is not None:
            self._change(free, spot, +1)

    def keep(self, need: Need, lane: int) -> None:
        """Keep a node for a lane that needs several GPUs of one node, which would never be free together by chance."""
        if need.gpus <= 1 or any(free.kept_for == lane for free in self._nodes.values()):
            return
        able = [f for f in self._nodes.values() if f.node.gpus >= need.gpus and f.kept_for is None]
        if able:
            chosen = max(able, key=lambda f: sum(f.gpus))
            chosen.kept_for, chosen.kept_gpus = lane, need.gpus

    def keep_for_none_of(self, lanes: Collection[int]) -> None:
        """Keep no node for these lanes any more, as they have nothing left that a worker could begin."""
        for free in self._nodes.values():
            if free.kept_for in lanes:
                free.kept_for = None

    def is_kept(self, node: str, lane: int, need: Need) -> bool:
        """True when workers of this lane are to leave the node, since a lane whose model is larger waits for it.

        Models of one size wait for each other's end: if each made way for the next, all would be loaded in turns.
        """
        free = self._nodes.get(node)
        return free is None or (free.kept_for not in (None, lane) and free.kept_gpus > need.gpus)

    @staticmethod
    def _fit(free: _Free, need: Need) -> tuple[float, tuple[int, ...]] | None:
        """How much is left over where the worker fits best on one node, and the GPUs it gets; None where it does not.

        A node without workers takes a model of any size on its CPUs, as nothing else could be done with it.
        """
        if not need.gpus:
            if need.memory > free.memory and free.used:
                return None
            return -float(free.workers), ()  # spread over nodes, as memory and caches are shared on each
        if need.gpus < 1:
            fits = [(part - need.gpus, i) for i, part in enumerate(free.gpus) if part >= need.gpus - _LEAST]
            return (min(fits)[0], (min(fits)[1],)) if fits else None
        whole = [i for i, part in enumerate(free.gpus) if part >= 1.0 - _LEAST]
        count = round(need.gpus)
        return (len(whole) - count + 1.0, tuple(whole[:count])) if len(whole) >= count else None

    @staticmethod
    def _change(free: _Free, spot: Spot, sign: int) -> None:
        free.workers += sign
        free.used -= sign
        free.memory += sign * spot.need.memory
        for number in spot.gpus:
            free.gpus[number] += sign * min(1.0, spot.need.gpus)
