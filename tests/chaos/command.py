"""The run that is disturbed: `python -m tests.chaos.command RESULTS JOURNAL ADDRESS`.

Simulated models and two embedded ones, on engines that tell a journal of each cell that they have answered.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from harness.catalog import load_catalog, select
from harness.engines.protocol import ENGINES
from harness.plan import RunPlan
from harness.runner import evaluate
from tests.chaos.simulated import JOURNAL


def plan() -> RunPlan:
    """Cells of four simulated models and of the two smallest embedded ones."""
    catalog = load_catalog()
    embedded = [model.name for model in catalog.families["embedded"].models]
    simulated = select(
        catalog, tasks=["add_3", "topic"], families=["embedded"], models=embedded[2:6], engine="simulated"
    )
    real = select(catalog, tasks=["add_2"], families=["embedded"], models=embedded[:2], shots=[0, 4], limit=8)
    return RunPlan(cells=(*simulated.cells, *real.cells), tasks={**simulated.tasks, **real.tasks})


def main(results: Path, journal: Path, address: str | None) -> None:
    """Evaluate the plan."""
    os.environ[JOURNAL] = str(journal)
    ENGINES["simulated"] = "tests.chaos.simulated:Simulated"
    ENGINES["tree"] = "tests.chaos.tree:Tree"
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    progress = evaluate(
        plan(), results=results, address=address, forward=[JOURNAL], executor="ray" if address else "inline"
    )
    print(f"{progress.done} done, {progress.failed} failed", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
