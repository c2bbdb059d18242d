"""A report of hundreds of tasks: all of them in the tables, figures of those that do most."""

from dataclasses import replace
from typing import Any

import pytest

from harness.analysis.verdict import study
from harness.report import drawn, report_page
from harness.report.drawn import drawn_tasks
from tests.builders import SIZES, grown, task
from tests.builders.curves import RISE

FLAT = [50] * 8


@pytest.fixture
def of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a page could hold two tasks."""
    monkeypatch.setattr(drawn, "MOST_TASKS", 3)
    monkeypatch.setattr(drawn, "FEWER_TASKS", 2)


def of_tasks(*right: list[int]) -> Any:
    results = [one for number, scores in enumerate(right) for one in grown(scores, of=task(f"task{number}"))]
    return study([replace(one, samples=()) for one in results])


@pytest.mark.usefixtures("of_few")
def test_a_large_study_has_figures_of_the_tasks_that_do_most() -> None:
    made = of_tasks(FLAT, FLAT, RISE, FLAT)
    assert {name for _, _, name in drawn_tasks(made)} == {"task2", "task0"}
    page = report_page(made)
    assert page.count("<section>") == 2
    assert all(f">task{number}</a>" in page for number in range(4))
    assert "other 2 are in the tables" in page
    assert 'href="#task-toy-task1"' not in page


@pytest.mark.usefixtures("of_few")
def test_a_study_that_fits_has_figures_of_every_task() -> None:
    page = report_page(of_tasks(FLAT, RISE, FLAT))
    assert page.count("<section>") == 3
    assert "are in the tables" not in page


def test_many_models_are_rows_of_the_heat_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.report._MODELS_ACROSS", 3)
    monkeypatch.setattr("harness.report.report._MODELS_DOWN", 5)
    made: list[Any] = []
    report_page(of_tasks(RISE), each_figure=lambda name, figure: made.append((name, figure)))
    maps = [figure.data[0] for name, figure in made if name.endswith("leaderboard")]
    assert [(len(one.y), len(one.x)) for one in maps] == [(5, 1), (3, 1)]
    assert [*maps[0].y, *maps[1].y] == [f"toy-{size}" for size in SIZES]
