import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.records import CellResult
from harness.runs.record import Progress
from harness.specs import MetricSpec
from harness.store import RUNS, Store
from tests.builders import cell, model, result
from tests.builders.commands import Emergence
from tests.builders.runs import CELLS, record


def made(name: str, seed: int, **provenance: object) -> CellResult:
    fresh = result(cell(model=model(name=name), seed=seed))
    return replace(fresh, provenance=replace(fresh.provenance, **provenance))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    store = Store(tmp_path / "results")
    store.write(made("gemma2-2b", 0, fallback="attention soft-capping"))
    store.write(made("gemma2-2b", 1, fallback="attention soft-capping"))
    store.write(made("t5", 0, fallback="encoder-decoder", deterministic=True))
    store.write(made("pythia", 0))
    return store.root


def test_cells_that_fell_back_to_lm_eval_are_counted_with_the_reason(emergence: Emergence, results: Path) -> None:
    shown = emergence("status", "--results", results).out.splitlines()
    assert "lm-eval's code: gemma2-2b: 2 cells: attention soft-capping" in shown
    assert "lm-eval's code: t5: 1 cell: encoder-decoder" in shown
    assert not any("pythia" in line for line in shown)
    assert json.loads(emergence("status", "--results", results, "--json").out)["fallbacks"] == [
        {"model": "gemma2-2b", "reason": "attention soft-capping", "cells": 2},
        {"model": "t5", "reason": "encoder-decoder", "cells": 1},
    ]


