"""The nodes of a Ray cluster during a run: who is there, what each can hold, and which are of no use.

Before the first cell every node is looked at, and the run is refused when one lacks something. A node that joins later
is looked at as well, and put aside when it lacks something.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.engines.protocol import WITHOUT_MODEL, EngineSettings
from harness.executors.protocol import ExecutorSettings
from harness.executors.ray.fleet import alive, gpu_sizes
from harness.executors.ray.gpus import is_managed, seen, worker_needs
from harness.executors.ray.memory import memory_needed
from harness.executors.ray.preflight import check_nodes, check_this_machine, lacks, looked_at
from harness.schedule import Lane, Need, Node
from harness.wording import counted

log = logging.getLogger(__name__)

_CLUSTER_SECONDS = 5.0
"""Time between two looks at the nodes of the cluster."""
_JOINING_SECONDS = 10.0
"""Time that a node which joins has to say what it has."""


class Changes(NamedTuple):
    """What has changed since the last look."""

    joined: tuple[Node, ...] = ()
    """Nodes that have come."""
    left: tuple[str, ...] = ()
    """Ids of nodes that have gone."""
    useless: tuple[str, ...] = ()
    """Ids of those of the former that lack something, which has been said."""


class Nodes:
    """The live nodes, as of the last look."""

    def __init__(self, lanes: Sequence[Lane], settings: EngineSettings, executor: ExecutorSettings) -> None:
        """Look at the nodes.

        Raises:
            MachineError: no node can ever hold a model.
        """
        self._lanes, self._settings, self._executor = lanes, settings, executor
        self._known = alive()
        self._looked_at = time.monotonic()
        self._gpu_bytes = gpu_sizes(self._known, executor.gpu_bytes)
        self._memory: dict[str, float] = {}
        grows = is_managed(list(self._known.values()))
        self.needs: tuple[Need, ...] = tuple(
            worker_needs(lane, settings.device, self.places(), grows=grows) for lane in lanes
        )
        """What a worker of each lane takes."""

    def __len__(self) -> int:
        return len(self._known)

    @property
    def ids(self) -> frozenset[str]:
        """Ray's names of the nodes."""
        return frozenset(self._known)

    def places(self) -> list[Node]:
        """The nodes as places for models."""
        return [self._node(name) for name in self._known]

    def check(self) -> None:
        """Look at every node before the first cell; a private Ray has this machine alone.

        Raises:
            MachineError: a node lacks something.
        """
        gpus = [need.gpus for need in self.needs]
        if self._executor.address is None:
            check_this_machine(self._lanes, gpus)
            return
        found = looked_at(self._known, self._lanes, variables(self._settings, self._executor, 0.0))
        check_nodes(list(found.values()), self._lanes, gpus)
        self._memory |= {name: each.answer["memory"] for name, each in found.items() if each.answer}

    def look(self) -> Changes:
        """See every few seconds who has come and gone; Ray itself reports the workers that went with a node."""
        if time.monotonic() - self._looked_at < _CLUSTER_SECONDS:
            return Changes()
        before, self._known = self._known, alive()
        self._looked_at = time.monotonic()
        new = [name for name in self._known if name not in before]
        useless: list[str] = []
        if new and self._executor.address is not None:
            log.info("%s joined", counted(len(new), "node"))
            useless = self._examine(new)
        return Changes(
            joined=tuple(self._node(name) for name in new),
            left=tuple(before.keys() - self._known.keys()),
            useless=tuple(useless),
        )

    def too_small(self, number: int) -> set[str]:
        """Ids of nodes whose memory cannot hold the model of a lane that runs on the CPU."""
        lane = self._lanes[number]
        if self.needs[number].gpus or lane.engine in WITHOUT_MODEL:
            return set()
        return {name for name, memory in self._memory.items() if memory < memory_needed(lane.model)}

    def _examine(self, names: Sequence[str]) -> list[str]:
        """Those of some new nodes that lack something; it is said what."""
        new = {name: self._known[name] for name in names}
        around = variables(self._settings, self._executor, 0.0)
        useless = []
        for name, found in looked_at(new, self._lanes, around, seconds=_JOINING_SECONDS).items():
            if problem := lacks(found, on_gpu=any(need.gpus for need in self.needs)):
                useless.append(name)
                log.warning("%s; it is put aside", problem)
            elif found.answer:
                self._memory[name] = found.answer["memory"]
        return useless

    def _node(self, name: str) -> Node:
        return seen(self._known[name], threads=self._settings.threads, gpu_bytes=self._gpu_bytes.get(name))


def variables(settings: EngineSettings, executor: ExecutorSettings, gpus: float) -> Mapping[str, str]:
    """Variables of a model's process that has so many GPUs."""
    found = {name: os.environ[name] for name in executor.forwarded if name in os.environ}
    found["TOKENIZERS_PARALLELISM"] = "false"
    if settings.threads:
        found["OMP_NUM_THREADS"] = str(settings.threads)
    if not gpus and not settings.device.startswith("cuda"):
        found["CUDA_VISIBLE_DEVICES"] = ""  # Ray shows every GPU to actors that request none
    return found
