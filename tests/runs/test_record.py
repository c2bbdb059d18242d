import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.bounded.limits import RECORD_BYTES, SETTING
from harness.runs.record import dumped, loaded, planned
from harness.store import HEADER, RUNS, Store, run_files
from tests.builders import cell, model, result, task
from tests.builders.runs import CELLS, START, record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def put(store: Store, name: str, content: bytes) -> Path:
    path = store.root / RUNS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_plan_keeps_the_keys_of_each_model_and_task() -> None:
    shapes = cell(of=task("shapes"))
    small, large = planned([*CELLS, shapes])
    assert (small.model, large.model) == (model(1000), model(4000))
    assert small.tasks == {"colours": (CELLS[0].key, CELLS[1].key), "shapes": (shapes.key,)}


def test_a_record_comes_back_as_it_was_written(store: Store) -> None:
    ended = record(
        started_at=START + timedelta(days=1), heard_at=START + timedelta(days=2), ending="stopped", error="x"
    )
    store.write_run(record())
    store.write_run(ended)
    assert store.runs() == ((ended, record()), ())


def test_a_run_has_one_file_and_runs_at_the_same_time_have_one_each(store: Store) -> None:
    for one in (record(), record(pid=4322), record(host="../../node 8"), record(heard_at=START + timedelta(hours=1))):
        store.write_run(one)
    assert sorted(path.name for path in (store.root / RUNS).iterdir()) == [
        "20260101T120000.000000Z-.._.._node_8-4321.json",
        "20260101T120000.000000Z-node-7-4321.json",
        "20260101T120000.000000Z-node-7-4322.json",
    ]
    assert {one.heard_at.hour for one in store.runs()[0] if one.host == "node-7" and one.pid == 4321} == {13}


def test_a_store_without_records_has_none_and_no_problem(store: Store) -> None:
    assert store.runs() == ((), ())


def test_records_are_no_results(store: Store) -> None:
    store.write(result())
    before = store.stamp()
    store.write_run(record())
    header = store.path(cell()) / HEADER
    put(store, HEADER, header.read_bytes())
    assert store.stamp() == before
    assert (len(store.results()), store.problems()) == (1, ())


@pytest.mark.parametrize(
    ("seconds", "ending", "state", "said"),
    [
        (0, None, "going on", "going on"),
        (200, None, "going on", "going on, last heard of at 2026-01-01 12:01:00 UTC"),
        (301, None, "lost", "not heard of since 2026-01-01 12:01:00 UTC, probably killed: the same command goes on"),
        (-301, None, "lost", "not heard of since 2026-01-01 12:01:00 UTC, probably killed: the same command goes on"),
        (9, "finished", "finished", "finished at 2026-01-01 12:01:00 UTC"),
        (9e6, "interrupted", "interrupted", "interrupted at 2026-01-01 12:01:00 UTC: the same command goes on"),
        (9, "stopped", "stopped", "stopped at 2026-01-01 12:01:00 UTC by OSError: no"),
    ],
)
def test_a_run_that_is_silent_for_five_minutes_was_killed(seconds: float, ending: Any, state: str, said: str) -> None:
    one = record(ending=ending, error="OSError: no")
    now = one.heard_at + timedelta(seconds=seconds)
    assert (one.state(now), one.state_in_words(now)) == (state, said)


def test_a_run_whose_clock_is_ahead_goes_on_while_its_file_is_written(store: Store) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=6)
    store.write_run(record(started_at=ahead - timedelta(minutes=2), heard_at=ahead))
    [read], _ = store.runs()
    now = datetime.now(UTC)
    assert read.state(now) == "going on"
    assert read.is_heard(now)
    assert read.heard_at - read.started_at == timedelta(minutes=2)
    [path] = (store.root / RUNS).iterdir()
    os.utime(path, (now.timestamp() - 600,) * 2)
    assert store.runs()[0][0].state(now) == "lost"


