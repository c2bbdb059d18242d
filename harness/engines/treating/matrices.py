"""The weights that treatments change: the matrices of linear layers, without embeddings and the output head.

So do bitsandbytes, GPTQ and torchao: embeddings are looked up rather than multiplied, and the head decides the scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from harness.errors import ModelError
from harness.wording import percent

LEAST_SHARE = 0.5
"""Share of the weights outside embeddings and head that has to be in linear layers: a model of which a treatment takes
less would be called treated and is not."""


class Matrix(NamedTuple):
    """The weights of a linear layer, or of the experts of one layer."""

    name: str
    """Path of the module."""
    module: nn.Module
    """The module."""
    attribute: str
    """Name of its parameter."""
    flipped: bool
    """True where each column is what one output is computed from, as in GPT-2, and not each row."""

    @property
    def weight(self) -> Tensor:
        """The weights as the module uses them."""
        return cast(Tensor, getattr(self.module, self.attribute))

    @property
    def rows(self) -> Tensor:
        """A view [..., outputs, inputs] of the weights before they were treated."""
        return turned(self.weight.data, self.flipped)


def turned(weight: Tensor, flipped: bool) -> Tensor:
    """The matrix with inputs along its last dimension, or back again."""
    return weight.transpose(-1, -2) if flipped else weight


def matrices(model: Any) -> list[Matrix]:
    """The matrices that treatments change, each once.

    Args:
        model: a loaded transformers model.

    Raises:
        ModelError: the model is quantised already, or too few of its weights are in linear layers.
    """
    if getattr(model, "hf_quantizer", None) is not None or getattr(model, "is_quantized", False):
        raise ModelError("its weights are quantised already; expected a model with weights of floating point")
    outside = {id(parameter) for parameter in _outside(model)}
    found = list({id(one.weight): one for one in _linear(model) if id(one.weight) not in outside}.values())
    inside = sum(parameter.numel() for parameter in model.parameters() if id(parameter) not in outside)
    share = sum(one.weight.numel() for one in found) / max(1, inside)
    if share < LEAST_SHARE:
        raise ModelError(
            f"{percent(share)} of its weights outside embeddings are in linear layers, which are all that is treated; "
            f"expected {percent(LEAST_SHARE)} or more"
        )
    return found


def _linear(model: Any) -> Iterator[Matrix]:
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | Conv1D):
            yield Matrix(name, module, "weight", isinstance(module, Conv1D))
        elif type(module).__name__.endswith("Experts"):  # transformers has them as one tensor [experts, rows, columns]
            for attribute, parameter in module.named_parameters(recurse=False):
                if parameter.ndim == 3:
                    yield Matrix(
                        f"{name}.{attribute}", module, attribute, bool(getattr(module, "is_transposed", False))
                    )


def _outside(model: Any) -> Iterator[Tensor]:
    """Embeddings of tokens and positions, and the output head, which may be one of them."""
    head = model.get_output_embeddings()
    for module in model.modules():
        if module is head or isinstance(module, nn.Embedding):
            yield from module.parameters(recurse=False)


@torch.no_grad()
def relative_change(before: Tensor, after: Tensor) -> tuple[float, float]:
    """Sum of squares of the differences, and of the weights before."""
    difference = (after.float() - before.float()).square().sum(dtype=torch.float64)
    return float(difference), float(before.float().square().sum(dtype=torch.float64))
