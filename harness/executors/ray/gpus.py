"""The nodes of a Ray cluster as places for models, and what each model needs of them."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.engines.protocol import WITHOUT_MODEL
from harness.errors import MachineError
from harness.schedule import Lane, Need, Node, needs

log = logging.getLogger(__name__)

_GROUP = {"ray.io/node-group", "ray.io/node_group"}
"""Labels, by Ray's version, of nodes that Ray's or Kubernetes' autoscaler manages and may add larger nodes to."""

_ASK = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]


def seen(described: Mapping[str, Any], *, threads: int | None, gpu_bytes: float | None) -> Node:
    """A live node, as `ray.nodes()` describes it.

    Args:
        described: its entry.
        threads: CPU threads of one worker; None counts as one.
        gpu_bytes: memory of one of its GPUs; None when it is not known.
    """
    has = described["Resources"]
    return Node(
        name=described.get("NodeID", ""),
        workers=int(has.get("CPU", 0.0)) // (threads or 1),
        gpus=int(has.get("GPU", 0.0)),
        gpu_bytes=gpu_bytes,
        memory=has.get("memory"),
    )


def is_managed(nodes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an autoscaler may add nodes to these."""
    return any(_GROUP & node["Labels"].keys() for node in nodes)


def worker_needs(lane: Lane, device: str, nodes: Sequence[Node], *, grows: bool = False) -> Need:
    """What a worker of the lane takes of one of `nodes`.

    Args:
        lane: its model and engine.
        device: torch device that the user chose.
        nodes: the live nodes.
        grows: True where an autoscaler may add larger ones.

    Raises:
        MachineError: no node can ever hold the model, where Ray itself would wait forever.
    """
    if lane.engine in WITHOUT_MODEL:
        return Need()
    on_cpu = replace(lane.model, gpus=0.0)
    if device == "cpu":
        return needs(on_cpu, nodes)
    if device == "auto" and (lane.model.gpus or 0.0) < 1 and not any(node.gpus for node in nodes):
        return needs(on_cpu, nodes)  # models that share a GPU are small enough to run without one
    try:
        return needs(lane.model, nodes)
    except MachineError as short:
        if not grows or not lane.model.gpus or "expected a fraction" in str(short):
            raise
        log.warning("%s: waiting for a larger node, which the cluster's autoscaler may add", str(short).split(";")[0])
        return Need(gpus=lane.model.gpus)


def worker_gpus(lane: Lane, device: str, nodes: Sequence[Mapping[str, Any]]) -> float:
    """GPUs of a worker of the lane on live nodes as Ray describes them; errors as of `worker_needs`."""
    known = [seen(node, threads=1, gpu_bytes=None) for node in nodes]
    return worker_needs(lane, device, known, grows=is_managed(nodes)).gpus


def smallest_gpu() -> float | None:
    """Memory of the smallest GPU of this machine in bytes; None when its driver does not tell. Runs on a node."""
    try:
        said = subprocess.run(_ASK, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    sizes = [float(line) for line in said.split() if line.isdigit()]
    return min(sizes) * 2**20 if sizes else None
