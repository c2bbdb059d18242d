"""Whether the first documents of a task stand for all of them: many files are sorted by their labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness.catalog.tasks.config import evaluated_split
from harness.catalog.tasks.data import named_files, read_split
from harness.errors import CatalogError
from harness.plan import RunPlan
from harness.scoring.templates import asked
from harness.specs import TaskSpec
from harness.wording import count

_MOST_LABELS = 100
"""More different right answers than this are no labels."""
_UNLIKELY = 1e-3
"""Probability below which a label is not missing among the first documents by chance."""


def doubtful_limits(plan: RunPlan) -> Iterator[str]:
    """A sentence for each task of the plan of which the first documents lack labels that the others have."""
    limits = {(cell.task, cell.limit) for cell in plan.cells if cell.limit is not None}
    for name, limit in sorted(limits):
        if doubt := doubtful_limit(plan.tasks[name], limit):
            yield doubt


def doubtful_limit(task: TaskSpec, limit: int) -> str | None:
    """Why the first `limit` documents of a task with local data stand for few of the others; None where they may do.

    A label is what the fields say that the right answer is rendered from. It is missed when so many documents have it
    that a shuffled file would hold it among the first ones with a probability of 99.9 %.
    """
    names = _of_target(task)
    if task.n_docs is None or limit >= task.n_docs or not names:
        return None
    first: Counter[str] = Counter()
    every: Counter[str] = Counter()
    files = named_files(task.config)[str(evaluated_split(task.config))]
    for place, document in enumerate(read_split(map(Path, files), task.config.get("dataset_path"))):
        label = json.dumps([document.fields.get(name) for name in names], sort_keys=True)
        every[label] += 1
        first[label] += place < limit
        if len(every) > _MOST_LABELS:
            return None
    lost = sum(not first[label] and (1 - n / every.total()) ** limit < _UNLIKELY for label, n in every.items())
    if not lost:
        return None
    return (
        f"task {task.name}: the first {count(limit)} documents have {sum(map(bool, first.values()))} of "
        f"{len(every)} labels ({', '.join(names)}), so that the file seems to be sorted; a score over them says "
        "nothing about the others: shuffle the file, or raise --limit"
    )


def _of_target(task: TaskSpec) -> tuple[str, ...]:
    """Names of the fields from which the right answer is rendered; none when it is no template."""
    target = task.config.get("doc_to_target")
    if not isinstance(target, str) or not task.data_files:
        return ()
    try:
        return tuple(sorted(asked(target))) if "{" in target else (target,)
    except CatalogError:
        return ()
