"""The command line called in this process, and a small catalogue on which the simulated engine answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from harness.cli import main


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    """Exit code."""
    out: str
    """Standard output."""
    err: str
    """Standard error."""


Emergence = Callable[..., Done]


@pytest.fixture
def emergence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Emergence:
    """`emergence("plan", "--suite", "toy")` in an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["emergence", *(str(a) for a in arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return Done(int(end.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A folder with two tasks, a suite and a family of four sizes."""
    folder = tmp_path / "toy"
    folder.mkdir()
    documents = [{"question": f"{i}?", "label": "red"} for i in range(40)]
    text = "".join(json.dumps(document) + "\n" for document in documents)
    (folder / "test.jsonl").write_text(text)
    (folder / "fewshot.jsonl").write_text(text)
    for name, shape in (("jumps", {"shape": "step", "threshold": 1000}), ("stays", {"shape": "flat"})):
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
                "simulate": shape,
            },
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec))
    (folder / "suite.yaml").write_text(yaml.safe_dump({"suite": "toy", "tasks": ["jumps", "stays"], "shots": [0, 2]}))
    models = [{"name": f"m{params}", "params": params, "tokens": 1000} for params in (10, 100, 1000, 10000)]
    (folder / "family.yaml").write_text(yaml.safe_dump({"family": "steps", "models": models}))
    return folder


@pytest.fixture
def options(toy: Path) -> tuple[str, ...]:
    """Options that choose the toy suite and family on the simulated engine."""
    return ("--suite", "toy", "--family", "steps", "--engine", "simulated", "--include_path", str(toy))
