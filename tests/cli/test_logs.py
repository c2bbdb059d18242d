"""What is known of a cell that failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.plan import Cell
from harness.runs import Workplace
from harness.store import Store
from tests.builders import cell, failed, model, result
from tests.builders.commands import Emergence
from tests.builders.runs import record

CRASHED = cell(model=model(name="crasher"), shots=2)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    store = Store(tmp_path / "results")
    store.write(
        failed(
            CRASHED,
            error="WorkerDied",
            message="the worker process died while answering this cell",
            traceback="",
            node="node-7",
            pid=4321,
            signal="SIGSEGV",
            log=("before", "Fatal Python error: Segmentation fault"),
            losses=("the node of its worker on node-3 was lost",),
        )
    )
    store.write(failed(cell(model=model(name="old")), message="no answer"))
    store.write(result(cell(model=model(name="fine"))))
    return store.root


def named(results: Path, of: Cell) -> list[str]:
    folder = Store(results).path(of)
    return [of.key, of.key[:8], str(folder), str(folder / "failure.json"), "crasher 2-shot"]


def test_a_failure_names_node_process_signal_earlier_losses_and_the_last_lines(
    emergence: Emergence, results: Path
) -> None:
    for words in named(results, CRASHED):
        assert emergence("logs", words, "--results", results).out.splitlines() == [
            f"{CRASHED.label} ({CRASHED.key}): WorkerDied: the worker process died while answering this cell",
            "  at 2026-01-01 00:00:00 UTC on node-7, process 4321, ended by SIGSEGV",
            "  before: the node of its worker on node-3 was lost",
            "  the last lines of its process:",
            "  | before",
            "  | Fatal Python error: Segmentation fault",
        ]


def test_failures_without_a_machine_are_shown_too_and_all_of_them_unless_one_is_named(
    emergence: Emergence, results: Path
) -> None:
    shown = emergence("logs", "--results", results).out
    assert "old colours 0-shot" in shown
    assert "on an unknown machine" in shown
    assert "crasher" in shown
    rows = json.loads(emergence("logs", "--json", "--results", results).out)["failed"]
    assert {(row["node"], row["pid"], row["signal"]) for row in rows} == {
        ("node-7", 4321, "SIGSEGV"),
        (None, None, None),
    }


def test_a_cell_that_is_done_has_nothing_to_tell_and_one_that_is_not_there_is_refused(
    emergence: Emergence, results: Path
) -> None:
    assert "1 cell done, and nothing to tell" in emergence("logs", "fine", "--results", results).err
    done = emergence("logs", "nobody", "--results", results)
    assert (done.code, done.out) == (2, "")
    assert "nobody: no cell of the results is called so" in done.err


def test_a_cell_that_is_being_answered_says_where(emergence: Emergence, results: Path) -> None:
    now = datetime.now(UTC)
    at = (Workplace(model="slow", cell="slow add 0-shot", node="n9", pid=7, gpus=1.0), Workplace(model="next"))
    Store(results).write_run(record(started_at=now, heard_at=now, host="elsewhere", workplaces=at))
    assert emergence("logs", "slow", "--results", results).out == "slow add 0-shot: being answered on n9, process 7\n"
    lines = emergence("status", "--results", results).out.splitlines()
    assert "  n9, process 7: slow add 0-shot" in lines
    assert "  waiting for a place: loading next" in lines
    [run] = json.loads(emergence("status", "--json", "--results", results).out)["runs"]
    assert run["workers"][0] == {"model": "slow", "cell": "slow add 0-shot", "node": "n9", "pid": 7, "gpus": 1.0}


def test_a_worker_that_trains_a_model_says_how_far_it_is(emergence: Emergence, results: Path) -> None:
    now = datetime.now(UTC)
    at = (Workplace(model="slow", cell="slow add 0-shot", node="n9", pid=7, doing="training, step 2 of 9"),)
    Store(results).write_run(record(started_at=now, heard_at=now, host="elsewhere", workplaces=at))
    assert (
        emergence("logs", "slow", "--results", results).out
        == "slow add 0-shot: training, step 2 of 9 on n9, process 7\n"
    )
    lines = emergence("status", "--results", results).out.splitlines()
    assert "  n9, process 7: slow add 0-shot: training, step 2 of 9" in lines
    [run] = json.loads(emergence("status", "--json", "--results", results).out)["runs"]
    assert run["workers"][0]["doing"] == "training, step 2 of 9"
