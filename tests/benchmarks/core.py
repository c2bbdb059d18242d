"""The suite `core` on a real model of 270 million weights: the tree engine beside lm-eval's `HFLM`, in CPU seconds.

Both are given the same requests, those of the first documents of each task with its own number of examples, and the
same weights in one process with one thread. The documents are small ones in the schema of the real data sets. What
`emergence run` asks besides, the likelihood of the right answer behind each written text, is left out, since lm-eval
does not ask it.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lm_eval.models.huggingface import HFLM
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.catalog import Catalog, load_catalog
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.engines.tree.lm import TreeLM
from tests.benchmarks.timing import digits
from tests.builders import cell
from tests.builders.hub import write_mirror
from tests.builders.real_models import missing_packages, real_model

MODEL = "gemma3-270m"
LIMIT = 20
GOAL = 6.0
BATCH_SIZE = 16
HEAD = ("task", "requests", "lm-eval s", "ours s", "ratio", "differences")


class Measured(NamedTuple):
    """One task."""

    task: str
    """Its name."""
    requests: int
    """Requests that both answered."""
    theirs: float
    """CPU seconds of lm-eval's engine."""
    ours: float
    """CPU seconds of the tree engine."""
    different: str
    """Largest difference of a likelihood, or how many texts differ."""

    @property
    def row(self) -> tuple[object, ...]:
        """As a row of the table."""
        seconds = (digits(self.theirs), digits(self.ours), digits(self.theirs / self.ours))
        return (self.task, self.requests, *seconds, self.different)


def missing() -> str | None:
    """Why it cannot be measured here; None when it can."""
    return missing_packages(MODEL)


def measured(limit: int = LIMIT, names: Sequence[str] = ()) -> Iterator[Measured]:
    """The tasks one after the other.

    Args:
        limit: documents of each task.
        names: tasks of the suite; all that execute no programs when none is named.
    """
    torch.set_num_threads(1)
    folder = real_model(MODEL)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    settings: dict[str, Any] = {"pretrained": model, "tokenizer": tokenizer, "device": "cpu"}
    both = HFLM(batch_size=BATCH_SIZE, **settings), TreeLM(**settings)
    assert both[1].why_not is None
    with tempfile.TemporaryDirectory() as place:
        catalog = load_catalog(mirror=write_mirror(Path(place), more=LIMIT))
        chosen = names or catalog.suite("core").tasks
        catalog = catalog.with_others(chosen)[0]
        for name in chosen:
            if not catalog.task(name).unsafe_code:
                yield _measured(catalog, name, limit, both)


def _measured(catalog: Catalog, name: str, limit: int, both: tuple[Any, Any]) -> Measured:
    assert catalog.mirror is not None
    task = catalog.mirror.task(catalog.task(name))
    built = build_cell(cell(of=task, shots=task.default_shots or 0, limit=limit), task, DocumentCache())
    requests = [request for document in built.documents for request in document]
    method = requests[0].request_type
    seconds, answers = [], []
    for lm in both:
        start = time.process_time()
        answers.append(getattr(lm, method)(copy.deepcopy(requests), disable_tqdm=True))
        seconds.append(time.process_time() - start)
    return Measured(name, len(requests), *seconds, _different(*answers))


def _different(theirs: Sequence[Any], ours: Sequence[Any]) -> str:
    if isinstance(theirs[0], str):
        return f"{sum(a != b for a, b in zip(theirs, ours, strict=True))} of {len(theirs)} texts"
    return f"{max(abs(a[0] - b[0]) for a, b in zip(theirs, ours, strict=True)):.1e}"


def summary(done: Sequence[Measured]) -> str:
    """The ratio over all tasks, and whether it reaches the goal."""
    theirs, ours = sum(one.theirs for one in done), sum(one.ours for one in done)
    met = "met" if theirs / ours >= GOAL else "missed"
    return (
        f"{len(done)} tasks: lm-eval {digits(theirs)} s, ours {digits(ours)} s, ratio {digits(theirs / ours)}; "
        f"goal {GOAL:g} ({met})"
    )
