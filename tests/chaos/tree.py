"""The tree engine, with a journal of the cells that it has answered."""

from __future__ import annotations

from harness.engines.tree.lm import TreeEngine
from harness.plan import Cell
from harness.records import CellResult
from harness.specs import TaskSpec
from tests.chaos.simulated import note


class Tree(TreeEngine):
    """A real model."""

    def evaluate(self, cell: Cell, task: TaskSpec) -> CellResult:
        result = super().evaluate(cell, task)
        note(cell)
        return result
