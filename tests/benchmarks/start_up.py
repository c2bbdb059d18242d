"""How long a user waits before anything happens."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from harness.catalog.catalogue import load_catalog

RUNS = 7
FIRST = "run --task sentiment --shots 0 --limit 4".split()
"""A run of a single cell: what comes before the first number."""


def rows() -> list[tuple[object, ...]]:
    """Wall time of `emergence --help`, of a plan of 10,000 cells, and of runs of one cell."""
    with tempfile.TemporaryDirectory() as name:
        catalogue = large_catalogue(Path(name))
        nowhere = Path(name) / "results"
        first = [*FIRST, "--model", load_catalog().family("embedded").models[0].name]
        plan = ("plan", "--suite", "large", "--family", "large", "--include-path", catalogue, "--results", nowhere)
        return [
            ("emergence --help", *timed(["--help"])),
            ("emergence list", *timed(["list"])),
            ("emergence plan, 10,000 cells", *timed([str(part) for part in plan])),
            ("emergence run, first cell, inline", *timed([*first, "--executor", "inline"], Path(name))),
            ("emergence run, first cell, Ray", *timed(first, Path(name))),
        ]


def large_catalogue(folder: Path) -> Path:
    """25 models x 10 tasks x (zero-shot + 3 shot counts x 13 seeds) = 10,000 cells."""
    (folder / "test.jsonl").write_text("".join(json.dumps({"question": f"{i}?"}) + "\n" for i in range(200)))
    names = [f"task{i}" for i in range(10)]
    for name in names:
        files = {"test": "test.jsonl", "fewshot": "test.jsonl"}
        spec = {
            "task": name,
            "kind": "qa",
            "metrics": [{"name": "acc"}, {"name": "prob_correct", "continuous": True}],
            "config": {
                "output_type": "multiple_choice",
                "dataset_kwargs": {"data_files": files},
                "test_split": "test",
                "fewshot_split": "fewshot",
            },
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec))
    suite = {"suite": "large", "tasks": names, "shots": [0, 1, 2, 4], "seeds": 13}
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    models = [{"name": f"m{i}", "params": 1000 * i} for i in range(1, 26)]
    (folder / "family.yaml").write_text(yaml.safe_dump({"family": "large", "models": models}))
    return folder


def timed(arguments: Sequence[str], folder: Path | None = None) -> tuple[str, str, str, int]:
    """Median, fastest and slowest wall time of `emergence ARGUMENTS` in seconds, and the number of runs.

    In the folder, each run writes results of its own.
    """
    seconds = []
    for number in range(RUNS):
        place = [] if folder is None else ["--results", str(folder / f"{'-'.join(arguments[-2:])}-{number}")]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "harness", *arguments, *place], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return f"{statistics.median(seconds):.2f}", f"{min(seconds):.2f}", f"{max(seconds):.2f}", RUNS
