"""Forecasts of published curves: the next size lies in the interval as often as it should."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import Curve
from harness.analysis.curves.table import table_curves
from harness.analysis.forecast import BackTest, Forecast, forecasts
from tests.builders.tables import Published

_CHANCE = {"arc_easy": 0.25, "arc_challenge": 0.25, "sciq": 0.25, "logiqa": 0.25, "mmlu_micro57": 0.25} | {
    "piqa": 0.5,
    "winogrande": 0.5,
    "wsc": 0.5,
    "lambada_openai": 0.0,
}


def _back_tests(curves: list[Curve], at: float) -> list[BackTest]:
    return [test for one in forecasts(curves, at) if isinstance(one, Forecast) for test in one.backtest]


def _inside(tests: list[BackTest]) -> float:
    return float(np.mean([one.inside for one in tests]))


def _errors(tests: list[BackTest]) -> list[float]:
    """Mean absolute error of the forecast, of "like the size before" and of the straight line."""
    found = [[abs(v - one.measured) for v in (one.value, one.last, one.line)] for one in tests]
    return [float(error) for error in np.mean(found, axis=0)]


def test_the_next_big_bench_size_lies_in_its_interval_19_times_of_20_and_is_best_foretold_by_the_last(
    data: Published,
) -> None:
    path = data("bigbench_bigg_3shot_counts.csv")
    tests = _back_tests(list(table_curves(pd.read_csv(path), "params", str(path))), 1e12)
    assert len(tests) == 57 * 8
    assert 0.93 <= _inside(tests) <= 0.99
    assert _errors(tests) == pytest.approx([0.067, 0.062, 0.070], abs=0.002)


def test_the_next_pythia_opt_and_bloom_model_lies_in_its_interval_and_is_foretold_better_than_by_the_last(
    data: Published,
) -> None:
    tests = []
    for name in ("pythia", "opt_bloom"):
        rows = pd.read_parquet(data(f"{name}.parquet"))
        final = ~rows.model.str.contains("@") | rows.model.str.endswith("@step143000")
        rows = rows[final & (rows.metric == "acc") & rows.task.isin(_CHANCE)]
        rows = rows.assign(chance=rows.task.map(_CHANCE))
        tests += _back_tests(list(table_curves(rows, "params", name)), 1e12)
    assert len(tests) > 100
    assert 0.9 <= _inside(tests) <= 0.99
    assert _errors(tests)[0] == min(_errors(tests))
