"""Measures of how large a model is, along which curves are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

Scale = Literal["params", "params_non_embedding", "params_active", "flops", "tokens", "loss"]
"""Parameters (all of them, those outside the embeddings, or those used per token), training compute, training tokens,
or the loss of the model."""
SCALES: tuple[Scale, ...] = get_args(Scale)
"""Every axis, the usual one first."""
OF_PARAMETERS: frozenset[Scale] = frozenset(("params", "params_non_embedding", "params_active"))
"""Axes on which training moves no model."""
AXIS_TITLES: Mapping[Scale, str] = {
    "params": "Parameters (log scale)",
    "params_non_embedding": "Parameters outside the embeddings (log scale)",
    "params_active": "Parameters used per token (log scale)",
    "flops": "Training compute 6ND, FLOPs (log scale)",
    "tokens": "Training tokens (log scale)",
    "loss": "Loss of the model (smaller is better)",
}
"""Titles of the x axis."""
NOT_KNOWN: Mapping[Scale, str] = {
    "params": "parameters not known",
    "params_non_embedding": "parameters outside the embeddings not known",
    "params_active": "parameters used per token not known",
    "flops": "training tokens not known",
    "tokens": "training tokens not known",
    "loss": "loss not known",
}
"""Why a model has no place on the x axis."""


def position(scale: Scale, x: float) -> float:
    """The position of a size or loss on a scale that rises with ability: log10 of a size, and minus a loss.

    >>> position("params", 1e9), position("loss", 2.5)
    (9.0, -2.5)
    """
    return -x if scale == "loss" else math.log10(x)


def scale_value(scale: Scale, position: float) -> float:
    """The size or loss at a position, the inverse of `position`.

    >>> scale_value("params", 9.0), scale_value("loss", -2.5)
    (1000000000.0, 2.5)
    """
    return -position if scale == "loss" else 10.0**position
