"""How far a model's logits along a tree may be from the usual ones."""

from __future__ import annotations

import pytest
import torch

from harness.engines.tree.support import _difference


@pytest.mark.parametrize(
    ("dtype", "layers", "share", "taken"),
    [
        (torch.float32, 32, 5e-4, True),
        (torch.float32, 32, 2e-3, False),
        (torch.bfloat16, 2, 0.04, True),
        (torch.bfloat16, 2, 0.06, False),
        (torch.bfloat16, 32, 0.06, True),
        (torch.float16, 32, 0.15, False),
        (torch.float16, 80, float("nan"), False),
    ],
)
def test_rounding_is_allowed_for_and_nothing_else(dtype: torch.dtype, layers: int, share: float, taken: bool) -> None:
    expected = torch.tensor([[-10.0, 1.0, 5.0]])
    found = expected + torch.tensor([0.0, 10 * share, 0.0])
    assert (_difference(expected, found, dtype, layers) is None) == taken
