"""Tasks with documents of their own, small enough to be asked in a test."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.specs import MetricSpec, TaskSpec

COLOURS = ("red", "green", "dark blue", "yellow")
THINGS = ("apple", "leaf", "sea", "sun", "rose", "grass", "sky", "lemon")


def metrics(*names: str) -> tuple[MetricSpec, ...]:
    """Metrics by name; the first is the headline."""
    smooth = {"prob_correct", "brier", "loglikelihood_per_token", "loglikelihood_per_byte", "edit_similarity"}
    return tuple(MetricSpec(name=name, chance=None, best=None, continuous=name in smooth) for name in names)


def write_jsonl(path: Path, documents: Sequence[Mapping[str, Any]]) -> Path:
    """JSON lines at `path`."""
    path.write_text("".join(json.dumps(doc) + "\n" for doc in documents), encoding="utf-8")
    return path


def choice_task(folder: Path) -> TaskSpec:
    """Multiple choice: 24 documents, 6 demonstrations."""
    rng = random.Random(1)
    made = [
        {"question": f"The {thing} {i} is", "options": list(COLOURS), "label": rng.randrange(4)}
        for i, thing in enumerate(rng.choices(THINGS, k=30))
    ]
    config = {
        **_local(write_jsonl(folder / "x.test.jsonl", made[:24]), write_jsonl(folder / "x.fewshot.jsonl", made[24:])),
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "options",
        "doc_to_target": "label",
    }
    return TaskSpec(
        name="choice",
        kind="qa",
        suite="toy",
        metrics=metrics("acc", "acc_norm", "prob_correct", "brier", "loglikelihood_per_byte"),
        config=config,
        prompts={"default": {}, "asking": {"doc_to_text": "Q: {{question}}?\nA:"}},
        digest="c" * 12,
    )


def text_task(folder: Path) -> TaskSpec:
    """Generation: 24 documents, 6 demonstrations; the answer ends with the line."""
    rng = random.Random(2)
    made = [
        {"question": f"Colour of {thing} {i}:", "answer": rng.choice(COLOURS)}
        for i, thing in enumerate(rng.choices(THINGS, k=30))
    ]
    config = {
        **_local(write_jsonl(folder / "x.test.jsonl", made[:24]), write_jsonl(folder / "x.fewshot.jsonl", made[24:])),
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 12, "do_sample": False},
        "filter_list": [{"name": "strip", "filter": [{"function": "remove_whitespace"}, {"function": "take_first"}]}],
    }
    return TaskSpec(
        name="text",
        kind="qa",
        suite="toy",
        metrics=metrics("exact_match", "loglikelihood_per_token", "edit_similarity", "token_f1"),
        config=config,
        digest="e" * 12,
    )


def _local(test: Path, fewshot: Path) -> dict[str, Any]:
    return {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(test), "fewshot": str(fewshot)}},
        "test_split": "test",
        "fewshot_split": "fewshot",
    }


def configured(task: TaskSpec, **changes: Any) -> TaskSpec:
    """The task with some keys of its config changed."""
    return replace(task, config={**task.config, **changes})
