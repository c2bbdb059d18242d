"""How many GPUs a worker asks Ray for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from harness.engines.protocol import WITHOUT_MODEL
from harness.errors import MachineError
from harness.schedule import Lane

log = logging.getLogger(__name__)

_GROUP = {"ray.io/node-group", "ray.io/node_group"}
"""Labels, by Ray's version, of nodes that Ray's or Kubernetes' autoscaler manages and may add larger nodes to."""


def worker_gpus(lane: Lane, device: str, nodes: Sequence[Mapping[str, Any]]) -> float:
    """Number of GPUs for a worker of the lane on a cluster of `nodes`, live nodes as Ray describes them.

    Raises:
        MachineError: no node can ever hold the model, where Ray itself would wait forever.
    """
    model = lane.model
    largest = max((node["Resources"].get("GPU", 0.0) for node in nodes), default=0.0)
    if device == "cpu" or lane.engine in WITHOUT_MODEL:
        return 0.0
    if model.gpus < 1 and not largest and device == "auto":
        return 0.0  # models that share a GPU are small enough to run without one
    if model.gpus > 1 and model.gpus != int(model.gpus):
        raise MachineError(f"{model.name} asks for {model.gpus:g} GPUs; expected a fraction of one or a whole number")
    if model.gpus > largest:
        short = f"{model.name} asks for {model.gpus:g} GPU(s) and the largest node has {largest:g}"
        if not any(_GROUP & node["Labels"].keys() for node in nodes):
            raise MachineError(f"{short}; expected a node with enough, --device cpu, or a choice of other models")
        log.warning("%s: waiting for a larger one, which the cluster's autoscaler may add", short)
    return model.gpus
