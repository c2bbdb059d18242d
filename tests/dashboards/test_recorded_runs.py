"""The Runs page on what runs record of themselves; `test_runs_page` shows it on folders without records."""

import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from harness.runs.record import Progress, RunRecord, planned
from harness.store import RUNS, Store
from tests.builders import cell, failed, made_with, model, result, task
from tests.builders.commands import start_run, write_toy
from tests.builders.dashboards import HOSTILE, column, markup, numbers, opened, texts
from tests.builders.runs import CELLS, record


def bars(app: AppTest) -> list[tuple[float, str]]:
    """Every bar: how much of it is filled, in percent, and what it says."""
    return [(bar.proto.value, bar.proto.text) for bar in app.get("progress")]


def written(store: Store, **changes: object) -> RunRecord:
    """A record, heard of just now unless told, in the store."""
    made = record(**{"heard_at": datetime.now(UTC), **changes})
    store.write_run(made)
    return made


def test_a_run_that_has_not_answered_yet_is_seen(store: Store) -> None:
    written(store, progress=Progress(total=4))
    app = opened("runs")
    assert bars(app) == [(0, "A run is going on: 0/4 cells")]
    assert "on node-7: emergence run --suite toy" in texts(app)
    assert numbers(app)["Cells to come"] == "4"
    assert (column(app, "toy-1000"), column(app, "toy-4000")) == (["… 2"], ["… 2"])


def test_a_run_going_on_says_how_far_it_is_in_the_words_of_the_terminal(store: Store) -> None:
    began = datetime.now(UTC) - timedelta(minutes=1)
    written(store, started_at=began, progress=Progress(total=4))  # told at its beginning; the cells tell the rest
    store.write(made_with(result(CELLS[0]), started_at=began, seconds=20.0))
    store.write(failed(CELLS[1], failed_at=began + timedelta(seconds=40)))
    store.write(result(cell(shots=8)))  # of an earlier run: no other model owes it
    terminal = Progress(total=4, done=1, failed=1, first_seconds=20.0, elapsed_seconds=40.0).line()
    app = opened("runs")
    assert bars(app) == [(50, f"A run is going on: {terminal}")]
    assert numbers(app)["Cells to come"] == "2"
    assert (column(app, "toy-1000"), column(app, "toy-4000")) == (["✓ 2  ✗ 1"], ["… 2"])
    assert column(app, "State") == ["going on"]
    assert [column(app, heading) for heading in ("Planned", "Done", "Failed", "Left out")] == [[4], [1], [1], [3]]


def test_runs_at_the_same_time_have_a_bar_each_up_to_eight(store: Store) -> None:
    for pid in range(9):
        written(store, pid=pid)
    app = opened("runs")
    assert len(bars(app)) == 8
    assert "The table of runs has 1 more." in texts(app)
    assert numbers(app)["Cells to come"] == "4"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heard_at": datetime.now(UTC) - timedelta(hours=12)}, "A run has not been heard of for 12 h"),
        ({"ending": "interrupted"}, "A run was interrupted"),
        ({"ending": "stopped", "error": "StoreError: disk full"}, "A run was stopped by an error"),
    ],
)
def test_a_run_that_broke_off_can_be_taken_up(store: Store, changes: dict[str, object], said: str) -> None:
    written(store, **changes)
    store.write(result(CELLS[0]))
    app = opened("runs")
    [(_, text)] = bars(app)
    assert text.startswith(said)
    assert text.endswith(": 1/4 cells")
    assert app.code[0].value == "emergence run --suite toy"
    assert "No run seems to be going on" in texts(app)
    assert numbers(app)["Cells to come"] == "3"


def test_what_broke_off_and_was_done_since_asks_for_nothing(store: Store) -> None:
    written(store, ending="interrupted")
    for asked in CELLS:
        store.write(result(asked))
    app = opened("runs")
    assert bars(app) == []
    assert numbers(app)["Cells absent"] == "0"
    assert column(app, "State") == ["interrupted"]


def test_a_run_that_has_just_finished_does_not_go_on(store: Store) -> None:
    now = datetime.now(UTC)
    store.write(made_with(result(), started_at=now - timedelta(seconds=1)))
    written(store, started_at=now - timedelta(seconds=9), heard_at=now, ending="finished", plan=())
    assert "No run seems to be going on." in texts(opened("runs"))


def test_why_a_run_stopped_stands_in_the_table(store: Store) -> None:
    written(store, ending="stopped", error="StoreError: disk full")
    assert column(opened("runs"), "Stopped by") == ["StoreError: disk full"]


def test_a_record_that_cannot_be_read_is_named_and_breaks_nothing(store: Store) -> None:
    written(store)
    (store.root / RUNS / "half.json").write_text("{")
    app = opened("runs")
    assert len(bars(app)) == 1
    assert numbers(app)["Files unreadable"] == "1"
    assert column(app, "What is wrong") == ["is damaged: not JSON"]


def test_words_of_a_record_are_never_markdown(store: Store) -> None:
    plan = planned([cell(model=model(name=HOSTILE, family=HOSTILE), of=task(HOSTILE))])
    words = {"host": HOSTILE, "command": HOSTILE * 9, "error": HOSTILE, "plan": plan}
    written(store, **words)
    written(store, **words, pid=1, ending="stopped")
    store.write(result())
    app = opened("runs")
    assert any(HOSTILE in text.value for text in app.text)
    assert max(len(text.value) for text in app.text) < 500
    assert "script" not in markup(app)
    assert not any("script" in text for _, text in bars(app))


@pytest.mark.processes
def test_a_run_that_is_killed_is_known_at_once(tmp_path: Path, store: Store) -> None:
    toy = write_toy(tmp_path / "toy", sleep=0.3)
    process = start_run(toy, store.root, "inline")
    deadline = time.monotonic() + 90
    while len(store.done()) < 3:
        assert time.monotonic() < deadline, "no cells after 90 s"
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    assert bars(opened("runs"))[0][1].startswith("A run is going on: ")
    process.send_signal(signal.SIGKILL)
    process.communicate()

    [left] = store.runs()[0]
    assert (left.pid, left.ending) == (process.pid, "lost")
    app = opened("runs")
    assert bars(app)[0][1].startswith("A run has not been heard of for ")
    assert numbers(app)["Cells to come"] == str(16 - len(store.done()))

    assert start_run(toy, store.root, "inline").wait(timeout=120) == 0
    app = opened("runs")
    assert bars(app) == []
    assert column(app, "State") == ["finished", "probably killed"]
    assert numbers(app)["Cells absent"] == "0"
