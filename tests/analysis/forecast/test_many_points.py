import numpy as np
import pandas as pd
import pytest

from harness.analysis.curves.table import table_curves
from harness.analysis.forecast import Forecast, forecasts
from harness.analysis.forecast.extrapolate import MOST_FORECAST


def test_a_forecast_from_hundreds_of_checkpoints_is_one_of_the_whole_curve() -> None:
    tokens = np.linspace(1e9, 3e11, 300)
    rise = 0.25 + 0.5 / (1 + np.exp(-3 * (np.log10(tokens) - 10.5)))
    k = np.random.default_rng(0).binomial(400, rise)
    frame = pd.DataFrame({"tokens": tokens, "params": 1e9, "k": k, "n": 400, "model": [f"m@{i}" for i in range(300)]})
    (curve,) = table_curves(frame.assign(family="f", task="t", metric="acc", n_shot=0, chance=0.25), "tokens")
    (found,) = forecasts([curve], 1e12, draws=50)
    assert isinstance(found, Forecast)
    assert found.curve is curve
    assert found.ahead == pytest.approx(np.log10(1e12 / 3e11))
    assert len(found.backtest) < MOST_FORECAST
    assert found.low < 0.25 + 0.5 / (1 + np.exp(-3 * 1.5)) < found.high
