"""Documents to train on: distinct, of the training side alone, and fewer are part of more."""

from __future__ import annotations

import json

import pytest

from harness.catalog import load_catalog
from harness.ladder.benchmark import BENCHMARKS, rows
from harness.ladder.tuning_rows import N_TRAINING, has_rows, training_rows


@pytest.mark.parametrize("task", [name for name in BENCHMARKS if has_rows(name)])
def test_training_rows_are_distinct_and_none_is_a_test_document(task: str) -> None:
    found = training_rows(task)
    content = [json.dumps({k: v for k, v in row.items() if k != "id"}, sort_keys=True) for row in found]
    tests = {json.dumps({k: v for k, v in row.items() if k != "id"}, sort_keys=True) for row in rows(task, "test")}
    assert len(set(content)) == len(found) > N_TRAINING // 4
    assert not tests & set(content)
    assert training_rows(task, 10) == found[:10]
    assert found[0].keys() == rows(task, "test")[0].keys()


def test_the_catalogue_knows_which_tasks_can_be_learnt() -> None:
    tasks = load_catalog().tasks
    assert {name for name, task in tasks.items() if task.training == "generated"} == set(filter(has_rows, BENCHMARKS))
    assert tasks["skill_shift"].training is None
    assert tasks["xsum"].training == "split"
