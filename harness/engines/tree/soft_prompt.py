"""Vectors that are read before a prompt, as tokens that only the input embedding knows.

Their numbers begin where the vocabulary ends. So a prompt with vectors is a row of tokens like any other: the tree
engine reads it once for all requests that share it, and the output head has no entry for it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class SoftPrompt:
    """The vectors of one input embedding."""

    def __init__(self, embedding: nn.Module) -> None:
        """From now on the embedding looks numbers beyond its vocabulary up here."""
        self._known = int(embedding.weight.shape[0])  # type: ignore[index]
        self._vectors: Tensor | None = None
        self._asked: Tensor | None = None
        embedding.register_forward_pre_hook(self._without)
        embedding.register_forward_hook(self._with)

    def take(self, vectors: Tensor | None) -> tuple[int, ...]:
        """Hold these vectors [tokens, width] in place of those before; return their numbers."""
        self._vectors = vectors
        return () if vectors is None else tuple(range(self._known, self._known + len(vectors)))

    def _without(self, module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        tokens = arguments[0]
        self._asked = tokens if self._vectors is not None and bool((tokens >= self._known).any()) else None
        return None if self._asked is None else (tokens.clamp(max=self._known - 1), *arguments[1:])

    def _with(self, module: nn.Module, arguments: tuple[Any, ...], found: Tensor) -> Tensor | None:
        if self._asked is None or self._vectors is None:
            return None
        beyond = self._asked >= self._known
        rows = self._vectors.to(found.device, found.dtype)[self._asked[beyond] - self._known]
        return found.index_put(torch.nonzero(beyond, as_tuple=True), rows)