def test_a_run_whose_process_is_gone_from_this_machine_was_killed(store: Store) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = socket.gethostname()
    asked = {gone.pid: host, os.getpid(): host, gone.pid + 10**6: f"not-{host}", 10**30: host}
    for pid, where in asked.items():
        store.write_run(record(pid=pid, host=where))
    store.write_run(record(pid=gone.pid, host=host, started_at=START - timedelta(hours=1), ending="interrupted"))
    records, problems = store.runs()
    assert problems == ()
    assert {(one.pid, one.state(START)) for one in records} == {
        (gone.pid, "lost"),
        (gone.pid, "interrupted"),
        (os.getpid(), "going on"),
        (gone.pid + 10**6, "going on"),
        (10**30, "going on"),
    }


def test_time_left_is_told_only_while_a_run_goes_on() -> None:
    assert record().progress_in_words(START) == "2/4 cells, 1 failed, 3/min, ETA 0:40"
    assert record(ending="interrupted").progress_in_words(START) == "2/4 cells, 1 failed"


def test_what_cannot_be_a_record_is_named_and_skipped(store: Store) -> None:
    good = json.loads(dumped(record()))

    def but(**changes: object) -> bytes:
        return json.dumps({**good, **changes}).encode()

    wrong = {
        "half.json": (dumped(record())[:100], "is damaged: not JSON"),
        "deep.json": (b"[" * 100_000, "is damaged: has more than 100 levels"),
        "list.json": (b"[]", "`format` is missing"),
        "newer.json": (but(format=2), "has format 2; this version reads 1"),
        "naive.json": (but(started_at="2026-01-01T00:00:00"), "no UTC time of our days"),
        "ancient.json": (but(heard_at="0001-01-01T00:00:00+14:00"), "no UTC time of our days"),
        "too-many.json": (but(progress={"total": 1, "done": 2}), "2 cells done and 0 failed of 1"),
        "huge.json": (but(progress={"total": 10**400}), "is damaged"),
        "nan.json": (
            but(progress={"total": 1, "elapsed_seconds": float("nan")}),
            "is damaged: has NaN; expected numbers that are finite",
        ),
        "ending.json": (but(ending="\x1b[31mwell"), "is damaged: ending"),
        "names.json": (
            but(plan=[{"model": {**good["plan"][0]["model"], "name": "x" * 9999}, "tasks": {}}]),
            "too long",
        ),
    }
    for name, (content, _) in wrong.items():
        put(store, name, content)
    store.write_run(record())
    records, problems = store.runs()
    assert records == (record(),)
    found = {problem.path.name: problem.message for problem in problems}
    assert found.keys() == wrong.keys()
    for name, (_, message) in wrong.items():
        assert message in found[name]
        assert found[name].isprintable()


def test_a_file_too_large_for_a_record_is_not_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_run(record())
    monkeypatch.setenv(SETTING, "0.00001")
    [problem] = store.runs()[1]
    assert "bytes; expected at most 160 (" in problem.message


def test_what_is_no_file_is_left_alone(store: Store) -> None:
    folder = store.root / RUNS
    (folder / "folder.json").mkdir(parents=True)
    os.mkfifo(folder / "pipe.json")  # opening it would wait for ever
    (folder / ".writing-1-half.json").write_text("{")
    (folder / "note.txt").write_text("mine")
    assert store.runs() == ((), ())


def test_the_records_written_last_are_those_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_files, "MOST_RUNS", 2)
    for hour in range(4):
        store.write_run(record(started_at=START - timedelta(hours=hour)))
        path = store.root / RUNS / record(started_at=START - timedelta(hours=hour)).name
        os.utime(path, (hour, hour))  # the run that began first was heard of last
    assert [one.started_at.hour for one in store.runs()[0]] == [10, 9]


def test_words_of_a_record_are_one_line_of_bounded_length_that_no_terminal_obeys() -> None:
    hostile = loaded(dumped(record(host="\x1b[2Jnode\n", command="\udcff" + "x" * 9999, error="\u202etxt")))
    assert hostile.host == "\ufffd[2Jnode\ufffd"
    assert len(hostile.command) == 2000
    assert hostile.error == "\ufffdtxt"


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert loaded(dumped(record()).replace(b'"pid"', b'"node": "a", "pid"')) == record()


def test_a_plan_of_ten_thousand_cells_is_small() -> None:
    cells = [
        cell(model=model(size), of=task(f"task-{number}"), shots=shots)
        for size in range(1, 11)
        for number in range(100)
        for shots in range(10)
    ]
    assert len(dumped(record(plan=planned(cells)))) < 300_000 < RECORD_BYTES.most
