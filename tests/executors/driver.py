"""Runs in a process of their own: `python driver.py FOLDER [ADDRESS]`.

Without an address, a private Ray and a run that never ends by itself, for tests that end it. With one, a short run that
tells which GPUs its workers saw.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.engines.protocol import ENGINES, EngineSettings
from harness.executors.protocol import ExecutorSettings, open_executor
from harness.plan import RunPlan
from harness.records import CellFailure
from harness.schedule import lanes
from tests import builders
from tests.executors.engines import TOY


def endless(folder: Path) -> None:
    tasks = {do: builders.task(do, config={"do": do}) for do in ("answer", "die", "linger")}
    mortal = builders.model(2000, name="mortal", path=str(folder))
    patient = builders.model(1000, name="patient", path=str(folder))
    cells = [
        builders.cell(of=tasks[do], engine="toy", model=model)
        for model, do in ((mortal, "die"), (mortal, "answer"), (patient, "linger"))
    ]
    executor = open_executor("ray", ExecutorSettings(workers=2))
    for outcome in executor.run(lanes(RunPlan(cells=tuple(cells), tasks=tasks)), EngineSettings()):
        print(outcome.cell.task, type(outcome).__name__, flush=True)


def seen(folder: Path, address: str) -> None:
    sizes = {"pair": 2.0, "half": 0.5, "none": 0.0, "large-one": 2.0, "large-two": 2.0, "large-three": 2.0}
    cells = tuple(
        builders.cell(
            engine="toy",
            model=builders.model(
                name=name, path=str(folder), gpus=gpus, variant="large" if name.startswith("large") else None
            ),
        )
        for name, gpus in sizes.items()
    )
    made = lanes(RunPlan(cells=cells, tasks={"colours": builders.task()}))
    for outcome in open_executor("ray", ExecutorSettings(address=address)).run(made, EngineSettings()):
        failed = isinstance(outcome, CellFailure)
        what = outcome.message if failed else outcome.provenance.host.split("; ")[1]
        print(f"{outcome.cell.model.name}: {what}", flush=True)


if __name__ == "__main__":
    ENGINES["toy"] = TOY
    if len(sys.argv) == 2:
        endless(Path(sys.argv[1]))
    else:
        seen(Path(sys.argv[1]), sys.argv[2])
