"""What the process that leads a run can do: cells per second through Ray, and how long large folders take to list.

The simulated engine answers, so that everything measured is the harness's own.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.plan import RunPlan
from harness.runner import prepare
from harness.store import HEADER, SAMPLES, Store
from harness.store.documents import samples_bytes
from harness.store.headers import header_bytes
from tests import builders

CELLS = 100_000
"""Cells of the folder that is listed."""
RUN_CELLS = 100_000
"""Cells that are sent through Ray, in about eight minutes on two idle cores."""
DOCUMENTS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Driven:
    """One figure, with what is wanted of it."""

    what: str
    """What was done."""
    value: float
    """How much of it, or how long it took."""
    unit: str
    """Unit of the value."""
    goal: str
    """What is wanted."""


def large_plan(cells: int) -> RunPlan:
    """A plan of 100 tasks on ten models."""
    tasks = {f"task-{i:03}": builders.task(f"task-{i:03}", n_docs=DOCUMENTS) for i in range(100)}
    made = tuple(
        builders.cell(
            of=task, model=builders.model(10**6 * (1 + j % 10), name=f"m{j % 10}"), shots=1 + j // 10 % 8, seed=j // 80
        )
        for task in tasks.values()
        for j in range(cells // 100)
    )
    return RunPlan(cells=made, tasks=tasks)


def write_done(root: Path, plan: RunPlan) -> None:
    """Every cell of the plan as a run leaves it, written in a hurry."""
    result = builders.result(plan.cells[0], values=[1.0] * DOCUMENTS)
    samples = samples_bytes(result.samples or (), [metric.name for metric in result.cell.metrics])
    store = Store(root)
    for cell in plan.cells:
        folder = store.path(cell)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SAMPLES).write_bytes(samples)
        (folder / HEADER).write_bytes(header_bytes(replace(result, cell=cell)))


def rows(*, quick: bool = False) -> list[Driven]:
    """All figures; `quick` takes a tenth of the cells, and a hundredth through Ray."""
    cells, run_cells = (CELLS // 10, RUN_CELLS // 100) if quick else (CELLS, RUN_CELLS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        found = [*_throughput(folder / "run", run_cells)]
        plan = large_plan(cells)
        write_done(folder / "done", plan)
        half = replace(plan, cells=plan.cells[: cells // 2])
        write_done(folder / "half", half)
        store = Store(folder / "done")
        first = _seconds(store.outcomes)
        found += [
            Driven(what=f"list {cells} cells the first time", value=first, unit="s", goal=""),
            Driven(what=f"list {cells} cells again", value=_seconds(store.outcomes), unit="s", goal="<= 5"),
            Driven(
                what=f"resume with {len(half.cells)} cells done, never listed",
                value=_seconds(lambda: prepare(half, results=folder / "half", executor="inline")),
                unit="s",
                goal="<= 10",
            ),
            *(
                Driven(
                    what=f"{verb} on {cells} cells",
                    value=_seconds(lambda verb=verb: _command(verb, folder / "done")),  # type: ignore[misc]
                    unit="s",
                    goal="<= 15",
                )
                for verb in ("status", "leaderboard")
            ),
        ]
    return found


def _throughput(root: Path, cells: int) -> list[Driven]:
    """Cells per second from the first to the last, so that the start of Ray is left out."""
    run = prepare(large_plan(cells), results=root, executor="ray", workers=os.cpu_count())
    progress = run.evaluate()
    took = progress.elapsed_seconds - (progress.first_seconds or 0.0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [
        Driven(what=f"{cells} cells through Ray", value=(cells - 1) / took, unit="cells/s", goal=">= 200"),
        Driven(what=f"memory of the driver after {cells} cells", value=memory, unit="GB", goal="<= 1"),
    ]


def _command(verb: str, root: Path) -> None:
    command = [sys.executable, "-m", "harness", verb, "--results", str(root)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


HEAD = ("what", "value", "unit", "goal")


def as_texts(found: list[Driven]) -> list[tuple[str, ...]]:
    """The figures as rows of a table."""
    return [(row.what, f"{row.value:.2f}", row.unit, row.goal) for row in found]


def as_plain(found: list[Driven]) -> list[dict[str, object]]:
    """The figures for `--json`."""
    return [asdict(row) for row in found]
