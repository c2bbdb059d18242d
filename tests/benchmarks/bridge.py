"""One process against one process: our bridge and `lm_eval`'s own command line on the same model and documents."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from harness.catalog.catalogue import load_catalog
from harness.specs import TaskSpec

RUNS = 3
SHOTS = 4
TASKS = ("topic", "add_2")


def rows(runs: int = RUNS) -> list[tuple[object, ...]]:
    """Median wall seconds of whole processes, imports included; the two take turns."""
    catalog = load_catalog()
    model = max(catalog.family("embedded").models, key=lambda model: model.params)
    rows: list[tuple[object, ...]] = []
    for name in TASKS:
        theirs, ours = [], []
        for _ in range(runs):
            with tempfile.TemporaryDirectory() as folder:
                as_lm_eval_yaml(catalog.task(name), Path(folder))
                theirs.append(_seconds(_lm_eval(name, model.source, folder), folder))
                ours.append(_seconds(_emergence(name, model.name, folder), folder))
        a, b = statistics.median(theirs), statistics.median(ours)
        rows.append((f"{name}, {SHOTS} shots", f"{a:.1f}", f"{b:.1f}", f"{a / b:.2f}", runs))
    return rows


def as_lm_eval_yaml(task: TaskSpec, folder: Path) -> None:
    """The task as an lm-eval user would write it, with the first examples of the pool."""
    config = {**task.config, "task": task.name, "fewshot_config": {"sampler": "first_n"}}
    (folder / f"{task.name}.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def _lm_eval(task: str, model: str, folder: str) -> list[str]:
    options = ["--model", "hf", "--model_args", f"pretrained={model},dtype=float32", "--device", "cpu"]
    options += ["--tasks", task, "--num_fewshot", str(SHOTS), "--batch_size", "32"]
    return ["-m", "lm_eval", *options, "--include_path", folder, "--output_path", f"{folder}/out", "--log_samples"]


def _emergence(task: str, model: str, folder: str) -> list[str]:
    options = ["--task", task, "--model", model, "--shots", str(SHOTS), "--executor", "inline"]
    return ["-m", "harness", "run", *options, "--results", f"{folder}/results"]


def _seconds(arguments: Sequence[str], folder: str) -> float:
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": f"{folder}/cache",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
    return time.perf_counter() - start
