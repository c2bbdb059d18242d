import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.records import CellResult
from harness.store import Store
from tests.builders import cell, model, result
from tests.cli.conftest import Emergence


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


def test_numbers_that_were_asked_for_bit_by_bit_are_told_from_others(emergence: Emergence, results: Path) -> None:
    assert "mixed deterministic: no, yes" in emergence("status", "--results", results).out.splitlines()
