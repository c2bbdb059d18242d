"""Rows that a small model learns from, and trainings of a few steps."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.engines.tuning.learning import Row
from harness.specs import TaskSpec
from tests.builders.tasks import COLOURS, THINGS, write_jsonl

PADDING = {"input_ids": 0, "attention_mask": 0, "labels": -100, "states": 0}


def rows(number: int = 12, *, words: int = 60) -> list[Row]:
    """Texts of different lengths, the last tokens of which are learnt."""
    rng = random.Random(0)
    made: list[Row] = []
    for _ in range(number):
        tokens = [rng.randrange(3, words) for _ in range(rng.randrange(5, 9))]
        labels = [*[-100] * (len(tokens) - 2), *tokens[-2:]]
        made.append({"input_ids": tokens, "attention_mask": [1] * len(tokens), "labels": labels})
    return made


def with_training(task: TaskSpec, folder: Path, number: int = 30, *, of_test: int = 0) -> TaskSpec:
    """A task of `tests.builders.tasks` with a training split, in which everything asked for is red.

    Args:
        task: the task, of options or of texts.
        folder: where its training documents are written.
        number: number of training documents.
        of_test: number of them that are test documents too.
    """
    test = Path(task.config["dataset_kwargs"]["data_files"]["test"])
    documents: list[dict[str, Any]] = []
    for i, thing in enumerate(random.Random(5).choices(THINGS, k=number - of_test)):
        if task.config["output_type"] == "multiple_choice":
            documents.append({"question": f"The {thing} {100 + i} is", "options": list(COLOURS), "label": 0})
        else:
            documents.append({"question": f"Colour of {thing} {100 + i}:", "answer": COLOURS[0]})
    written = write_jsonl(folder / f"{task.name}.train.jsonl", documents)
    if of_test:
        copies = test.read_text().splitlines(keepends=True)[:of_test]
        written.write_text("".join([*copies, written.read_text()]))
    files = {**task.config["dataset_kwargs"]["data_files"], "train": str(written)}
    config = {**task.config, "dataset_kwargs": {"data_files": files}, "training_split": "train"}
    return replace(task, config=config, training="split", digest="f" * 12)


def training_card(folder: Path, **changes: Any) -> Path:
    """The card of a training as a run leaves it, in the results folder `folder`."""
    card: dict[str, Any] = {
        "model": "toy-1000",
        "family": "toy",
        "revision": "main",
        "variant": "finetune@64",
        "task": "topic",
        "prompt": "default",
        "seed": 0,
        "documents": 64,
        "left_out": 2,
        "learning_rate": 0.001,
        "steps": 40,
        "started_at": "2026-01-01T12:00:00+00:00",
        "seconds": 12.5,
        "energy_wh": None,
        "resumed": 0,
        "loss": [[10, 2.0], [20, 1.0], [30, 0.5], [40, 0.1]],
        "development_loss": [[20, 0.9], [40, 0.7]],
        **changes,
    }
    of_model = f"{card['model']}@{card['revision']}+{card['variant']}".replace("/", "--")
    made = folder / ".variants" / of_model / f"{card['task']}-{card['seed']:016d}" / "variant.json"
    made.parent.mkdir(parents=True)
    made.write_text(json.dumps(card))
    return made
