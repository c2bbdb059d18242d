"""Documents of benchmark tasks to train on: drawn on demand from the training side of the world. Standard library only.

They have the fields of the shipped documents and share no key with the held-out ones (README.md, What is held out).
The first n are the same whatever n is, so that a smaller amount is part of every larger one.
"""

from __future__ import annotations

import random

from harness.ladder import skills, world
from harness.ladder.benchmark import BENCHMARKS, TEST_SEED

N_TRAINING = 1024
"""Documents where no number is asked for; the generator has no end."""
_MOST_DRAWS = 50
"""Draws per document after which a task is taken to have no more: few of its sums, or of its words, are left."""


def has_rows(task: str) -> bool:
    """True for a benchmark task whose documents can be learnt from; those of a skill ask nothing without examples."""
    return task in BENCHMARKS and task not in skills.SKILLS


def training_rows(task: str, number: int | None = None) -> list[dict[str, object]]:
    """Distinct training documents of a task in random order; fewer where the task has no more.

    Args:
        task: one of those for which `has_rows` is true.
        number: how many; None for `N_TRAINING`.
    """
    rng = random.Random(f"{TEST_SEED}/{task}/training")
    wanted = N_TRAINING if number is None else number
    rows: dict[str, dict[str, object]] = {}
    for _ in range(_MOST_DRAWS * wanted):
        if len(rows) == wanted:
            break
        item = world.draw(rng, BENCHMARKS[task].make, "train")
        if item.prompt not in rows:
            rows[item.prompt] = {"id": f"{task}-training-{len(rows):05d}", **item.fields}
    return list(rows.values())
