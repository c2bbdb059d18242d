"""One part of a plan, for jobs that share a study without knowing of each other. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from harness.errors import PlanError
from harness.plan.cell import Cell
from harness.plan.sweeping import RunPlan
from harness.specs import TaskSpec

_SLICE = re.compile(r"(\d{1,9})/(\d{1,9})")


class Slice(NamedTuple):
    """The part number `number` of `of` parts, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Slice:
        """The slice that a user wrote, such as `3/16`.

        Raises:
            PlanError: it is none.
        """
        found = _SLICE.fullmatch(text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise PlanError(f"--slice {text}: expected a number from 1 and how many slices there are, such as 3/16")
        return cls(int(found[1]), int(found[2]))


def sliced(plan: RunPlan, part: Slice, seconds: Callable[[Cell, TaskSpec], float]) -> RunPlan:
    """The cells of one slice. All slices together are the plan, and no two share a cell.

    They depend on the plan and on estimates from it alone, not on what is done, so that jobs which start at different
    times agree. Cells of one model stay together: a slice takes about the same time as any other, and loads few models.

    Args:
        plan: everything.
        part: which slice.
        seconds: estimated time of a cell.

    >>> Slice.parse("3/16")
    Slice(number=3, of=16)
    """
    ordered = sorted(
        plan.cells, key=lambda cell: (-cell.model.params, cell.model.name, cell.engine, cell.task, cell.key)
    )
    costs = [seconds(cell, plan.tasks[cell.task]) for cell in ordered]
    total, before, mine = sum(costs), 0.0, []
    for cell, cost in zip(ordered, costs, strict=True):
        middle = before + cost / 2
        if min(part.of - 1, int(part.of * middle / total)) == part.number - 1:
            mine.append(cell)
        before += cost
    kept = frozenset(mine)
    return replace(plan, cells=tuple(cell for cell in plan.cells if cell in kept))
