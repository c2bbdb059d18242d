"""lm-eval's tasks that execute programs, as they are, with their programs judged in the sandbox."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import load_catalog
from harness.catalog.functions import task_function
from harness.catalog.lm_eval_tasks.program_tasks import listed_by
from harness.engines.answers import evaluate_with
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.engines.protocol import EngineSettings
from harness.errors import CatalogError
from harness.specs import TaskSpec
from tests.builders import cell
from tests.builders.scripted import Saying
from tests.builders.tasks import write_jsonl

AGREED = EngineSettings(confirm_run_unsafe_code=True, allow_unfenced=True)
PROBLEM = {
    "task_id": "x/0",
    "prompt": 'def add(a, b):\n    """The sum."""\n',
    "entry_point": "add",
    "canonical_solution": "    return a + b\n",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-1, 1) == 0\n",
}
BASIC = {
    "text": "Write a function to add.",
    "code": "def add(a, b):\r\n  return a + b",
    "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0", "assert add('a', 'b') == 'ab'"],
    "test_setup_code": "",
}


def theirs(name: str, folder: Path, document: dict[str, Any]) -> TaskSpec:
    """A task of lm-eval as it is, but for its data."""
    catalog, stands_for = load_catalog([]).with_others([f"lm_eval:{name}"])
    (chosen,) = (one for some in stands_for.values() for one in some)
    task = catalog.task(chosen)
    file = str(write_jsonl(folder / "test.jsonl", [document]))
    local = {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": {"test": file}}}
    return replace(task, config={**task.config, **local})


def scored(task: TaskSpec, text: str, **asked: Any) -> dict[str, float]:
    model = Saying(text)
    model.max_length = 10_000
    result = evaluate_with(model, cell(of=task, **asked), task, data=DocumentCache(), settings=AGREED)
    return {score.metric: score.value for score in result.scores}


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("name", "document", "right", "wrong"),
    [
        ("humaneval", PROBLEM, "    return a + b\n", "    return a - b\n"),
        ("humaneval_instruct", PROBLEM, "    return a + b\n```\nThis adds.", "    return 3\n```"),
        ("mbpp", BASIC, "def add(a, b):\n    return a + b\n", "def add(a, b):\n    return 3\n"),
        ("mbpp_instruct", BASIC, "def add(a, b):\n    return a + b\n```\nDone.", "def sub(a, b):\n    return a\n```"),
    ],
)
def test_programs_of_lm_evals_own_files_are_judged_in_the_sandbox(
    tmp_path: Path, name: str, document: dict[str, Any], right: str, wrong: str
) -> None:
    task = theirs(name, tmp_path, document)
    assert (task.kind, task.unsafe_code, task.headline.name, task.headline.chance) == ("codegen", True, "pass_at_1", 0)
    assert scored(task, right)["pass_at_1"] == 1.0
    assert scored(task, wrong)["pass_at_1"] == 0.0


def test_every_k_is_a_metric_and_the_texts_are_drawn(tmp_path: Path) -> None:
    task = theirs("humaneval_64", tmp_path, PROBLEM)
    names = [metric.name for metric in task.metrics]
    assert names[:5] == ["pass_at_2", "pass_at_8", "pass_at_16", "pass_at_32", "pass_at_64"]
    assert task.config["repeats"] == 64
    assert task.draws("default")


def test_examples_are_read_and_not_run_and_the_reference_is_a_program(tmp_path: Path) -> None:
    task = theirs("mbpp", tmp_path, BASIC)
    built = build_cell(cell(of=task, shots=3), task, DocumentCache())
    prompt = built.documents[0][0].args[0]
    assert prompt.count("[BEGIN]") == 4
    assert "def is_not_prime(n):" in prompt
    assert prompt.count("[DONE]") == 3
    assert built.foreign_code == ()
    assert built.task.right(built.documents[0][0].doc).texts == (BASIC["code"],)


def test_a_function_that_does_more_than_list_examples_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "utils.py").write_text(
        "def samples():\n    import os\n    return [{'a': 1}]\ndef plain():\n    return [{'a': 1}]\n"
    )
    assert listed_by(task_function("utils.plain", tmp_path, "x.yaml")) == [{"a": 1}]
    with pytest.raises(CatalogError, match="'samples' would run in a task that executes programs; expected a function"):
        listed_by(task_function("utils.samples", tmp_path, "x.yaml"))
