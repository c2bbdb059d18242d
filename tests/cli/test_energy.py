import csv
import io
import os
import sys
from pathlib import Path

import pytest

from harness.store import Store
from tests.builders.commands import EXECUTORS, Emergence


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_run_with_energy_has_it_in_its_results_and_the_leaderboard(
    emergence: Emergence,
    options: tuple[str, ...],
    executor: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("codecarbon")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    few = (*options, "--model", "m10,m100", "--shots", "0")
    done = emergence("run", *few, "--executor", executor, "--workers", "1", "--energy")
    assert done.code == 0, done.err
    results = Store(Path("results")).results()
    assert len(results) == 4
    assert all((r.provenance.energy_wh or 0.0) > 0.0 for r in results)
    assert all(0.0 <= (r.provenance.energy_measured_wh or 0.0) <= (r.provenance.energy_wh or 0.0) for r in results)
    assert all((r.provenance.load_energy_wh or 0.0) > 0.0 for r in results)
    rows = list(csv.DictReader(io.StringIO(emergence("leaderboard").out)))
    assert rows
    assert all(float(row["energy_wh"]) > 0.0 for row in rows)
    assert (os.listdir("home"), sorted(os.listdir())) == ([], ["home", "results", "toy"])


def test_energy_is_provenance_and_asks_for_no_cell_again(emergence: Emergence, options: tuple[str, ...]) -> None:
    pytest.importorskip("codecarbon")
    few = ("run", *options, "--model", "m10", "--executor", "inline")
    emergence(*few)
    assert "4 of 4 cells are done already\n0 cells evaluated" in emergence(*few, "--energy").err
    assert {r.provenance.energy_wh for r in Store(Path("results")).results()} == {None}


def test_without_codecarbon_energy_is_refused_before_any_cell(
    emergence: Emergence, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    done = emergence("run", *options, "--executor", "inline", "--energy")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--energy needs codecarbon: pip install codecarbon" in done.err
    assert not Path("results").exists()
