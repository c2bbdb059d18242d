"""What every executor keeps, checked on one eventful run of each: starting Ray takes seconds."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.engines.protocol import ENGINES, EngineSettings
from harness.executors.protocol import ExecutorSettings, open_executor
from harness.plan import RunPlan
from harness.records import CellFailure, CellResult, Outcome
from harness.schedule import Lane, lanes
from tests import builders
from tests.builders.commands import EXECUTORS
from tests.executors.engines import TOY

TASKS = {
    "a": builders.task("a"),
    "b": builders.task("b", config={"do": "raise"}),
    "c": builders.task("c"),
    "d": builders.task("d", config={"do": "die"}),
    "e": builders.task("e"),
    "p": builders.task("p", config={"do": "poison"}, n_docs=200),
    "k": builders.task("k", config={"do": "killed once"}),
    "f": builders.task("f", config={"do": "unsendable"}),
    "big": builders.task("big", config={"do": "meet", "with": "first"}),
    "small": builders.task("small", config={"do": "meet", "with": "mortal"}),
}


def plan(folder: Path, models: Sequence[tuple[str, str, str | None]]) -> RunPlan:
    """Cells of `(model, task names, variant)` triples, the most expensive first."""
    cells = [
        builders.cell(
            of=TASKS[task],
            engine="toy",
            model=builders.model(10 ** (len(models) - place), name=name, path=str(folder), variant=variant),
        )
        for place, (name, names, variant) in enumerate(models)
        for task in names.split()
    ]
    return RunPlan(cells=tuple(cells), tasks=TASKS)


class Run(NamedTuple):
    """One finished run."""

    lanes: Sequence[Lane]
    outcomes: list[Outcome]
    folder: Path

    def of(self, model: str, task: str) -> Any:
        """The only outcome of a cell."""
        [outcome] = [o for o in self.outcomes if (o.cell.model.name, o.cell.task) == (model, task)]
        return outcome

    def journal(self, model: str) -> list[str]:
        """What the engines of a model said: `open` or `close`."""
        return [line.split()[0] for line in (self.folder / model).read_text().splitlines()]


def finish(executor: str, settings: ExecutorSettings, wanted: RunPlan, folder: Path) -> Run:
    made = lanes(wanted)
    outcomes = list(open_executor(executor, settings).run(made, EngineSettings()))
    return Run(made, outcomes, folder)


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES, "toy", TOY)
        patch.setenv("RAY_ADDRESS", "192.0.2.1:6379")  # a cluster that is not there: a private run must not look for it
        yield patch


@pytest.fixture(scope="module")
def inline(patched: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("inline")
    models = [("first", "a b c", None), ("broken", "a c", "unreadable"), ("last", "a c", None)]
    return finish("inline", ExecutorSettings(), plan(folder, models), folder)


@pytest.fixture(scope="module")
def ray(patched: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("ray")
    models = [
        ("mortal", "a big d e", None),
        ("first", "a b c f small", None),
        ("broken", "a c", "unreadable"),
        ("deadly", "a c", "deadly"),
        ("poisoned", "a p c e", None),
        ("killed", "a k e", None),
        ("last", "a c", None),
    ]
    return finish("ray", ExecutorSettings(workers=2), plan(folder, models), folder)


@pytest.fixture(params=EXECUTORS)
def run(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


class TestEveryExecutor:
    def test_yields_exactly_one_outcome_per_job(self, run: Run) -> None:
        asked = Counter(job.cell.key for lane in run.lanes for job in lane.jobs)
        assert Counter(outcome.cell.key for outcome in run.outcomes) == asked

    def test_a_raising_cell_is_a_failure_and_its_lane_goes_on(self, run: Run) -> None:
        raised = run.of("first", "b")
        assert (raised.error, raised.message) == ("ValueError", "no answer")
        assert "engines.py" in raised.traceback
        assert isinstance(run.of("first", "c"), CellResult)

    def test_a_model_that_does_not_open_fails_its_cells_and_other_lanes_go_on(self, run: Run) -> None:
        for task in "ac":
            failure = run.of("broken", task)
            assert (failure.error, failure.message) == ("ModelError", "broken: no weights")
            assert isinstance(run.of("last", task), CellResult)

    def test_opens_a_model_once_for_its_lane_and_closes_it(self, run: Run) -> None:
        assert run.journal("first") == ["open", "close"]
        assert run.of("first", "a").provenance.host == run.of("first", "c").provenance.host

    def test_the_time_that_its_model_took_to_load_is_kept_with_each_result(self, run: Run) -> None:
        took = run.of("last", "a").provenance.load_seconds
        assert took is not None
        assert 0.0 <= took < 60.0
        assert run.of("last", "c").provenance.load_seconds == took

    def test_results_come_back_whole(self, run: Run) -> None:
        result = run.of("last", "a")
        assert result.scores == builders.result(result.cell).scores
        assert result.samples == builders.result(result.cell).samples


@pytest.mark.ray
class TestRay:
    def test_two_models_run_at_the_same_time_in_two_processes(self, ray: Run) -> None:
        big, small = ray.of("mortal", "big"), ray.of("first", "small")
        assert isinstance(big, CellResult), big
        assert isinstance(small, CellResult), small
        assert big.provenance.host != small.provenance.host
        assert f"pid {os.getpid()};" not in big.provenance.host

    def test_a_worker_that_dies_costs_one_cell_and_a_fresh_one_does_the_rest(self, ray: Run) -> None:
        died = ray.of("mortal", "d")
        assert died.error == "WorkerDied"
        assert died.message.startswith("the worker process died while answering this cell")
        assert isinstance(ray.of("mortal", "a"), CellResult)
        assert isinstance(ray.of("mortal", "e"), CellResult)
        assert ray.journal("mortal") == ["open", "open", "close"]

    def test_a_model_that_kills_its_workers_is_given_up(self, ray: Run) -> None:
        assert ray.journal("deadly") == ["open", "open"]
        for task in "ac":
            assert ray.of("deadly", task).error == "WorkerDied"
            assert "loading deadly" in ray.of("deadly", task).message

    def test_a_poisoned_gpu_costs_the_cell_that_poisoned_it_and_a_new_process_does_the_rest(self, ray: Run) -> None:
        assert ray.of("poisoned", "p").message == "CUDA error: device-side assert triggered"
        assert [type(ray.of("poisoned", task)) for task in "ace"] == [CellResult] * 3
        assert ray.journal("poisoned").count("open") == 2

    def test_a_cell_whose_process_is_killed_from_outside_is_answered_again_and_that_is_recorded(self, ray: Run) -> None:
        assert [type(ray.of("killed", task)) for task in "ake"] == [CellResult] * 3
        [loss] = ray.of("killed", "k").provenance.losses
        assert loss.startswith("process ")
        assert f"on {socket.gethostname()} was " in loss
        assert "SIGKILL" in loss
        assert ray.of("killed", "e").provenance.losses == ()

    def test_a_crash_names_machine_process_and_exit_code(self, ray: Run) -> None:
        died = ray.of("mortal", "d")
        assert died.node == socket.gethostname()
        assert died.pid
        assert f"process {died.pid} on {died.node} ended with exit code 4" in died.message
        assert died.signal is None
        assert ray.of("first", "b").node == socket.gethostname()
        assert ray.of("first", "b").pid

    def test_an_answer_that_cannot_be_sent_is_a_failure_of_its_cell(self, ray: Run) -> None:
        assert isinstance(ray.of("first", "f"), CellFailure)
        assert "pickle" in ray.of("first", "f").message
        assert ray.journal("first") == ["open", "close"]

    def test_a_worker_on_the_cpu_has_one_thread_and_sees_no_gpu(self, ray: Run) -> None:
        assert ray.of("last", "a").provenance.host.endswith("GPUs ; 1")

    def test_a_worker_that_has_closed_one_model_opens_the_next(
        self, patched: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        wanted = plan(tmp_path, [("one", "a c", None), ("broken", "a", "unreadable"), ("other", "a", None)])
        run = finish("ray", ExecutorSettings(workers=1), wanted, tmp_path)
        assert run.journal("one") == run.journal("other") == ["open", "close"]
        processes = {run.of(model, "a").provenance.host for model in ("one", "other")}
        assert len(processes) <= 2
        in_order = [lane.model.name for lane in run.lanes]
        # a model that does not load takes its worker along, one that was closed does not
        together = abs(in_order.index("one") - in_order.index("other")) == 1
        assert (len(processes) == 1) is together
