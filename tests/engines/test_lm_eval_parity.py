"""The same model, task, shots and documents give lm-eval's own command line and this engine the same numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.engines.documents import read_documents
from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.shots import permutation
from harness.records import CellResult
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell, zoo
from tests.builders.tasks import metrics, write_jsonl

pytestmark = pytest.mark.parity

SHOTS, LIMIT, SEED = 2, 20, 3


def as_lm_eval_yaml(task: TaskSpec, folder: Path, *metric_names: str) -> None:
    """The task as an lm-eval user would write it: the pool in the seed's order, taken from the top."""
    files = task.config["dataset_kwargs"]["data_files"]
    pool = read_documents([Path(files["fewshot"])])
    ordered = write_jsonl(folder / f"{task.name}.fewshot.jsonl", [pool[i] for i in permutation(SEED, len(pool))])
    config = {
        **task.config,
        "task": task.name,
        "dataset_kwargs": {"data_files": {"test": files["test"], "fewshot": str(ordered)}},
        "fewshot_config": {"sampler": "first_n"},
        "metric_list": [{"metric": name} for name in metric_names],
    }
    (folder / f"{task.name}.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


@pytest.fixture(scope="module")
def reference(
    tmp_path_factory: pytest.TempPathFactory, model_folder: Path, choice_task: TaskSpec, text_task: TaskSpec
) -> dict[str, Any]:
    """What `python -m lm_eval` writes: its results file, and its samples by task."""
    folder = tmp_path_factory.mktemp("parity")
    as_lm_eval_yaml(choice_task, folder, "acc", "acc_norm", "brier_score")
    as_lm_eval_yaml(text_task, folder, "exact_match")
    command = [sys.executable, "-m", "lm_eval", "--model", "hf"]
    command += ["--model_args", f"pretrained={model_folder},dtype=float32"]
    command += ["--tasks", f"{choice_task.name},{text_task.name}", "--include_path", str(folder)]
    command += ["--num_fewshot", str(SHOTS), "--limit", str(LIMIT), "--batch_size", "8", "--device", zoo.DEVICE]
    command += ["--output_path", str(folder / "out"), "--log_samples"]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=os.environ | offline, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (results,) = (folder / "out").rglob("results_*.json")
    samples = {}
    for name in (choice_task.name, text_task.name):
        (lines,) = (folder / "out").rglob(f"samples_{name}_*.jsonl")
        samples[name] = sorted(map(json.loads, lines.read_text().splitlines()), key=lambda row: row["doc_id"])
    return {"results": json.loads(results.read_text())["results"], "samples": samples}


def ours(engine: LmEvalEngine, tiny: ModelSpec, task: TaskSpec, *names: str) -> CellResult:
    spec = replace(task, metrics=metrics(*names))
    return engine.evaluate(cell(of=spec, model=tiny, shots=SHOTS, limit=LIMIT, seed=SEED, engine="lm-eval"), spec)


def test_multiple_choice_scores_equal_those_of_the_command_line(
    reference: dict[str, Any], engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    result = ours(engine, tiny, choice_task, "acc", "acc_norm", "brier_score", "brier", "prob_correct")
    theirs = reference["results"]["choice"]
    mine = {score.metric: score for score in result.scores}
    for name in ("acc", "acc_norm"):
        assert mine[name].value == theirs[f"{name},none"]
        assert mine[name].stderr == pytest.approx(theirs[f"{name}_stderr,none"], abs=1e-12)
    assert 0 < mine["acc"].value < 1
    assert mine["brier_score"].value == pytest.approx(theirs["brier_score,none"], abs=1e-6)
    assert mine["brier"].value == pytest.approx(theirs["brier_score,none"], abs=1e-6)
    # lm-eval has none for it; the jackknife of a mean is the error of the mean
    assert mine["brier_score"].stderr == pytest.approx(mine["brier"].stderr, abs=1e-9)


def test_every_prompt_and_every_option_likelihood_equals_the_command_lines(
    reference: dict[str, Any], engine: LmEvalEngine, tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    result = ours(engine, tiny, choice_task, "acc", "prob_correct")
    assert result.samples is not None
    assert len(result.samples) == len(reference["samples"]["choice"]) == LIMIT
    for sample, row in zip(result.samples, reference["samples"]["choice"], strict=True):
        assert sample.prompt == row["arguments"]["gen_args_0"]["arg_0"]
        likelihoods = [float(option[0][0]) for option in row["resps"]]
        assert sample.option_loglikelihoods == pytest.approx(likelihoods, abs=1e-5)
        assert sample.scores["acc"] == row["acc"]


def test_generated_texts_and_their_exact_match_equal_the_command_lines(
    reference: dict[str, Any], engine: LmEvalEngine, tiny: ModelSpec, text_task: TaskSpec
) -> None:
    result = ours(engine, tiny, text_task, "exact_match", "loglikelihood_per_token")
    theirs = reference["results"]["text"]
    exact = result.scores[0]
    assert exact.value == theirs["exact_match,strip"]
    assert exact.stderr == pytest.approx(theirs["exact_match_stderr,strip"], abs=1e-12)
    assert 0 < exact.value < 1
    assert result.samples is not None
    for sample, row in zip(result.samples, reference["samples"]["text"], strict=True):
        assert sample.prompt == row["arguments"]["gen_args_0"]["arg_0"]
        assert sample.output == row["resps"][0][0]
