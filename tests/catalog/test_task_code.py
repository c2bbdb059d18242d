"""Python files that come with a task: they run where the user allows it, and the result says so."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.catalog import load_catalog
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.errors import CatalogError
from harness.store import Store
from tests.builders import cell
from tests.builders.commands import Emergence

SCRIPT = """
open({canary!r}, "w").close()
import datasets
import evaluate

class Theirs(evaluate.Metric):
    def _info(self):
        text = datasets.Value("string")
        features = datasets.Features({{"predictions": text, "references": text}})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {{"{metric}": 1.0}}
"""
GENERATE = """
open({canary!r}, "w").close()
import torch

def generate(model, input_ids, **kwargs):
    return torch.cat([input_ids, input_ids[:, :1]], dim=1)
"""
RUN = ("--task", "sums", "--family", "embedded", "--model", "ladder-12k", "--executor", "inline", "--include-path")


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Is there once the code of the task has run."""
    return tmp_path / "canary"


@pytest.fixture(autouse=True, scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Copies of scripts that the libraries import go to a folder of the tests: one, as Python remembers packages."""
    import evaluate
    import transformers.dynamic_module_utils

    folder = tmp_path_factory.mktemp("modules")
    with pytest.MonkeyPatch.context() as patch:
        for library in (evaluate.loading, transformers.dynamic_module_utils):
            patch.setattr(library, "HF_MODULES_CACHE", str(folder / "code"), raising=False)
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", str(folder / "code"))
        patch.setattr(evaluate.config, "HF_METRICS_CACHE", str(folder / "metrics"))
        for name in [name for name in sys.modules if name.partition(".")[0] == "evaluate_modules"]:
            patch.delitem(sys.modules, name)  # of the user's own cache
        patch.syspath_prepend(str(folder / "code"))
        yield


@pytest.fixture
def folder(tmp_path: Path, canary: Path) -> Path:
    """A task folder with a metric and a way to generate."""
    made = tmp_path / "theirs"
    write(made / "own_score.py", SCRIPT.format(canary=str(canary), metric="own_score"))
    write(made / "exact_match/exact_match.py", SCRIPT.format(canary=str(canary), metric="exact_match"))
    write(made / "way/custom_generate/generate.py", GENERATE.format(canary=str(canary)))
    write(made / "test.jsonl", "".join(json.dumps({"q": f"1+{i}=", "a": str(i + 1)}) + "\n" for i in range(3)))
    return made


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def task_file(folder: Path, *, metric: str = "exact_match", prompts: Any = None, **config: Any) -> Path:
    """The task `sums` with these config keys."""
    path = folder / "sums.yaml"
    base = {
        "output_type": "generate_until",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": "test.jsonl"}},
        "test_split": "test",
        "doc_to_text": "{{q}}",
        "doc_to_target": "a",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 3},
    }
    metrics = [{"name": metric}, {"name": "loglikelihood_per_token", "chance": None, "continuous": True}]
    task = {"task": "sums", "kind": "arithmetic", "metrics": metrics, "config": base | config, "prompts": prompts or {}}
    path.write_text(yaml.safe_dump(task))
    return path


GENERATION = {"until": ["\n"], "max_gen_toks": 3, "custom_generate": "way", "trust_remote_code": True}


@pytest.mark.parametrize(
    ("metric", "config", "ran"),
    [
        ("exact_match", {"metric_list": [{"metric": "exact_match", "hf_evaluate": True}]}, "exact_match.py"),
        ("own_score", {"metric_list": [{"metric": "own_score", "hf_evaluate": True}]}, "own_score.py"),
        ("exact_match", {"generation_kwargs": GENERATION}, "generate.py"),
    ],
)
def test_code_of_a_task_runs_where_the_user_allows_it_and_stands_in_the_result(
    folder: Path,
    canary: Path,
    emergence: Emergence,
    metric: str,
    config: dict[str, Any],
    ran: str,
) -> None:
    path = task_file(folder, metric=metric, **config)
    for verb in (("check", path), ("plan", *RUN[:6], "--include-path", path), ("run", *RUN, path)):
        done = emergence(*verb)
        assert (done.code, "runs Python code that comes with the task; agree with --allow-code" in done.err) == (
            2,
            True,
        )
    assert not Path("results").exists()
    assert emergence("check", path, "--allow-code").code == 0
    assert not canary.exists()
    done = emergence("run", *RUN, path, "--allow-code")
    assert done.code == 0, done.err
    assert canary.exists()
    (result,) = Store(Path("results")).results()
    (said,) = result.provenance.foreign_code
    assert said.partition("@")[0] == ran
    if ran != "generate.py":
        assert result.scores[0].value == 1.0


def test_a_task_without_code_says_so_even_where_code_is_allowed(folder: Path, emergence: Emergence) -> None:
    assert emergence("run", *RUN, task_file(folder), "--allow-code").code == 0
    (result,) = Store(Path("results")).results()
    assert result.provenance.foreign_code == ()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"generation_kwargs": GENERATION | {"custom_generate": "org/way"}},
            "generation_kwargs.custom_generate is 'org/way'; expected a folder with custom_generate/generate.py, since",
        ),
        (
            {"generation_kwargs": GENERATION | {"custom_generate": "../elsewhere"}},
            "outside the task's folder; expected a file below it",
        ),
        (
            {"metric_list": [{"metric": "rouge", "hf_evaluate": True}]},
            "config.metric_list[0].hf_evaluate: no rouge.py and no rouge/rouge.py beside the task; expected one",
        ),
        (
            {"metric_list": [{"metric": "../elsewhere", "hf_evaluate": True}]},
            "outside the task's folder; expected a file below it",
        ),
        (
            {"metric_list": [{"metric": "exact_match", "hf_evaluate": True}], "output_type": "loglikelihood"},
            "config.metric_list[0].hf_evaluate scores texts; expected output_type: generate_until",
        ),
    ],
)
def test_code_of_the_hub_or_elsewhere_never_runs(folder: Path, config: dict[str, Any], message: str) -> None:
    write(folder.parent / "elsewhere/custom_generate/generate.py", "")
    with pytest.raises(CatalogError) as caught:
        load_catalog([task_file(folder, **config)], allow_code=True)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        {"generation_kwargs": GENERATION | {"custom_generate": "org/way"}},
        {"metric_list": [{"metric": "exact_match", "hf_evaluate": True}]},
    ],
)
def test_code_that_was_not_found_beside_a_task_does_not_run_where_it_is_used(
    folder: Path, config: dict[str, Any]
) -> None:
    plain = load_catalog([task_file(folder)]).task("sums")
    forged = replace(plain, config={**plain.config, **config})
    with pytest.raises(CatalogError, match="is no file; expected one, since code of the hub is not run"):
        build_cell(cell(of=forged), forged, DocumentCache(), allow_code=True)


def test_an_edit_of_the_code_is_another_text_of_the_task(folder: Path) -> None:
    path = task_file(folder, generation_kwargs=GENERATION)
    before = load_catalog([path], allow_code=True).task("sums")
    assert before.code_files == ((folder / "way/custom_generate/generate.py").resolve(),)
    write(folder / "way/custom_generate/generate.py", "generate = print\n")
    assert load_catalog([path], allow_code=True).task("sums").digest != before.digest


def test_code_of_a_prompt_variant_is_found_too(folder: Path) -> None:
    path = task_file(folder, prompts={"other": {"generation_kwargs": GENERATION}})
    task = load_catalog([path], allow_code=True).task("sums")
    assert task.prompts["other"]["generation_kwargs"]["custom_generate"] == str((folder / "way").resolve())
    assert len(task.code_files) == 1
