import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.engines.protocol import EngineSettings
from harness.errors import HarnessError, StoreError
from harness.plan import Cell, RunPlan
from harness.records import CellFailure, Outcome
from harness.runner import evaluate, prepare, run
from harness.runs.record import Progress, RunRecord
from harness.runs.recorder import Recorder
from harness.schedule import Lane
from harness.store import RUNS, Store
from tests.builders import cell, failed, result, task

SETTINGS = EngineSettings()


class Recited:
    """An executor that answers without a model; the cells whose seed is in `failing` fail."""

    def __init__(self, failing: Iterable[int] = ()) -> None:
        self.failing = frozenset(failing)
        self.started: list[Cell] = []
        self.ended = False

    def run(self, lanes: Sequence[Lane], settings: EngineSettings) -> Generator[Outcome, None, None]:
        try:
            for job in (job for lane in lanes for job in lane.jobs):
                self.started.append(job.cell)
                yield failed(job.cell) if job.cell.seed in self.failing else result(job.cell)
        finally:
            self.ended = True


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def plan(seeds: int = 3) -> RunPlan:
    return RunPlan(cells=tuple(cell(shots=1, seed=seed) for seed in range(seeds)), tasks={"colours": task()})


def seeds(cells: Iterable[Cell]) -> list[int]:
    return [asked.seed for asked in cells]


def test_every_outcome_is_in_the_store_when_it_is_yielded(store: Store) -> None:
    for outcome in run(plan(), store, Recited(failing=[1]), SETTINGS):
        kept = store.failed() if isinstance(outcome, CellFailure) else store.done()
        assert outcome.cell.place in kept
    assert (len(store.done()), len(store.failed())) == (2, 1)


def test_a_second_run_evaluates_only_what_is_missing(store: Store) -> None:
    evaluate(plan(2), results=store.root, executor=Recited())
    second = Recited()
    came = evaluate(plan(4), results=store.root, executor=second)
    assert (came.total, came.done) == (2, 2)
    assert seeds(second.started) == [2, 3]


def test_failed_cells_are_left_alone_unless_they_are_to_be_retried(store: Store) -> None:
    evaluate(plan(), results=store.root, executor=Recited(failing=[1]))
    assert prepare(plan(), results=store.root, executor=Recited()).todo.cells == ()
    again = Recited()
    came = evaluate(plan(), results=store.root, executor=again, retry_failed=True)
    assert (came.done, came.failed, seeds(again.started)) == (1, 0, [1])
    assert (len(store.done()), len(store.failed())) == (3, 0)


def test_each_outcome_is_shown_with_how_far_the_run_is_once_it_is_stored(store: Store) -> None:
    seen: list[tuple[int, int]] = []

    def watch(outcome: Outcome, progress: Progress) -> None:
        assert outcome.cell.place in store.done() | store.failed()
        seen.append((progress.done, progress.failed))

    came = evaluate(plan(), results=store.root, executor=Recited(failing=[1]), watch=watch)
    assert seen == [(1, 0), (1, 1), (2, 1)]
    assert (came.done, came.failed) == seen[-1]
    assert only_record(store).progress == came


