"""The first documents of a file that is sorted by its labels stand for few of the others."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.tasks.first_documents import doubtful_limit
from harness.specs import TaskSpec
from tests.builders.commands import Emergence
from tests.builders.outside import choices, task_of
from tests.builders.tasks import write_jsonl

LABELS = [0] * 50 + [1] * 100 + [2] * 50


def task(folder: Path, labels: list[Any], **config: Any) -> TaskSpec:
    """A task whose documents have these labels, in this order."""
    documents = [{"question": f"{i}?", "answer": label} for i, label in enumerate(labels)]
    made = task_of(folder, documents, "acc", **{**choices(["red", "green", "blue"]), **config})
    files = (Path(made.config["dataset_kwargs"]["data_files"]["test"]),)
    return TaskSpec(
        name="outside",
        kind="qa",
        suite="toy",
        metrics=made.metrics,
        config=made.config,
        data_files=files,
        n_docs=len(labels),
        digest=made.digest,
    )


def shuffled(labels: list[Any]) -> list[Any]:
    """The same labels in no order."""
    mixed = list(labels)
    random.Random(0).shuffle(mixed)
    return mixed


def test_labels_that_are_missing_among_the_first_documents_are_told(tmp_path: Path) -> None:
    said = doubtful_limit(task(tmp_path, LABELS), 40)
    assert said is not None
    assert said.startswith("task outside: the first 40 documents have 1 of 3 labels (answer), so that the file seems t")
    assert "the first 140 documents have 2 of 3 labels" in str(doubtful_limit(task(tmp_path, LABELS), 140))


@pytest.mark.parametrize(
    ("labels", "limit"),
    [
        (shuffled(LABELS), 40),
        (LABELS, 200),  # all of them
        (LABELS, 3),  # as few as that may lack a label by chance
        ([f"answer {i}" for i in range(200)], 40),  # no labels but texts
        ([0] * 200, 40),
        ([0] * 199 + [1], 40),  # a label that is rare
    ],
)
def test_nothing_is_told_where_they_may_be_missing_by_chance(tmp_path: Path, labels: list[Any], limit: int) -> None:
    assert doubtful_limit(task(tmp_path, labels), limit) is None


def test_labels_of_a_template_are_those_of_its_fields(tmp_path: Path) -> None:
    made = task(tmp_path, LABELS, doc_to_target="{{ ['red', 'green', 'blue'][answer] }}")
    assert "1 of 3 labels (answer)" in str(doubtful_limit(made, 40))
    assert doubtful_limit(task(tmp_path, LABELS, doc_to_target=1), 40) is None


@pytest.mark.parametrize("verb", [("plan",), ("run", "--executor", "inline")], ids=lambda verb: verb[0])
def test_plan_and_run_tell_of_it(
    emergence: Emergence, toy: Path, options: tuple[str, ...], verb: tuple[str, ...]
) -> None:
    write_jsonl(toy / "test.jsonl", [{"question": f"{i}?", "label": "red" if i < 20 else "blue"} for i in range(40)])
    for path in toy.glob("*s.yaml"):
        path.write_text(path.read_text().replace("output_type:", "doc_to_target: label\n  output_type:"))
    done = emergence(*verb, *options, "--limit", "15")
    assert done.code == 0, done.err
    assert "warning: task jumps: the first 15 documents have 1 of 2 labels (label)" in done.err
    assert "labels" not in emergence(*verb, *options, "--limit", "35", "--results", "other").err
