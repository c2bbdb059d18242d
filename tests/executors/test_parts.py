"""Several workers share one model's cells, and one cell."""

from __future__ import annotations

import logging

import pytest

from harness.engines.protocol import CUTTING, EngineSettings
from harness.executors.protocol import ExecutorSettings, open_executor
from harness.plan import RunPlan
from harness.records import CellFailure, CellResult, Outcome
from harness.schedule import Lane, lanes
from tests import builders

LONG = builders.task("long", n_docs=2560, config={"simulate": {"sleep": 4.0}})
DEADLY = builders.task("deadly", n_docs=2560, config={"simulate": {"die": True}})


def made() -> tuple[Lane, ...]:
    cells = tuple(builders.cell(of=task) for task in (LONG, DEADLY))
    plan = RunPlan(cells=cells, tasks={task.name: task for task in (LONG, DEADLY)})
    return lanes(plan, seconds=lambda cell, task: 60.0, load_seconds=lambda cell: 0.1, cutting=CUTTING)


@pytest.fixture(scope="module")
def shared() -> tuple[list[Outcome], list[str]]:
    """Outcomes of a run of two workers, and what the workers logged."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("harness")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        outcomes = list(open_executor("ray", ExecutorSettings(workers=2)).run(made(), EngineSettings()))
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
    return outcomes, said


@pytest.mark.ray
def test_two_workers_share_a_cell_and_its_result_is_that_of_one(shared: tuple[list[Outcome], list[str]]) -> None:
    outcomes, said = shared
    [result] = [outcome for outcome in outcomes if outcome.cell.task == "long"]
    [whole] = list(open_executor("inline", ExecutorSettings()).run(made_of_long(), EngineSettings()))
    assert isinstance(result, CellResult)
    assert isinstance(whole, CellResult)
    assert (result.scores, result.samples) == (whole.scores, whole.samples)
    parts = [line for line in said if " long " in line and ", documents " in line]
    assert len(parts) >= 2, said
    assert any("documents 1 to " in line for line in parts)


@pytest.mark.ray
def test_a_cell_whose_parts_kill_their_workers_fails_once(shared: tuple[list[Outcome], list[str]]) -> None:
    outcomes, _ = shared
    [failure] = [outcome for outcome in outcomes if outcome.cell.task == "deadly"]
    assert isinstance(failure, CellFailure)
    assert failure.error == "WorkerDied"


def made_of_long() -> tuple[Lane, ...]:
    return lanes(RunPlan(cells=(builders.cell(of=LONG),), tasks={"long": LONG}))
