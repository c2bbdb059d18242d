"""A run that never ends by itself, for tests that end it: `python driver.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.engines.protocol import ENGINES, EngineSettings
from harness.executors.protocol import ExecutorSettings, open_executor
from harness.plan import RunPlan
from harness.schedule import lanes
from tests import builders
from tests.executors.engines import TOY


def main(folder: Path) -> None:
    ENGINES["toy"] = TOY
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
