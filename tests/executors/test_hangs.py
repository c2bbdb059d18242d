"""Workers that hang are noticed, through Ray and long before their deadline, and told apart from slow ones."""

from __future__ import annotations

import logging
import time
from typing import Any, NamedTuple

import pytest

from harness.engines.protocol import ENGINES, EngineSettings
from harness.executors.protocol import ExecutorSettings, open_executor
from harness.plan import RunPlan
from harness.records import CellFailure, CellResult, Outcome
from harness.schedule import lanes
from tests import builders
from tests.executors.engines import TOY

pytestmark = pytest.mark.ray

HURRIED = """
import sys
if any("driver:lead" in word or "default_worker" in word for word in sys.orig_argv):
    from harness.executors import vigil
    from harness.executors.ray import fleet, keeper, lookout, watching
    vigil._SAMPLE_SECONDS, vigil.STUCK_SECONDS = 0.5, 8.0
    keeper.TELL_SECONDS, keeper.SILENCE_SECONDS, fleet.KEEPER_SILENCE = 0.5, 7.0, 9.0
    lookout._WATCH_SECONDS, watching.QUIET_SECONDS, watching.SLOW_SECONDS = 0.5, 6.0, 7.0
"""
"""For every process of the run: what takes a minute otherwise takes seconds."""
DOINGS = ("stop once", "deadlock once", "loop", "be slow", "stop the keeper once")


class Run(NamedTuple):
    """What came of a run in which workers hang."""

    outcomes: dict[str, Outcome]
    said: dict[str, float]
    """Warning -> seconds from the start of the run."""

    def of(self, task: str) -> Any:
        return self.outcomes[task]

    def warned(self, words: str) -> str:
        [line] = [line for line in self.said if words in line]
        return line


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("hangs")
    (folder / "sitecustomize.py").write_text(HURRIED)
    tasks = {do: builders.task(do.replace(" ", "-"), config={"do": do}, n_docs=60) for do in DOINGS}
    cells = tuple(
        builders.cell(
            of=task, engine="toy", model=builders.model(name=f"model-{i}", path=str(folder), variant="hurried")
        )
        for i, task in enumerate(tasks.values())
    )
    plan = RunPlan(cells=cells, tasks={task.name: task for task in tasks.values()})
    said: dict[str, float] = {}
    started = time.monotonic()
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.setdefault(record.getMessage(), time.monotonic() - started)  # type: ignore[method-assign, assignment, return-value]
    logging.getLogger("harness").addHandler(handler)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(ENGINES, "toy", TOY)
            patch.syspath_prepend(folder)
            settings = ExecutorSettings(workers=len(DOINGS), cell_seconds=25.0)
            outcomes = list(open_executor("ray", settings).run(lanes(plan), EngineSettings()))
    finally:
        logging.getLogger("harness").removeHandler(handler)
    return Run({outcome.cell.task: outcome for outcome in outcomes}, said)


def test_a_process_that_is_stopped_is_replaced_and_its_cell_answered(run: Run) -> None:
    result = run.of("stop-once")
    assert isinstance(result, CellResult)
    assert "gave no sign of life" in result.provenance.losses[0]


def test_a_deadlock_is_named_and_its_cell_answered_by_another_process(run: Run) -> None:
    result = run.of("deadlock-once")
    assert isinstance(result, CellResult)
    assert "hung: it answered nothing and computed nothing" in result.provenance.losses[0]
    line = run.warned(
        "deadlock-once 0-shot default seed 0: 1 of 60 documents answered; the process answering it has computed nothing"
    )
    assert "its process is ended after 1 min" in line


def test_an_endless_loop_is_named_long_before_its_deadline_ends_it(run: Run) -> None:
    failure = run.of("loop")
    assert isinstance(failure, CellFailure)
    assert "took longer than allowed" in failure.message
    line = run.warned(" loop 0-shot default seed 0: ")
    assert "it may be in an endless loop" in line
    assert "0 of 60 documents answered" in line
    assert "its process is ended after 25 s" in line


def test_slow_work_is_called_slow_and_goes_on(run: Run) -> None:
    result = run.of("be-slow")
    assert isinstance(result, CellResult)
    assert result.provenance.losses == ()
    assert not [line for line in run.said if "be-slow" in line and "endless" in line]
    assert "of 60 documents answered; it has been answered for" in run.warned("be-slow 0-shot default seed 0 is slow")


def test_a_keeper_that_is_stopped_is_given_up_and_its_cell_answered(run: Run) -> None:
    result = run.of("stop-the-keeper-once")
    assert isinstance(result, CellResult)
    assert "gave no sign of life for 9 s" in result.provenance.losses[0]
