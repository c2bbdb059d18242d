"""Scores of groups: what lm-eval's `aggregate_metric_list` says, of the results of all tasks of the group."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.lm_eval_tasks.groups import OtherTasks, TaskGroup
from harness.catalog.lm_eval_tasks.index import TaskIndex
from harness.group_scores import group_scores
from harness.leaderboard import AVERAGE, wide_table
from harness.records import CellResult
from harness.specs import MetricSpec
from tests.builders import cell, model, result, task


def of(name: str, values: tuple[float, ...], **changes: Any) -> CellResult:
    spec = task(name, metrics=(MetricSpec(name="acc", chance=0.25),), digest=name.ljust(12, "0")[:12])
    return result(cell(of=spec, **{"shots": 5, **changes}), values=values)


def group(*tasks: str, **entry: Any) -> TaskGroup:
    return TaskGroup(name="mmlu", tasks=tasks, aggregate=({"metric": "acc", **entry},))


HALF, MOST = (1.0, 0.0), (1.0, 1.0, 1.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("entry", "value", "how"),
    [
        ({"weight_by_size": True}, (1 + 5) / 8, "by documents"),
        ({}, (1 + 5) / 8, "by documents"),  # lm-eval's default
        ({"weight_by_size": False}, (1 / 2 + 5 / 6) / 2, "each the same"),
    ],
)
def test_tasks_count_as_the_group_says(entry: Mapping[str, Any], value: float, how: str) -> None:
    (found,) = group_scores([of("a", HALF), of("b", MOST)], [group("a", "b", **entry)])
    assert found.column == f"mmlu 5-shot (acc, mean of 2 tasks {how})"
    assert found.value == pytest.approx(value)


def test_seeds_are_averaged_first() -> None:
    results = [of("a", HALF, seed=0), of("a", MOST, seed=1), of("b", HALF)]
    (found,) = group_scores(results, [group("a", "b", weight_by_size=False)])
    assert found.value == pytest.approx(((1 / 2 + 5 / 6) / 2 + 1 / 2) / 2)


def test_a_group_of_which_a_task_is_missing_has_no_score() -> None:
    assert [*group_scores([of("a", HALF)], [group("a", "b")])] == []
    mixed = [of("a", HALF, shots=0), of("b", HALF, shots=5)]  # not in the same setting
    assert [*group_scores(mixed, [group("a", "b")])] == []


def test_a_task_without_the_metric_is_not_in_the_score() -> None:
    spec = task("c", metrics=(MetricSpec(name="f1"),), digest="c" * 12)
    results = [of("a", HALF), of("b", MOST), result(cell(of=spec, shots=5), values=HALF)]
    (found,) = group_scores(results, [group("a", "b", "c")])
    assert found.column == "mmlu 5-shot (acc, mean of 2 tasks by documents)"


def test_a_metric_that_no_task_has_gives_no_score() -> None:
    assert [*group_scores([of("a", HALF)], [TaskGroup(name="g", tasks=("a",), aggregate=({"metric": "f1"},))])] == []


def test_the_leaderboard_has_a_column_that_is_not_averaged() -> None:
    results = [of("a", HALF), of("b", MOST), of("a", HALF, model=model(2000))]
    plain, table = wide_table(results), wide_table(results, groups=[group("a", "b")])
    column = "mmlu 5-shot (acc, mean of 2 tasks by documents)"
    assert list(table.columns) == [*plain.columns, column]
    assert table[AVERAGE].equals(plain[AVERAGE])
    assert table[column].notna().tolist() == [True, False]


def test_groups_are_found_whose_tasks_are_all_there() -> None:
    scored = [{"metric": "acc"}]
    index = TaskIndex(
        folder=Path("x"),
        tasks={name: [f"{name}.yaml", "multiple_choice"] for name in "abc"},
        groups={
            "all": {"file": "all.yaml", "task": ["some", "c"], "aggregate": scored, "changes": {}},
            "some": {"file": "some.yaml", "task": ["letters"], "aggregate": scored, "changes": {}},
            "plain": {"file": "plain.yaml", "task": ["a"], "aggregate": [], "changes": {}},
        },
        tags={"letters": ["a", "b"]},
    )
    others = OtherTasks([index])
    assert [(found.name, found.tasks) for found in others.groups_of({"a", "b"})] == [("some", ("a", "b"))]
    assert [found.name for found in others.groups_of({"a", "b", "c", "d"})] == ["all", "some"]
