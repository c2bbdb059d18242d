"""The command line, and a small catalogue on which the simulated engine answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]
"""The project's folder."""


EXECUTORS = ("inline", pytest.param("ray", marks=pytest.mark.ray))
"""Every executor, as parameters of a test."""


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    """Exit code."""
    out: str
    """Standard output."""
    err: str
    """Standard error."""


Emergence = Callable[..., Done]
"""The fixture `emergence`: the command line called in this process."""


def write_toy(folder: Path, *, sleep: float | None = None) -> Path:
    """A folder with two tasks, a suite and a family of four sizes; `sleep`: seconds that each cell takes."""
    folder.mkdir()
    documents = [{"question": f"{i}?", "label": "red"} for i in range(40)]
    text = "".join(json.dumps(document) + "\n" for document in documents)
    (folder / "test.jsonl").write_text(text)
    (folder / "fewshot.jsonl").write_text(text)
    for name, shape in (("jumps", {"shape": "step", "threshold": 1000}), ("stays", {"shape": "flat"})):
        simulate = shape if sleep is None else {**shape, "sleep": sleep}
        spec = {
            "task": name,
            "kind": "qa",
            "metrics": [{"name": "acc", "chance": 0.25}, {"name": "prob_correct", "chance": 0.25, "continuous": True}],
            "config": {
                "output_type": "multiple_choice",
                "dataset_path": "json",
                "dataset_kwargs": {"data_files": {"test": "test.jsonl", "fewshot": "fewshot.jsonl"}},
                "test_split": "test",
                "fewshot_split": "fewshot",
                "simulate": simulate,
            },
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec))
    (folder / "suite.yaml").write_text(yaml.safe_dump({"suite": "toy", "tasks": ["jumps", "stays"], "shots": [0, 2]}))
    models = [{"name": f"m{params}", "params": params, "tokens": 1000} for params in (10, 100, 1000, 10000)]
    (folder / "family.yaml").write_text(yaml.safe_dump({"family": "steps", "models": models}))
    return folder


def toy_options(toy: Path) -> tuple[str, ...]:
    """Options that choose the toy suite and family on the simulated engine."""
    return ("--suite", "toy", "--family", "steps", "--engine", "simulated", "--include_path", str(toy))


def start_run(toy: Path, results: Path, executor: str) -> subprocess.Popen[str]:
    """`emergence run` on the toy suite, in a process of its own."""
    where = ("--results", str(results), "--executor", executor, "--workers", "2")
    command = [sys.executable, "-m", "harness", "run", *toy_options(toy), *where]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
