import os
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.plan import RunPlan
from harness.runs import Progress, Recorder, RunRecord
from harness.runs.record import marks_of
from harness.store import RUNS, Store
from tests.builders import cell, failed, result, task


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def plan(seeds: int) -> RunPlan:
    return RunPlan(cells=tuple(cell(shots=1, seed=seed) for seed in range(seeds)), tasks={"colours": task()})


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
        store.write(result())
        recorder.update(Progress(total=3, done=3))
    assert len(store.done()) == 1
    [line] = caplog.messages
    assert line.startswith("the run continues, but cannot be recorded: ")


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


def test_the_rate_is_that_of_the_last_minute() -> None:
    progress = Progress(total=1000)
    for second in range(1, 101):  # a small model: a cell each second
        progress = progress.after(result(), elapsed_seconds=float(second))
    assert progress.rate == pytest.approx(60.0)
    for minute in range(1, 4):  # a large one: a cell each minute
        progress = progress.after(result(), elapsed_seconds=100.0 + 60.0 * minute)
    assert progress.rate == pytest.approx(1.0)
    assert progress.eta_seconds == pytest.approx(60.0 * 897)
    assert len(progress.marks) < 20


def test_old_records_without_marks_keep_the_rate_since_the_first_cell() -> None:
    assert Progress(total=9, done=3, first_seconds=10.0, elapsed_seconds=70.0).rate == pytest.approx(2.0)
    assert marks_of(()) == ()
    assert marks_of((5.0, 10.0, 100.0, 120.0)) == ((10.0, 2),)
