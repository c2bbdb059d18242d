"""Magnitude pruning: the smallest weights of each matrix become zero. Of equal ones the first do, on every machine."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness.engines.treating.matrices import Matrix
from harness.errors import ModelError
from harness.treatments import Prune


@torch.no_grad()
def prune_weights(matrix: Matrix, how: Prune) -> int:
    """Prune a matrix where it lies; return the bits that it takes when its zeros are packed.

    Raises:
        ModelError: its rows cannot be cut into groups.
    """
    rows = matrix.rows
    if how.group is not None and rows.shape[-1] % how.group:
        raise ModelError(
            f"{matrix.name} has rows of {rows.shape[-1]} weights; expected a multiple of {how.group}, in each of which "
            "some become zero"
        )
    rows.masked_fill_(smallest(rows, how), 0.0)
    bits = 8 * rows.element_size()
    kept = rows.numel() - zeros(rows, how)
    # a bit for each weight says whether it is there; in groups a number for each that is there says which it is
    places = rows.numel() if how.group is None else kept * math.ceil(math.log2(how.group))
    return min(kept * bits + places, rows.numel() * bits)


def smallest(rows: Tensor, how: Prune) -> Tensor:
    """Which of the weights [..., outputs, inputs] become zero; the experts of a layer each by themselves."""
    sizes = rows.float().abs()
    units = sizes.flatten(-2) if how.group is None else sizes.reshape(*sizes.shape[:-1], -1, how.group)
    order = units.argsort(dim=-1, stable=True)[..., : round(how.share * units.shape[-1])]
    return torch.zeros_like(units, dtype=torch.bool).scatter_(-1, order, True).reshape(rows.shape)


def zeros(rows: Tensor, how: Prune) -> int:
    """Number of weights that become zero."""
    unit = math.prod(rows.shape[-2:]) if how.group is None else how.group
    return rows.numel() // unit * round(how.share * unit)
