"""The simulated engine, slower and with a journal of the cells that it has answered."""

from __future__ import annotations

import os
import time

from harness.engines.simulated import SimulatedEngine
from harness.plan import Cell
from harness.records import CellResult
from harness.specs import TaskSpec

JOURNAL = "EMERGENCE_CHAOS_JOURNAL"
"""Variable with the path of the journal."""
SECONDS = 0.25
"""Time that a cell takes."""


def note(cell: Cell) -> None:
    """Tell the journal that a cell was answered; short lines are appended whole."""
    with open(os.environ[JOURNAL], "a", encoding="utf-8") as journal:
        journal.write(f"{cell.model.family} {cell.key}\n")


class Simulated(SimulatedEngine):
    """An engine without a model, so that most workers start at once."""

    def evaluate(self, cell: Cell, task: TaskSpec) -> CellResult:
        time.sleep(SECONDS)
        result = super().evaluate(cell, task)
        note(cell)
        return result
