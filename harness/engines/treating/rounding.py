"""Weights as whole numbers times a scale, kept so in memory and multiplied out each time a layer uses them.

It works in the layer that is there, whatever its class, because the weight stays an attribute of it (a parametrisation
of torch): the tree engine, lm-eval's code and several GPUs see an ordinary model. That costs time, where kernels for
whole numbers would save some; what is measured is the ability that is left, and the room that the weights take.

torch's own dynamic quantisation has one scale for all inputs of a batch, so that an answer would depend on what else is
asked at the same time. Here each token has a scale of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils import parametrize

from harness.engines.treating.matrices import Matrix, turned
from harness.errors import ModelError
from harness.treatments import Quantise

NIBBLE = 4
"""Whole numbers of so many bits or fewer lie two in a byte."""
INPUT_BITS = 8


class Rounded(nn.Module):
    """Whole numbers and scales -> weights, and back: w ≈ scale · n with |n| < 2^(bits-1), the nearest of them.

    The error of a weight is at most half its scale (and one rounding of the model's number format).
    """

    def __init__(self, weight: Tensor, how: Quantise, *, flipped: bool) -> None:
        """`weight`: to be rounded; `flipped`: as of `Matrix`."""
        super().__init__()
        self.dtype, self.flipped = weight.dtype, flipped
        self.columns = turned(weight, flipped).shape[-1]
        self.width = how.group or self.columns
        self.most = 2 ** (how.bits - 1) - 1
        self.in_nibbles = how.bits <= NIBBLE

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The whole numbers [..., groups, width] and the scales [..., groups, 1] of weights."""
        rows = turned(weight, self.flipped).float()
        padded = pad(rows, (0, -self.columns % self.width))
        groups = padded.reshape(*padded.shape[:-1], -1, self.width)
        scales = groups.abs().amax(dim=-1, keepdim=True) / self.most
        scales = torch.where(scales == 0, 1.0, scales)  # a row of zeros
        numbers = (groups / scales).round().clamp(-self.most, self.most).to(torch.int8)
        return (_in_nibbles(numbers) if self.in_nibbles else numbers), scales

    def forward(self, numbers: Tensor, scales: Tensor) -> Tensor:
        """The weights."""
        whole = _from_nibbles(numbers, self.width) if self.in_nibbles else numbers
        rows = (whole * scales).flatten(-2)[..., : self.columns].to(self.dtype)
        return turned(rows, self.flipped)


def _in_nibbles(numbers: Tensor) -> Tensor:
    even = (pad(numbers, (0, numbers.shape[-1] % 2)) + 8).to(torch.uint8)
    return even[..., ::2] | (even[..., 1::2] << 4)


def _from_nibbles(packed: Tensor, width: int) -> Tensor:
    both = torch.stack((packed & 15, packed >> 4), dim=-1).flatten(-2)
    return both[..., :width].to(torch.int8) - 8


def round_weights(matrix: Matrix, how: Quantise) -> int:
    """Round a matrix where it lies; return the bits that it takes when it is packed.

    Raises:
        ModelError: its inputs are to be rounded too, and the layer does not say what they are.
    """
    if how.activations and not hasattr(matrix.module, "bias"):
        raise ModelError(
            f"{matrix.name}: the inputs of experts cannot be rounded; expected a treatment of weights alone"
        )
    weight = matrix.weight
    weight.requires_grad_(False)  # whole numbers have no gradient
    rounded = Rounded(weight, how, flipped=matrix.flipped)
    parametrize.register_parametrization(matrix.module, matrix.attribute, rounded)
    if how.activations:
        matrix.module.register_forward_pre_hook(_with_rounded_inputs)
    scales = -(-rounded.columns // rounded.width) * (weight.numel() // rounded.columns)
    return weight.numel() * how.bits + scales * 32


def _with_rounded_inputs(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return rounded_inputs(arguments[0]), *arguments[1:]


def rounded_inputs(given: Tensor) -> Tensor:
    """Inputs [..., features] rounded to 8 bits with a scale for each token."""
    exact, most = given.float(), 2 ** (INPUT_BITS - 1) - 1
    scales = exact.abs().amax(dim=-1, keepdim=True) / most
    scales = torch.where(scales == 0, 1.0, scales)
    return ((exact / scales).round() * scales).to(given.dtype)
