"""How long a reader of the dashboard waits: the first view of each page in a fresh process, and each change after it.

Two stores are asked, one of the embedded run's size and a large one. Pages run as in Streamlit's own tests: what a
browser takes to draw is not in these times (`first_view` has it), what Python takes to load without a head start is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.dashboards.state import FOLDER_VARIABLE

from harness.store import Store
from harness.store.samples import RIGHT, Query, answer_changes, page, sample_of
from tests.benchmarks.big_store import write_big_store
from tests.benchmarks.page_view import CHANGES, PAGES
from tests.benchmarks.timing import load

CHANGE_GOAL = 1.0
"""Seconds of anything after it."""
HEAD = ("store", "page", "first s", "CPU s", "again", *CHANGES, "goal", "load")
CALLS = ("store", "call", "s", "goal", "load")


def stores(folder: Path, *, quick: bool) -> dict[str, Path]:
    """A store of 384 cells of 256 documents, 48 headline curves, and one of 2,000 cells and 10 million samples.

    The embedded run has 368 cells and 46 such curves. When it must be quick, the large one has a million samples.
    """
    made = {"embedded": folder / "embedded", "large": folder / "large"}
    write_big_store(made["embedded"], tasks=12, sizes=8, settings=2, documents=256)
    write_big_store(made["large"], documents=500 if quick else 5_000)
    return made


def rows(made: Mapping[str, Path]) -> list[tuple[object, ...]]:
    """Seconds of each page on each store; `–` where a page has no such widget."""
    found: list[tuple[object, ...]] = []
    for name, root in made.items():
        for view in PAGES:
            took = _in_process(root, view)
            changed = (took.get(what, "–") for what in ("again", *CHANGES))
            found.append((name, view, took["first"], took["first CPU"], *changed, CHANGE_GOAL, load()))
    return found


def calls(made: Mapping[str, Path]) -> list[tuple[object, ...]]:
    """Seconds of what pages ask the store, without a dashboard."""
    return [
        (name, what, f"{_seconds(call):.2f}", CHANGE_GOAL, load())
        for name, root in made.items()
        for what, call in _questions(Store(root)).items()
    ]


def _questions(store: Store) -> dict[str, Callable[[], object]]:
    cells = [result.cell for result in store.results()]
    curve = [c for c in cells if (c.task, c.model.family, c.shots) == (cells[0].task, cells[0].model.family, 0)]
    document = page(store, curve, limit=1).rows[0].sample.doc_hash
    nowhere = Query(text="no such words")
    return {
        "has anything changed": store.stamp,
        "all headers": store.outcomes,
        "a page of all answers": lambda: page(store, cells),
        "a page of all wrong answers": lambda: page(store, cells, Query(metric="acc", below=RIGHT)),
        "words, in 100 cells": lambda: page(store, cells[:100], nowhere),
        "words, in all cells, until patience ends": lambda: page(store, cells, nowhere),
        "one document": lambda: sample_of(store, curve[0], document),
        "flips between all sizes": lambda: answer_changes(store, curve, "acc"),
    }


def _in_process(root: Path, view: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.page_view", view]
    environment = os.environ | {FOLDER_VARIABLE: str(root)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    took: dict[str, float] = json.loads(done.stdout)
    return took


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
