"""Slices of a plan: together they are the plan, no two share a cell, and each takes about as long."""

from __future__ import annotations

import pytest

from harness.errors import PlanError
from harness.plan import Cell, RunPlan, Slice, sliced
from harness.specs import TaskSpec
from tests import builders

PLAN = RunPlan(
    cells=tuple(
        builders.cell(model=builders.model(size), shots=shots, seed=seed)
        for size in (1000, 4000, 16000, 64000)
        for shots in (1, 2, 4)
        for seed in range(3)
    ),
    tasks={"colours": builders.task()},
)


def seconds(cell: Cell, task: TaskSpec) -> float:
    return float(cell.model.params * cell.shots)


@pytest.mark.parametrize("parts", [1, 2, 7, 36, 50])
def test_slices_are_the_plan_and_share_no_cell(parts: int) -> None:
    cut = [sliced(PLAN, Slice(number, parts), seconds).cells for number in range(1, parts + 1)]
    together = [cell.key for cells in cut for cell in cells]
    assert sorted(together) == sorted(cell.key for cell in PLAN.cells)


def test_slices_take_about_the_same_time_and_load_few_models() -> None:
    cut = [sliced(PLAN, Slice(number, 3), seconds).cells for number in (1, 2, 3)]
    costs = [sum(seconds(cell, PLAN.tasks["colours"]) for cell in cells) for cells in cut]
    assert max(costs) - min(costs) <= max(seconds(cell, PLAN.tasks["colours"]) for cell in PLAN.cells)
    assert sum(len({cell.model.name for cell in cells}) for cells in cut) <= 4 + 2


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "-1/4", "1/0", "1/4/2", ""])
def test_a_slice_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match=r"--slice .*: expected a number from 1 and how many slices there are"):
        Slice.parse(text)
