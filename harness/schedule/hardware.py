"""What a loaded model needs of a machine: GPUs, or parts of one, and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import MachineError
from harness.specs import ModelSpec

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of one parameter."""
MARGIN = 1.2
"""Memory of a model over that of its weights: keys, values, activations."""
CONTEXT_BYTES = 1.5e9
"""What a process takes of a GPU before it loads anything, and the logits of one forward pass."""
USABLE = 0.95
"""Part of a GPU's memory that models can have."""
SHARES = (1, 2, 3, 4, 5, 8, 10)
"""How many models of one size may share a GPU."""
BUSY_PARAMS = 1e9
"""Parameters of the models on a GPU together that keep it busy: with more they would wait for each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One machine, as far as placing models goes."""

    name: str
    """What tells it from the others."""
    workers: int
    """Worker processes that its CPUs allow."""
    gpus: int = 0
    """Number of GPUs."""
    gpu_bytes: float | None = None
    """Memory of one GPU; None when it is not known."""
    memory: float | None = None
    """Memory for models that run on the CPU, in bytes; None for no limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What one worker of a lane takes of a node."""

    gpus: float = 0.0
    """Whole GPUs of one node, or a fraction of one; 0 for the CPU."""
    memory: float = 0.0
    """Memory of the machine in bytes; 0 where weights lie on a GPU."""


def weight_bytes(model: ModelSpec) -> float:
    """Memory of a model's weights."""
    return float(model.params * BYTES.get(model.dtype, 4))


def needs(model: ModelSpec, nodes: Sequence[Node]) -> Need:
    """What a worker of this model takes of one of these nodes.

    A family file may say how many GPUs; where it is silent, they follow from the parameters, the number format and the
    memory of a GPU: a fraction for a small model, a whole GPU, or several of one node, in powers of two so that
    the heads of any model can be shared among them. What a file says is raised where it would overfill a GPU.

    Raises:
        MachineError: no node can hold the model.

    >>> big = ModelSpec(name="big", family="f", params=70_000_000_000, dtype="bfloat16")
    >>> needs(big, [Node(name="a", workers=8, gpus=8, gpu_bytes=80e9)]).gpus
    4.0
    """
    with_gpus = [node for node in nodes if node.gpus]
    if model.gpus == 0 or (model.gpus is None and not with_gpus):
        return Need(memory=MARGIN * weight_bytes(model))
    if model.gpus is not None and model.gpus > 1 and model.gpus != int(model.gpus):
        raise MachineError(f"{model.name} asks for {model.gpus:g} GPUs; expected a fraction of one or a whole number")
    largest = max((node.gpus for node in with_gpus), default=0)
    # of the smallest GPU, since nothing says on which node a model will lie
    gpu_bytes = min((node.gpu_bytes for node in with_gpus if node.gpu_bytes), default=None)
    asked = _asked(model, gpu_bytes, largest)
    if asked > largest:
        raise MachineError(_too_large(model, asked, largest, gpu_bytes))
    return Need(gpus=asked)


def _asked(model: ModelSpec, gpu_bytes: float | None, largest: int) -> float:
    """GPUs of one worker: what the family file says, or more where that cannot hold the weights."""
    if gpu_bytes is None:
        return model.gpus or 1.0
    if model.gpus is not None and model.gpus >= 1 and weight_bytes(model) <= model.gpus * USABLE * gpu_bytes:
        return model.gpus
    return max(model.gpus or 0.0, _least(model, gpu_bytes, largest))


def _least(model: ModelSpec, gpu_bytes: float, largest: int) -> float:
    """The fewest GPUs whose memory holds the model."""
    room = USABLE * gpu_bytes
    wanted = MARGIN * weight_bytes(model) + CONTEXT_BYTES
    if wanted <= room:
        busy = model.params_active or model.params
        return 1.0 / max(n for n in SHARES if n == 1 or (n * wanted <= room and n * busy <= BUSY_PARAMS))
    # every GPU holds its own context and its part of the weights
    least = math.ceil(MARGIN * weight_bytes(model) / max(1.0, room - CONTEXT_BYTES))
    power = 2 ** math.ceil(math.log2(max(2, least)))
    return float(power if power <= largest or least > largest else largest)


def _too_large(model: ModelSpec, asked: float, largest: int, gpu_bytes: float | None) -> str:
    if model.gpus is not None and model.gpus >= asked:
        return (
            f"{model.name} asks for {model.gpus:g} GPU(s) and the largest node has {largest:g}; expected a node with "
            "enough, --device cpu, or a choice of other models"
        )
    size = f" of {gpu_bytes / 1e9:.0f} GB" if gpu_bytes else ""
    return (
        f"{model.name} needs {asked:g} GPUs{size} on one node ({weight_bytes(model) / 1e9:.0f} GB of weights in "
        f"{model.dtype}) and the largest node has {largest:g}; expected a node with enough, a smaller dtype, or a "
        "choice of other models"
    )
