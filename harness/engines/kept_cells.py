"""What cells asked of one model, kept for the next: models of a family most often read a text as the same tokens.

Rendering and encoding the prompts of a cell takes longer than a small model takes to answer them. What is kept stays
until the process ends: models ask the same cells in the same order, so that dropping the oldest ones would drop each
just before it is needed. When the room is used up, further cells are prepared anew for each model.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Generic, TypeVar

from harness.plan import Cell
from harness.specs import ModelSpec, TaskSpec

MOST_TOKENS = 4_000_000
"""Tokens of the texts that are kept, of up to 36 bytes each."""
_ANY_MODEL = ModelSpec(name="any", family="any", params=1)

T = TypeVar("T")


class KeptCells(Generic[T]):
    """Prepared cells, by what they ask."""

    def __init__(self, most_tokens: int = MOST_TOKENS) -> None:
        self._room = most_tokens
        self._kept: dict[Hashable, tuple[TaskSpec, T]] = {}

    def find(self, cell: Cell, task: TaskSpec, how: Hashable) -> T | None:
        """What an earlier model was asked; None when there was none, or it was asked something else.

        Args:
            cell: the cell, whose model may be another one.
            task: the cell's task.
            how: all that else decides what is asked.
        """
        known, kept = self._kept.get(_key(cell, how), (None, None))
        return kept if known == task else None

    def keep(self, cell: Cell, task: TaskSpec, how: Hashable, prepared: T, tokens: int) -> None:
        """Keep what a cell asks, if there is room for its tokens; other arguments as of `find`."""
        key = _key(cell, how)
        if tokens <= self._room and key not in self._kept:
            self._room -= tokens
            self._kept[key] = task, prepared


def _key(cell: Cell, how: Hashable) -> Hashable:
    return replace(cell, model=_ANY_MODEL), how
