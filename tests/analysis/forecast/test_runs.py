"""Training runs of a size in forecasts: one point each, and an interval for the score of one further run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves import Curve
from harness.analysis.curves.table import table_curves
from harness.analysis.forecast import Forecast, forecasts, to_json

SD = 0.05
SIZES = np.array([1e7, 3e7, 1e8, 3e8, 1e9, 3e9])
MEAN = 0.25 + 0.5 / (1 + np.exp(-1.2 * (np.log10(SIZES) - 8.5)))
"""A wide logistic curve; its last size is to be forecast."""


def run_of(size: int, rng: np.random.Generator, n: int = 2000) -> int:
    p = MEAN[size] + 2 * SD * np.sqrt(MEAN[size] * (1 - MEAN[size])) * rng.standard_normal()
    return int(rng.binomial(n, p))


def family(runs: int, rng: np.random.Generator, name: str = "toy") -> Curve:
    rows = [
        {"model": f"{name}-{size}-r{run}", "params": SIZES[size], "k": run_of(size, rng)}
        for size in range(len(SIZES) - 1)
        for run in range(runs)
    ]
    common = {"family": name, "task": "colours", "metric": "acc", "n_shot": 0, "n": 2000, "chance": 0.25}
    (drawn,) = table_curves(pd.DataFrame(rows).assign(**common))
    return drawn


def forecast(curve: Curve) -> Forecast:
    (found,) = forecasts([curve], float(SIZES[-1]))
    assert isinstance(found, Forecast)
    return found


def test_runs_are_no_sizes() -> None:
    found = forecast(family(4, np.random.default_rng(0)))
    assert len(found.backtest) == 1
    assert to_json(found)["runs"] == [4] * 5
    (refused,) = forecasts([_two_sizes()], float(SIZES[-1]))
    assert not isinstance(refused, Forecast)


def _two_sizes() -> Curve:
    rows = [{"model": f"{size}-r{run}", "params": SIZES[size], "k": 900 + run} for size in (0, 1) for run in range(4)]
    common = {"family": "toy", "task": "colours", "metric": "acc", "n_shot": 0, "n": 2000, "chance": 0.25}
    (drawn,) = table_curves(pd.DataFrame(rows).assign(**common))
    return drawn


@pytest.mark.calibration
def test_the_interval_holds_one_further_run_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(1)
    curves = [family(3, rng, f"f{number}") for number in range(60)]
    found = forecasts(curves, float(SIZES[-1]), draws=100)
    inside = [one.low <= run_of(5, rng) / 2000 <= one.high for one in found if isinstance(one, Forecast)]
    assert 0.88 <= np.mean(inside) <= 1.0


def test_the_interval_holds_the_noise_of_one_run_however_many_runs_the_sizes_have() -> None:
    found = forecast(family(16, np.random.default_rng(2)))
    of_one_run = 2 * SD * np.sqrt(found.value * (1 - found.value))
    assert found.high - found.low > 2 * 1.96 * of_one_run * 0.85


def test_a_loss_of_one_run_scatters_by_more_than_means_over_runs() -> None:
    rng = np.random.default_rng(3)
    rows = [
        {
            "model": f"{size}-r{run}",
            "params": SIZES[size],
            "value": 5.0 * SIZES[size] ** -0.05 + 0.05 * rng.standard_normal(),
        }
        for size in range(5)
        for run in range(12)
    ]
    common = {"family": "toy", "task": "text", "metric": "loss", "n_shot": 0, "stderr": 0.001, "n": 1000}
    (drawn,) = table_curves(pd.DataFrame(rows).assign(**common))
    found = forecast(drawn)
    assert found.high - found.low > 2 * 1.96 * 0.05 * 0.9
    assert found.value == pytest.approx(5.0 * SIZES[-1] ** -0.05, abs=0.15)
