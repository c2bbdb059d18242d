"""The trainings that a results folder keeps, as their cards tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.store.trainings import trainings
from tests.builders.trained import training_card


def test_trainings_come_by_task_and_then_by_size_of_model(tmp_path: Path) -> None:
    for model, task in (("toy-12k", "topic"), ("toy-4k", "topic"), ("toy-12k", "add_2")):
        training_card(tmp_path, model=model, task=task)
    found, problems = trainings(tmp_path)
    assert [(one.task, one.model) for one in found] == [("add_2", "toy-12k"), ("topic", "toy-4k"), ("topic", "toy-12k")]
    assert problems == ()
    assert found[0].loss == ((10, 2.0), (20, 1.0), (30, 0.5), (40, 0.1))
    assert found[0].folder == "toy-12k@main+finetune@64/add_2-0000000000000000"


def test_a_folder_where_nothing_was_trained_has_none(tmp_path: Path) -> None:
    assert trainings(tmp_path / "nowhere") == ((), ())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is no card of a training: expected an object"),
        ('{"model": "a"}', "is no card of a training: family: Field required"),
    ],
)
def test_a_damaged_card_is_named_and_the_others_are_read(tmp_path: Path, content: str, said: str) -> None:
    training_card(tmp_path)
    training_card(tmp_path, seed=1).write_text(content)
    found, (problem,) = trainings(tmp_path)
    assert [one.seed for one in found] == [0]
    assert said in problem.message


@pytest.mark.parametrize("changes", [{"steps": "many"}, {"loss": [[1, float("nan")]]}, {"loss": [[1]]}])
def test_a_card_with_values_that_no_training_writes_is_none(tmp_path: Path, changes: dict[str, object]) -> None:
    training_card(tmp_path, **changes)
    assert len(trainings(tmp_path).problems) == 1
