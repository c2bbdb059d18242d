"""A study of 1,000 curves, asked again: 200 tasks in 5 numbers of shots by 12 models, 12,000 cells of 100 documents.

Seconds that somebody waits, on an idle machine: several processes may work. Each question is asked by a process of its
own: first with nothing kept, then with what the first has left, as a colleague finds it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.big_store import MANY_SHOTS, write_big_store
from tests.benchmarks.timing import load

HEAD = ("what", "first s", "again s", "goal", "load")
GOALS = {"numbers": 2.0, "verdicts": 8.0, "another axis": 2.0, "report": 30.0}
"""Seconds on two cores."""
REPORT_BYTES = 8e6


def study_store(folder: Path, *, quick: bool) -> Path:
    """The store; a tenth of the tasks when it must be quick."""
    tasks = 20 if quick else 200
    write_big_store(folder, tasks=tasks, documents=100, sizes=12, asked=MANY_SHOTS, families=("large-a",))
    return folder


def rows(root: Path, cache: Path) -> list[tuple[object, ...]]:
    """Seconds of each question, with nothing kept and then again, and the size of the report."""
    first, again = _asked(root, cache), _asked(root, cache)
    found: list[tuple[object, ...]] = [
        (what, f"{first[what]:.1f}", f"{again[what]:.1f}", goal, load()) for what, goal in GOALS.items()
    ]
    return [*found, ("report, MB", f"{first['MB']:.1f}", f"{again['MB']:.1f}", REPORT_BYTES / 1e6, "")]


def _asked(root: Path, cache: Path) -> dict[str, float]:
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-m", "tests.benchmarks.large_study", str(root)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    took: dict[str, float] = json.loads(done.stdout)
    return took


def _measured(root: Path) -> dict[str, float]:
    """Seconds of what the dashboard and the report ask, in the order in which a reader waits for it."""
    from harness.kept_verdicts import kept_study
    from harness.report import report_page
    from harness.store import Store

    store, took = Store(root), dict[str, float]()

    def timed(what: str, call: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        answer = call()
        took[what] = time.perf_counter() - start
        return answer

    outcomes = timed("numbers", store.outcomes)
    study = timed("verdicts", lambda: kept_study(store, outcomes))
    timed("another axis", lambda: kept_study(store, outcomes, scale="flops"))
    page = timed("report", lambda: report_page(study))
    took["verdicts"] += took["numbers"]
    took["report"] += took["verdicts"]
    return took | {"MB": len(page.encode()) / 1e6}


if __name__ == "__main__":
    print(json.dumps(_measured(Path(sys.argv[1]))))
