"""How large a model is by the headers of its safetensors files: outside the embeddings, and per token."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.catalog.models.weights import tensors

_EMBEDDING = re.compile(r"(?:.*\.)?(wte|wpe|shared|lm_head|embeddings|embed_\w+|\w+_embeddings?)\.weight")
"""Names of token and position embeddings, and of an output layer that has weights of its own."""
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
"""Keys of a config for the experts of a layer."""
_USED = ("num_experts_per_tok", "num_experts_per_token", "moe_top_k", "moe_k")
"""Keys of a config for the experts that a token uses."""


class ParameterCounts(NamedTuple):
    """Parameters of a model; a tied output layer counts once. The names are those of the keys of a family file."""

    params: int
    """All of them."""
    params_non_embedding: int | None
    """Without token and position embeddings; None where no weight is named like an embedding."""
    params_active: int | None
    """Used per token; None where all are, or where the config does not say how many experts are."""


def sizes_in(files: Iterable[Path], config: Mapping[str, Any], params: int) -> ParameterCounts:
    """What the names of the weights tell beside the number of parameters.

    Args:
        files: the weight files; pickles have no names that can be read without running them, and tell nothing.
        config: content of config.json.
        params: number of all parameters.

    Raises:
        ModelError: a file is damaged.
    """
    found = {name: shape for path in files if path.suffix == ".safetensors" for name, shape in tensors(path).items()}
    embedded = _elements(shape for name, shape in found.items() if len(shape) == 2 and _EMBEDDING.fullmatch(name))
    idle = _idle(config, _elements(shape for name, shape in found.items() if ".experts." in name))
    return ParameterCounts(
        params, params - embedded if 0 < embedded < params else None, params - idle if idle else None
    )


def _elements(shapes: Iterable[Sequence[int]]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _idle(config: Mapping[str, Any], experts: int) -> int:
    """Parameters of the experts that a token does not use."""
    there, used = (next((config[key] for key in keys if type(config.get(key)) is int), 0) for keys in (_EXPERTS, _USED))
    return experts * (there - used) // there if 0 < used < there else 0
