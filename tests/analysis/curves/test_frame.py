from dataclasses import replace

import pandas as pd
import pytest

from harness.analysis.curves.frame import COLUMNS, frame
from tests.builders import cell, counted, failed, grown, model


def test_one_row_per_cell_and_metric() -> None:
    table = frame(grown((50, 60, 70)))
    assert tuple(table.columns) == COLUMNS
    assert list(table["metric"]) == ["acc", "prob_correct"] * 3
    assert list(table["params"].unique()) == [1000, 4000, 16000]


def test_values_errors_and_scores_above_chance_stand_side_by_side() -> None:
    first = frame(grown((100,))).iloc[0]
    assert (first["value"], first["chance"], first["best"], first["status"]) == (0.5, 0.25, 1.0, "ok")
    assert first["normalized"] == pytest.approx(1 / 3)
    assert first["ci_low"] < 0.5 < first["ci_high"]
    assert (first["n"], first["n_expected"], first["harness_version"]) == (200, 200, "0.1")
    assert first["date"] == "2026-01-01T00:00:00+00:00"


def test_a_failed_cell_has_rows_without_values() -> None:
    table = frame((), [failed()])
    assert list(table["status"]) == ["failed", "failed"]
    assert table[["value", "stderr", "ci_low", "n", "n_expected", "normalized"]].isna().all(axis=None)


def test_a_failure_of_a_cell_with_a_result_is_left_out() -> None:
    (done,) = grown((50,))
    assert list(frame([done], [failed(done.cell)])["status"]) == ["ok", "ok"]


def test_a_failure_under_another_family_is_kept() -> None:
    (done,) = grown((50,))
    elsewhere = failed(cell(model=model(family="mine")))
    assert list(frame([done], [elsewhere])["status"]) == ["failed", "failed", "ok", "ok"]


def test_missing_documents_make_a_partial_result() -> None:
    table = frame([replace(counted(cell(), 10, 40), n_expected=50)])
    assert list(table["status"]) == ["partial", "partial"]


def test_rows_have_the_same_order_whatever_came_first() -> None:
    results = [*grown((50, 60)), *grown((50, 60), shots=2), *grown((50, 60), shots=2, seed=1)]
    pd.testing.assert_frame_equal(frame(results), frame(results[::-1]))


def test_unknown_numbers_are_missing_and_integers_stay_integers() -> None:
    table = frame([counted(cell(model=model(tokens=None)), 10, 40), *grown((50,), shots=1)])
    assert list(table["tokens"].isna()) == [True, True, False, False]
    assert str(table["tokens"].dtype) == "Int64"
    assert table["flops"].isna().sum() == 2


def test_no_results_give_an_empty_table_with_all_columns() -> None:
    assert tuple(frame(()).columns) == COLUMNS
