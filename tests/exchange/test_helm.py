"""Runs of HELM, field by field."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.exchange.files import foreign_file
from harness.exchange.helm import read_helm
from harness.exchange.types import Contents, Published
from harness.store import Store
from tests.builders.commands import Emergence
from tests.builders.published_helm import options_run, stat, texts_run


def contents(path: Path) -> Contents:
    found = read_helm(foreign_file(path))
    assert found is not None
    return found


def only(path: Path) -> Published:
    (found,) = contents(path).results
    return found


def test_a_run_with_options_says_model_task_shots_documents_and_options(tmp_path: Path) -> None:
    path = options_run(tmp_path)
    found = only(path)
    assert (found.model, found.revision, found.tool, found.tool_version) == ("lab/small", "main", "helm", None)
    assert found.task == "commonsense:dataset=hellaswag:method=multiple_choice_joint"
    assert (found.shots, found.n, found.has_options, found.options) == (5, 10, True, 4)
    assert [(score.metric, score.value, score.stderr) for score in found.scores] == [
        ("exact_match", 0.25, None),
        ("exact_match@5", 0.75, None),
        ("quasi_exact_match", 0.5, None),
    ]
    assert found.version is found.date is found.params is None
    assert contents(path).name == f"{path.parent.name}/stats.json"


def test_of_two_splits_that_of_the_test_counts(tmp_path: Path) -> None:
    found = only(texts_run(tmp_path))
    assert (found.task, found.n, found.has_options, found.options) == ("narrative_qa", 4, None, None)
    assert {score.metric: score.value for score in found.scores} == {
        "exact_match": 0.0,
        "quasi_exact_match": 0.0,
        "f1_score": 0.375,
    }


def test_what_was_left_out_and_missing_demonstrations_are_counted(emergence: Emergence, tmp_path: Path) -> None:
    options_run(tmp_path / "runs")
    texts_run(tmp_path / "runs")
    done = emergence("import", "helm", tmp_path / "runs", "--results", tmp_path / "r", "--params", "small=70M")
    assert done.code == 0
    assert "imported 2 cells from 2 files of helm" in done.err
    assert "58 statistics left out: bookkeeping, perturbed prompts, other splits" in done.err
    assert "1 result whose prompts had fewer demonstrations than asked for, on average" in done.err
    found = {one.cell.task: one for one in Store(tmp_path / "r").results()}
    hellaswag = found["commonsense:dataset=hellaswag:method=multiple_choice_joint"]
    assert (hellaswag.cell.engine, hellaswag.cell.metrics[0].chance, hellaswag.n_expected) == (
        "imported:helm",
        0.25,
        10,
    )
    assert hellaswag.provenance.source is not None
    assert hellaswag.provenance.source.file.endswith("model=lab_small/stats.json")
    assert len(list((tmp_path / "r" / ".imported").iterdir())) == 4  # stats and spec of both


def test_other_instructions_are_another_question(tmp_path: Path) -> None:
    plain, other = options_run(tmp_path / "a"), options_run(tmp_path / "b", instructions="Think.")
    assert only(plain).asked != only(other).asked
    same = options_run(tmp_path / "c", model="lab/large", model_deployment="huggingface/large", max_train_instances=0)
    assert only(same).asked == only(plain).asked
    assert (only(same).model, only(same).shots) == ("lab/large", 0)


def test_a_run_that_models_texts_keeps_its_likelihoods(tmp_path: Path) -> None:
    path = texts_run(tmp_path, method="language_modeling")
    spec = json.loads(path.with_name("run_spec.json").read_text())
    path.with_name("run_spec.json").write_text(json.dumps({**spec, "metric_specs": []}))
    metrics = [score.metric for score in only(path).scores]
    assert metrics == ["logprob", "perplexity", "bits_per_byte", "exact_match", "quasi_exact_match", "f1_score"]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("run_spec.json", None, r"stats.json: has no run_spec.json beside it"),
        ("run_spec.json", {"name": "x"}, r"adapter_spec: model is missing; expected its name"),
        ("run_spec.json", [], r"run_spec.json is \[\]; expected keys and values"),
        ("stats.json", [{"name": {"split": "test"}}], r"\[0\]: name: name is missing; expected a metric"),
        ("stats.json", [{"name": {"name": "x"}, "mean": "high"}], r"\[0\]: mean is 'high'; expected a number"),
        ("stats.json", [stat("batch_size", 1.0, "test")], r"has no score; expected a metric with a mean"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, file: str, content: Any, said: str) -> None:
    path = options_run(tmp_path)
    path.with_name(file).unlink()
    if content is not None:
        path.with_name(file).write_text(json.dumps(content))
    with pytest.raises(HarnessError, match=said):
        contents(path)


def test_another_list_is_no_run(emergence: Emergence, tmp_path: Path) -> None:
    (tmp_path / "stats.json").write_text("[1, 2]")
    done = emergence("import", "helm", tmp_path / "stats.json", "--results", tmp_path / "r")
    assert done.code == 2
    assert "stats.json: is no result file of helm; expected a list of statistics, each with a name" in done.err
