"""How long it takes to import a thousand result files of lm-eval."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.timing import digits, load

FILES = 1000
HEAD = ("files of lm-eval", "files", "results", "wall s", "CPU s", "goal s", "load")
GOAL = 30
"""Most wall seconds on two cores."""
REAL = Path(__file__).parents[1] / "validation" / "data" / "lm_eval_0.3" / "pythia_70m_zero_shot_step143000.json"
TASKS = ("arc_easy", "arc_challenge", "hellaswag", "winogrande", "piqa", "boolq")
"""Tasks of a file of the newer layout."""


def rows(files: int = FILES) -> Iterator[tuple[object, ...]]:
    """One row per layout."""
    for name, made in (("0.4, 6 tasks in each", newer), ("0.3, 57 tasks in each, as Pythia's", older)):
        with tempfile.TemporaryDirectory() as folder:
            sizes = written(Path(folder) / "files", files, made)
            yield name, files, *measured(Path(folder), sizes), GOAL, load()


def written(folder: Path, files: int, made: Callable[[int, random.Random], dict[str, Any]]) -> list[str]:
    """Write the files; gives the options that name the sizes of their models."""
    rng, names = random.Random(0), set[str]()
    for number in range(files):
        model = f"org/model-{number % 25}"
        names.add(model)
        place = folder / model.replace("/", "__") / f"results_2026-01-{number // 25 % 28 + 1:02}T00-00-{number}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        raw = made(number, rng)
        place.write_text(json.dumps(raw, indent=2), encoding="utf-8")
    return [option for name in sorted(names) for option in ("--params", f"{name}={1 + int(name.rpartition('-')[2])}B")]


def older(number: int, rng: random.Random) -> dict[str, Any]:
    """A published file of Pythia, with another model and other scores."""
    raw: dict[str, Any] = json.loads(REAL.read_text(encoding="utf-8"))
    for row in raw["results"].values():
        _vary(row, rng)
    raw["config"] |= {"model_args": f"pretrained=org/model-{number % 25},revision=step{number // 25}"}
    return raw


def newer(number: int, rng: random.Random) -> dict[str, Any]:
    """A file as lm-eval 0.4 writes it: a config of every task, versions, numbers of documents."""
    n = 1000
    found: dict[str, Any] = {name: {} for name in ("results", "configs", "versions", "n-shot", "n-samples")}
    found["higher_is_better"] = {task: {"acc": True, "acc_norm": True} for task in TASKS}
    for task in TASKS:
        p = rng.uniform(0.25, 0.9)
        error = (p * (1 - p) / (n - 1)) ** 0.5
        row = {"acc,none": p, "acc_stderr,none": error, "acc_norm,none": p, "acc_norm_stderr,none": error}
        found["results"][task] = {"alias": task, **row}
        found["configs"][task] = {
            **{"task": task, "dataset_path": "allenai/ai2_arc", "dataset_name": "ARC-Easy", "test_split": "test"},
            **{"doc_to_text": "Question: {{question}}\nAnswer:", "doc_to_choice": "{{choices.text}}"},
            **{"description": "", "target_delimiter": " ", "fewshot_delimiter": "\n\n", "num_fewshot": 0},
            **{"metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}], "output_type": "multiple_choice"},
            **{"repeats": 1, "should_decontaminate": True, "metadata": {"version": 1.0}},
        }
        found["versions"][task], found["n-shot"][task] = 1.0, 0
        found["n-samples"][task] = {"original": n, "effective": n}
    args = {"pretrained": f"org/model-{number % 25}", "revision": f"step{number // 25}", "dtype": "float32"}
    config = {"model": "hf", "model_args": args, "batch_size": "64", "limit": None, "fewshot_seed": 1234}
    return {
        **found,
        "config": config,
        "date": 1.7e9 + number,
        "lm_eval_version": "0.4.9",
        "model_name": args["pretrained"],
    }


def _vary(row: dict[str, Any], rng: random.Random) -> None:
    """Another share of right answers, of as many documents."""
    for name in ("acc", "acc_norm"):
        p, error = row.get(name), row.get(f"{name}_stderr")
        if p is not None and error and 0 < p < 1:
            n = round(p * (1 - p) / error**2 + 1)
            k = min(max(round(n * p) + rng.randint(-5, 5), 1), n - 1)
            row[name] = k / n
            row[f"{name}_stderr"] = (row[name] * (1 - row[name]) / (n - 1)) ** 0.5


def measured(folder: Path, sizes: list[str]) -> tuple[str, str, str]:
    """Cells that were imported, wall and CPU seconds of the whole command."""
    command = [sys.executable, "-m", "harness", "import", "lm-eval", str(folder / "files"), *sizes]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [*command, "--results", str(folder / "results")], check=True, capture_output=True, text=True, env={**os.environ}
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cells = done.stderr.rpartition("imported ")[2].split()[0]
    return cells, digits(wall), digits(cpu)
