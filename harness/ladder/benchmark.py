"""Benchmark documents: held-out test rows and training-split few-shot rows, as JSON lines. Standard library only."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from harness.ladder import dialogue, language, reasoning, skills, world
from harness.ladder.world import Split, WorldItem

N_TEST = 256
"""Number of distinct held-out documents per task; it is 250 where every answer must be equally frequent."""
N_FEWSHOT = 32
"""Number of distinct training-split documents per task, from which few-shot examples are taken."""
TEST_SEED = 20_261
"""Seed of the shipped documents. It differs from the seed of the documents that the number of training tokens and the
mixture were chosen on (README.md, Limits)."""


class Benchmark(NamedTuple):
    """The suite of a task, which is its folder under ``tasks/``, and the function that makes its items."""

    suite: str
    make: Callable[[random.Random], WorldItem]


def _skill(name: str) -> Callable[[random.Random], WorldItem]:
    return lambda rng: skills.item_of(skills.SKILLS[name](rng, skills.N_EXAMPLES + 1))


BENCHMARKS: dict[str, Benchmark] = {
    "sentiment": Benchmark("classification", world.sentiment),
    "sentiment_negated": Benchmark("classification", world.sentiment_negated),
    "topic": Benchmark("classification", world.topic),
    "entities": Benchmark("ner", world.entities),
    "relations": Benchmark("relations", world.relations),
    "one_hop": Benchmark("qa", world.one_hop),
    "two_hop": Benchmark("qa", world.two_hop),
    "override": Benchmark("qa", reasoning.override),
    "ending": Benchmark("commonsense", reasoning.ending),
    "translate": Benchmark("translation", language.translate),
    "summarise": Benchmark("summarisation", language.summarise),
    "dialogue_state": Benchmark("dialogue", dialogue.dialogue_state),
    "dialogue_reply": Benchmark("dialogue", dialogue.dialogue_reply),
    "sort_digits": Benchmark("algorithms", reasoning.sort_digits),
    "parity": Benchmark("algorithms", reasoning.parity),
    "two_steps": Benchmark("codegen", lambda rng: world.steps(rng, 2)),
    "three_steps": Benchmark("codegen", lambda rng: world.steps(rng, 3)),
    "add_2": Benchmark("arithmetic", lambda rng: world.addition(rng, 2)),
    "add_3": Benchmark("arithmetic", lambda rng: world.addition(rng, 3)),
    "modular_sum": Benchmark("arithmetic", world.modular_sum),
    "skill_class": Benchmark("prompting", _skill("skill_class")),
    "skill_shift": Benchmark("prompting", _skill("skill_shift")),
    "skill_halves": Benchmark("prompting", _skill("skill_halves")),
}
"""Every benchmark task of the family by name."""


_ANSWERS = {"modular_sum": 10, "sentiment": 2, "sentiment_negated": 2, "topic": 4, "parity": 2, "dialogue_reply": 4}
"""Tasks whose few answers are equally frequent among test documents, and how many they are: their chance is a guess's,
and a model that always gives one answer must not score higher."""


def items(task: str, split: Split) -> list[WorldItem]:
    """The shipped items of one split, which are distinct by key.

    The test items are held out; the few-shot items come from the training split. Their order is random, so that the
    first rows are a fair sample.
    """
    rng = random.Random(f"{TEST_SEED}/{task}/{split}")
    n_answers = _ANSWERS.get(task, 1) if split == "test" else 1
    each = (N_TEST if split == "test" else N_FEWSHOT) // n_answers
    chosen: dict[str, WorldItem] = {}
    answers: Counter[str] = Counter()
    while len(chosen) < each * n_answers:
        item = world.draw(rng, BENCHMARKS[task].make, split)
        # By key, not by prompt: two stories with the same facts in another order are one document. The
        # exception is the modular sum, whose few held-out sets of digits appear in several orders.
        name = item.prompt if task == "modular_sum" else item.key
        group = item.answer if n_answers > 1 else ""
        if name not in chosen and answers[group] < each:
            answers[group] += 1
            chosen[name] = item
    return list(chosen.values())


def prompt(item: WorldItem, shots: int) -> str:
    """The prompt of an item; a skill's item shows up to ``shots`` of the examples it carries."""
    examples = item.fields.get("examples", [])
    assert isinstance(examples, list)
    arrow = item.prompt.split()[-1]
    shown = "".join(f"{example['query']} {arrow} {example['answer']}\n" for example in examples[:shots])
    return shown + item.prompt


def rows(task: str, split: Split) -> list[dict[str, object]]:
    """The JSON rows of one split; ids are unique over both splits."""
    prefix = task if split == "test" else f"{task}-fewshot"
    return [{"id": f"{prefix}-{i:04d}", **item.fields} for i, item in enumerate(items(task, split))]


def render(task: str, split: Split) -> str:
    """The JSON lines of one split, as shipped."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(task, split))


def data_path(tasks_dir: Path, task: str, split: Split) -> Path:
    """The file with the rows of one split."""
    part = "test" if split == "test" else "fewshot"
    return tasks_dir / BENCHMARKS[task].suite / "data" / f"{task}.{part}.jsonl"


def splits(task: str) -> tuple[Split, ...]:
    """The splits that are shipped; a skill has no training split, because its documents contain their own examples."""
    return ("test",) if task in skills.SKILLS else ("test", "train")


def write_benchmarks(tasks_dir: Path) -> list[Path]:
    """Writes every task's rows below ``tasks_dir`` and returns the paths."""
    written: list[Path] = []
    for task in BENCHMARKS:
        for split in splits(task):
            path = data_path(tasks_dir, task, split)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(task, split), encoding="utf-8")
            written.append(path)
    return written