def test_a_run_that_breaks_off_ends_its_executor_and_says_so_in_its_record(store: Store) -> None:
    executor = Recited()

    def stop(outcome: Outcome, progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(plan(), results=store.root, executor=executor, watch=stop)
    assert (executor.ended, len(store.done()), only_record(store).ending) == (True, 1, "interrupted")


@pytest.mark.parametrize(
    ("asked", "options", "message"),
    [
        (replace(plan(), tasks={"colours": task(unsafe_code=True)}), {}, "agree with --confirm_run_unsafe_code"),
        (plan(), {"workers": 0}, "--workers 0: expected 1 or more"),
        (plan(), {"executor": "slurm"}, "unknown executor 'slurm'; known: inline, ray"),
        (RunPlan(cells=(cell(engine="tre"),), tasks={"colours": task()}), {}, "unknown engine 'tre'; known: lm-eval"),
        (
            RunPlan(cells=(cell(engine="tree"),), tasks={"colours": task()}, pickles=(Path("m/pytorch_model.bin"),)),
            {},
            r"m/pytorch_model\.bin: a pickle, which can run code",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(
    store: Store, asked: RunPlan, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        evaluate(asked, results=store.root, **{"executor": Recited(), **options})
    assert not store.root.exists()


def test_an_interrupted_run_keeps_what_it_had_and_ends_its_executor(store: Store) -> None:
    executor = Recited()
    outcomes = run(plan(), store, executor, SETTINGS)
    next(outcomes)
    outcomes.close()
    assert executor.ended
    assert len(store.done()) == 1
    assert seeds(prepare(plan(), results=store.root, executor=Recited()).todo.cells) == [1, 2]


def test_a_store_that_cannot_be_written_stops_the_run_and_ends_its_executor(store: Store) -> None:
    store.root.mkdir()
    (store.root / "toy").write_text("a file where the family's folder should be")
    executor = Recited()
    with pytest.raises(StoreError, match="toy"):
        list(run(plan(), store, executor, SETTINGS))
    assert executor.ended
    assert seeds(executor.started) == [0]


def recorded(store: Store, cells: int, **changes: float) -> Recorder:
    return Recorder(store, plan=plan(cells), command="emergence run --suite toy", done_before=2, **changes)


def only_record(store: Store) -> RunRecord:
    [record], problems = store.runs()
    assert problems == ()
    return record


def test_a_run_tells_from_its_beginning_what_it_planned(store: Store) -> None:
    with recorded(store, 3):
        record = only_record(store)
    assert record.state(datetime.now(UTC)) == "going on"
    assert (record.pid, record.command, record.done_before) == (os.getpid(), "emergence run --suite toy", 2)
    assert record.progress == Progress(total=3)
    [of] = record.plan
    assert of.tasks == {"colours": tuple(asked.key for asked in plan(3).cells)}


def test_a_run_is_heard_of_while_it_waits_for_a_cell(store: Store) -> None:
    with recorded(store, 3, every_seconds=0.01) as recorder:
        first = only_record(store).heard_at
        recorder.update(Progress(total=3, done=1))
        deadline = time.monotonic() + 60
        while only_record(store).progress.done == 0:
            assert time.monotonic() < deadline, "nothing was written for 60 s"
        assert only_record(store).heard_at > first


def test_a_run_that_finished_keeps_its_counts_and_no_keys(store: Store) -> None:
    with recorded(store, 3) as recorder:
        recorder.update(Progress(total=3, done=2, failed=1))
    record = only_record(store)
    assert (record.ending, record.error, record.plan) == ("finished", "", ())
    assert record.progress == Progress(total=3, done=2, failed=1)


@pytest.mark.parametrize(
    ("error", "ending", "said"),
    [
        (KeyboardInterrupt(), "interrupted", ""),
        (StoreError("disk\nfull"), "stopped", "StoreError: disk full"),
        (SystemExit(), "stopped", "SystemExit:"),
    ],
)
def test_a_run_that_broke_off_says_why_and_what_was_left(
    store: Store, error: BaseException, ending: str, said: str
) -> None:
    with pytest.raises(type(error)), recorded(store, 3):
        raise error
    record = only_record(store)
    assert (record.ending, record.error) == (ending, said)
    assert len(record.plan) == 1


def test_a_run_with_nothing_to_do_leaves_no_record(store: Store) -> None:
    with recorded(store, 0):
        pass
    assert not store.root.exists()


def test_a_record_that_cannot_be_written_costs_the_run_nothing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.root.mkdir()
    (store.root / RUNS).write_text("a file where the folder of the records should be")
    with recorded(store, 3, every_seconds=0.01) as recorder:
        outcomes = list(run(plan(), store, Recited(), SETTINGS))
        recorder.update(Progress(total=3, done=3))
    assert len(outcomes) == 3
    [line] = caplog.messages
    assert line.startswith("the run goes on without a record of it: ")


def test_a_record_that_cannot_be_written_any_more_does_not_hide_why_the_run_ends(store: Store) -> None:
    def run_into_trouble() -> None:
        with recorded(store, 3):
            shutil.rmtree(store.root / RUNS)
            (store.root / RUNS).write_text("a file where the folder of the records should be")
            raise StoreError("toy/colours: cannot be written")

    with pytest.raises(StoreError, match="toy/colours"):
        run_into_trouble()


@pytest.mark.parametrize(
    ("state", "line"),
    [  # a run of 40 cells, unless it says otherwise
        ({}, "0/40 cells"),
        ({"elapsed_seconds": 9.0}, "0/40 cells"),
        ({"skipped": 5}, "0/40 cells, 5 left out"),
        ({"done": 1, "first_seconds": 9.0, "elapsed_seconds": 9.0}, "1/40 cells"),
        (
            {"done": 11, "failed": 1, "first_seconds": 5.0, "elapsed_seconds": 23.75},
            "12/40 cells, 1 failed, 35.2/min, ETA 0:48",
        ),
        ({"done": 40, "first_seconds": 1.0, "elapsed_seconds": 20.5}, "40/40 cells, 120/min"),
        (
            {"total": 500, "done": 2, "first_seconds": 0.0, "elapsed_seconds": 90.0},
            "2/500 cells, 0.667/min, ETA 12:27:00",
        ),
        ({"done": 5, "first_seconds": 20.0, "elapsed_seconds": 120.0}, "5/40 cells, 2.4/min, ETA 14:35"),
        (
            {"total": 9999, "done": 3001, "first_seconds": 20.0, "elapsed_seconds": 140.0},
            "3001/9999 cells, 1.5k/min, ETA 4:40",
        ),
    ],
)
def test_progress_is_one_line(state: dict[str, float], line: str) -> None:
    progress = Progress(total=40)
    assert replace(progress, **state).line() == line


def test_progress_counts_results_and_failures_apart() -> None:
    progress = Progress(total=3).after(result(), elapsed_seconds=2.0).after(failed(), elapsed_seconds=4.0)
    assert (progress.done, progress.failed, progress.finished) == (1, 1, 2)
    assert progress.rate == 30.0
    assert progress.eta_seconds == 2.0
    assert progress.first_seconds == 2.0


def test_rate_and_time_left_are_unknown_until_two_cells_tell_them() -> None:
    progress = Progress(total=3).after(result(), elapsed_seconds=60.0)
    assert progress.rate is None
    assert progress.eta_seconds is None


def test_the_runner_loads_nothing_heavy() -> None:
    code = (
        "import harness.runner, harness.cli.progress, sys;"
        "print({'ray', 'torch', 'pandas', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
