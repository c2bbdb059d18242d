"""A store as a large campaign leaves it: `python -m tests.benchmarks.big_store FOLDER [--tasks N] [--documents N]`.

Two families of ten sizes answer twenty tasks in five settings: 2,000 cells of 5,000 documents each, 10 million samples.
Nobody was asked: documents have a difficulty, tasks a size from which they are learned, and likelihoods are drawn about
what follows. Rows are made as columns, because making 10 million records one by one would take an hour.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from harness.plan import Cell
from harness.records import CellResult, Provenance, Score
from harness.specs import MetricSpec, ModelSpec
from harness.store import SAMPLES, Store
from tests.benchmarks.documents import words

FAMILIES = ("large-a", "large-b")
SIZES = tuple(round(70e6 * 2.2**step) for step in range(12))
"""Parameters of a family's models, of which ten are asked unless told."""
SETTINGS = ((0, 0), (2, 0), (2, 1), (5, 0), (5, 1))
"""Shots and few-shot seed."""
MANY_SHOTS = tuple((shots, 0) for shots in (0, 1, 2, 4, 8))
"""The same for a store of many curves."""
TASKS = 20
DOCUMENTS = 5_000
"""Of each task."""
OPTIONS = 4
METRICS = (
    MetricSpec(name="acc", chance=1 / OPTIONS),
    MetricSpec(name="prob_correct", chance=1 / OPTIONS, continuous=True),
)


def write_big_store(
    root: Path,
    *,
    tasks: int = TASKS,
    documents: int = DOCUMENTS,
    sizes: int = 10,
    settings: int = len(SETTINGS),
    asked: Sequence[tuple[int, int]] = SETTINGS,
    families: Sequence[str] = FAMILIES,
) -> Store:
    """Write a cell for each of some families, so many sizes and tasks, and settings, each of so many documents.

    The settings are the first ones of `asked`.
    """
    store = Store(root)
    for number in range(tasks):
        task = _Task(number, documents)
        for cell in _cells(task.name, families, SIZES[:sizes], asked[:settings]):
            loglikelihoods = task.answers(cell)
            acc = (loglikelihoods.argmax(axis=1) == task.right).astype(float)
            prob = np.exp(loglikelihoods[np.arange(documents), task.right])
            scores = {"acc": acc, "prob_correct": prob}
            store.write(_header(cell, scores))
            parquet.write_table(
                task.samples(cell, loglikelihoods, scores), store.path(cell) / SAMPLES, compression="zstd"
            )
    return store