def test_prompts_that_were_cut_are_counted_by_model(emergence: Emergence, results: Path) -> None:
    assert "cut" not in emergence("status", "--results", results).out
    store = Store(results)
    for seed, n in ((0, 3), (1, 0), (2, 1)):
        store.write(result(cell(model=model(), seed=seed), n_truncated=n))
    assert "prompts cut: toy toy-1000: 4 of 12" in emergence("status", "--results", results).out.splitlines()
    assert json.loads(emergence("status", "--results", results, "--json").out)["prompts_cut"] == [
        {"family": "toy", "model": "toy-1000", "documents": 12, "cut": 4}
    ]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_folder_without_anything_is_refused(emergence: Emergence, tmp_path: Path, options: tuple[str, ...]) -> None:
    done = emergence("status", "--results", tmp_path / "misspelt", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("misspelt: no results and no runs; expected a folder that `emergence run` wrote to\n")


def test_a_run_that_has_no_cell_yet_is_shown(emergence: Emergence, tmp_path: Path) -> None:
    Store(tmp_path).write_run(record())
    done = emergence("status", "--results", tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "0/4 cells" in done.out


def test_numbers_that_were_asked_for_bit_by_bit_are_told_from_others(emergence: Emergence, results: Path) -> None:
    assert "mixed deterministic: no, yes" in emergence("status", "--results", results).out.splitlines()


def test_programs_that_were_held_by_unequal_fences_are_told(emergence: Emergence, tmp_path: Path) -> None:
    codegen = replace(cell(), metrics=(MetricSpec(name="pass_at_1", chance=0.0, best=1.0),))
    for seed, fence in enumerate(("landlock+seccomp", "bubblewrap+seccomp")):
        ran = result(replace(codegen, seed=seed))
        Store(tmp_path).write(replace(ran, provenance=replace(ran.provenance, fence=fence)))
    shown = emergence("status", "--results", tmp_path).out.splitlines()
    assert "mixed fence: bubblewrap+seccomp, landlock+seccomp" in shown


def test_code_of_others_that_ran_is_told(emergence: Emergence, tmp_path: Path) -> None:
    for seed in range(2):
        ran = result(cell(seed=seed, shots=2))
        code = ("modeling_theirs.py@1f0c9d3e5a7b",)
        Store(tmp_path).write(replace(ran, provenance=replace(ran.provenance, foreign_code=code)))
    shown = emergence("status", "--results", tmp_path).out.splitlines()
    assert "code of others: modeling_theirs.py@1f0c9d3e5a7b: 2 cells of toy-1000" in shown
    assert json.loads(emergence("status", "--results", tmp_path, "--json").out)["foreign_code"] == [
        {"code": "modeling_theirs.py@1f0c9d3e5a7b", "models": ["toy-1000"], "tasks": ["colours"], "cells": 2}
    ]


def test_the_last_runs_are_told_with_those_that_go_on_first(emergence: Emergence, results: Path) -> None:
    store, now = Store(results), datetime.now(UTC)
    for hour in range(5):
        started = now - timedelta(hours=hour + 1)
        store.write_run(record(started_at=started, heard_at=started, ending="finished", command=f"ended {hour}"))
    store.write_run(record(heard_at=now, command="goes on"))
    shown = [line for line in emergence("status", "--results", results).out.splitlines() if line.startswith("run: ")]
    assert [line.rpartition("; ")[2] for line in shown] == ["goes on", "ended 0", "ended 1", "ended 2"]
    assert shown[0] == ("run: 2026-01-01 12:00:00 UTC on node-7, process 4321: 0/4 cells; going on; goes on")
    assert len(json.loads(emergence("status", "--results", results, "--json").out)["runs"]) == 6


def test_a_run_is_told_in_numbers(emergence: Emergence, results: Path) -> None:
    store, now = Store(results), datetime.now(UTC)
    run = record(heard_at=now, started_at=now - timedelta(minutes=1))
    store.write_run(run)
    for asked, seconds in zip(CELLS, (20.0, 40.0), strict=False):
        fresh = result(asked)
        store.write(replace(fresh, provenance=replace(fresh.provenance, started_at=run.started_at, seconds=seconds)))
    assert json.loads(emergence("status", "--results", results, "--json").out)["runs"] == [
        {
            "state": "going on",
            "started_at": run.started_at.isoformat(),
            "heard_at": now.isoformat(),
            "host": "node-7",
            "pid": 4321,
            "command": "emergence run --suite toy",
            "done_before": 3,
            "planned": 4,
            "done": 2,
            "failed": 0,
            "rate_per_minute": 3.0,
            "eta_seconds": 40.0,
            "error": None,
            "workers": [],
        }
    ]


def test_a_run_that_was_killed_is_told_without_the_time_it_would_take(emergence: Emergence, results: Path) -> None:
    Store(results).write_run(record())
    shown = emergence("status", "--results", results).out
    assert (
        ": 0/4 cells; not heard of since 2026-01-01 12:01:00 UTC, probably killed: the same command goes on;" in shown
    )
    [run] = json.loads(emergence("status", "--results", results, "--json").out)["runs"]
    assert (run["state"], run["eta_seconds"]) == ("lost", None)


def test_a_damaged_record_is_named_and_changes_nothing_else(emergence: Emergence, results: Path) -> None:
    before = emergence("status", "--results", results).out
    (results / RUNS).mkdir()
    (results / RUNS / "half.json").write_text("{")
    after = emergence("status", "--results", results)
    assert after.out == before
    assert "half.json: is damaged: not JSON" in after.err


def test_a_run_records_itself_with_the_numbers_it_says(
    emergence: Emergence, options: tuple[str, ...], tmp_path: Path
) -> None:
    emergence("run", *options, "--executor", "inline", "--model", "m10")
    said = emergence("run", *options, "--executor", "inline").err
    assert "12 cells evaluated, 0 failed" in said
    emergence("run", *options, "--executor", "inline")  # finds nothing to do, and leaves no record
    later, first = Store(tmp_path / "results").runs()[0]
    assert (first.done_before, first.progress.total, later.done_before) == (0, 4, 4)
    assert replace(later.progress, first_seconds=None, elapsed_seconds=0.0) == Progress(total=12, done=12)
    assert later.ending == "finished"
    assert later.command == " ".join(["emergence", "run", *options, "--executor", "inline"])