class _Task:
    """The documents of one task, and what models of each size make of them."""

    def __init__(self, number: int, documents: int) -> None:
        self.name = f"task-{number:02d}"
        self._number = number
        self._rng = np.random.default_rng(number)
        asked = random.Random(number)
        self._questions = [
            f"Which word goes with {' and '.join(asked.sample(words(), 2))}?\nAnswer:" for _ in range(documents)
        ]
        options = [asked.sample(words(), OPTIONS) for _ in range(documents)]
        self.right: NDArray[np.int64] = self._rng.integers(OPTIONS, size=documents)
        """Place of the right option."""
        self._difficulty = self._rng.normal(size=documents)
        self._options = np.array(options, dtype=object)
        self._target = self._options[np.arange(documents), self.right]
        self._by_setting: dict[tuple[int, int], dict[str, Any]] = {}
        self._shared = {
            "doc_hash": pa.array([_hash(f"{self.name} {i} {text}") for i, text in enumerate(self._questions)]),
            "target": pa.array(self._target, pa.string()),
            "options": pa.array(options, pa.list_(pa.string())),
            "outputs": pa.array([[]] * documents, pa.list_(pa.string())),
        }

    def answers(self, cell: Cell) -> NDArray[np.float64]:
        """Natural-log likelihoods, shape (documents, options): the right option gains with size and shots."""
        learned = 18.0 + 6.0 * (self._number % 7) / 6.0  # ln of the parameters from which the task is learned
        ability = 1.5 * (np.log(cell.model.params) - learned) + 0.3 * np.log1p(cell.shots)
        logits = self._rng.normal(size=(len(self.right), OPTIONS))
        logits[np.arange(len(self.right)), self.right] += 3.0 / (1.0 + np.exp(self._difficulty - ability))
        answered: NDArray[np.float64] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return answered

    def samples(
        self, cell: Cell, loglikelihoods: NDArray[np.float64], scores: dict[str, NDArray[np.float64]]
    ) -> pa.Table:
        """The rows of one cell, columns as `Store` writes them."""
        documents = len(self.right)
        output = self._options[np.arange(documents), loglikelihoods.argmax(axis=1)]
        ends = np.arange(0, OPTIONS * documents + 1, OPTIONS, dtype=np.int32)
        columns: dict[str, Any] = {
            "doc_id": pa.array(np.arange(documents)),
            **self._prompts(cell.shots, cell.seed),
            **self._shared,
            "output": pa.array(output, pa.string()),
            "option_loglikelihoods": pa.ListArray.from_arrays(ends, pa.array(loglikelihoods.ravel())),
            "truncated": pa.array(np.zeros(documents, dtype=bool)),
            **{f"score:{name}": pa.array(values) for name, values in scores.items()},
        }
        return pa.table(columns)

    def _prompts(self, shots: int, seed: int) -> dict[str, Any]:
        if (shots, seed) not in self._by_setting:
            self._by_setting[shots, seed] = self._prompt_columns(shots, seed)
        return self._by_setting[shots, seed]

    def _prompt_columns(self, shots: int, seed: int) -> dict[str, Any]:
        drawn = random.Random(seed).sample(range(len(self._questions)), shots)
        before = "".join(f"{self._questions[i]} {self._target[i]}\n\n" for i in drawn)
        prompts = [before + question for question in self._questions]
        return {"prompt_hash": pa.array([_hash(prompt) for prompt in prompts]), "prompt": pa.array(prompts)}


def _cells(
    task: str, families: Sequence[str], sizes: Sequence[int], settings: Sequence[tuple[int, int]]
) -> Iterator[Cell]:
    for family in families:
        for params in sizes:
            model = ModelSpec(
                name=f"example/{family}-{params // 10**6}m",
                family=family,
                params=params,
                tokens=20 * params,
                revision=_hash(f"{family}{params}"),
                dtype="bfloat16",
            )
            for shots, seed in settings:
                yield Cell(
                    model=model,
                    task=task,
                    suite="large",
                    kind="qa",
                    task_version="1",
                    task_digest=_hash(task)[:12],
                    metrics=METRICS,
                    shots=shots,
                    seed=seed,
                    engine="simulated",
                )


def _header(cell: Cell, scores: dict[str, NDArray[np.float64]]) -> CellResult:
    return CellResult(
        cell=cell,
        scores=tuple(
            Score(metric=name, value=float(v.mean()), stderr=float(v.std(ddof=1) / len(v) ** 0.5), n=len(v))
            for name, v in scores.items()
        ),
        samples=(),
        shots_effective=cell.shots,
        n_expected=len(next(iter(scores.values()))),
        provenance=Provenance(
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            seconds=cell.model.params / 1e8,
            versions={"harness": "0.2.0", "torch": "2.9.0", "transformers": "5.0.0", "lm_eval": "0.4.13"},
            device="cuda",
            host="node",
            batch_size=32,
        ),
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def main() -> None:
    """Write the store that is asked for and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.big_store", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tasks", type=int, default=TASKS, help=f"100 cells each (default {TASKS})")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help=f"of each cell (default {DOCUMENTS})")
    options = parser.parse_args()
    start = time.perf_counter()
    write_big_store(options.folder, tasks=options.tasks, documents=options.documents)
    size = sum(path.stat().st_size for path in options.folder.rglob("*") if path.is_file())
    cells = 100 * options.tasks
    print(
        f"{options.folder}: {cells} cells, {cells * options.documents} samples, {size / 1e9:.2f} GB, "
        f"{time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
