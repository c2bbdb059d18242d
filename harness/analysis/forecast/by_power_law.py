"""Forecasts of losses and log-likelihoods by a power law with a floor."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from harness.analysis.curves import Curve, position
from harness.analysis.forecast.back_test import back_test
from harness.analysis.forecast.doubts import doubts
from harness.analysis.forecast.future_loss import predicted_loss
from harness.analysis.forecast.types import BackTest, Forecast, FormForecast, FutureLoss, NoForecast
from harness.analysis.growth import FEWEST_TO_EXTRAPOLATE
from harness.analysis.stats import Array


def by_power_law(curve: Curve, at: float) -> Forecast | NoForecast:
    """The forecast of a loss that falls, or of a log-likelihood that rises, towards a floor.

    Args:
        curve: at least four different sizes.
        at: scale to forecast, in the unit of the axis.
    """
    sign = -1.0 if curve.metric.higher_is_better else 1.0
    loss = sign * np.array(curve.y)
    if curve.scale == "loss" or not (loss > 0).all():
        reason = f"{curve.metric.name} is neither a score from 0 to a best one with known errors nor a loss over size."
        return NoForecast(curve, reason)
    future = _of_one_run(predicted_loss(np.array(curve.x), loss, at), curve)
    low, high = sorted(sign * end for end in future.ends())
    forecast = Forecast(
        curve=curve,
        at=at,
        loss=None,
        value=sign * future.value,
        low=low,
        high=high,
        ahead=position(curve.scale, at) - curve.position[-1],
        forms={"power law with a floor": FormForecast(1.0, sign * future.value)},
        backtest=_back_tests(curve, loss, sign),
        doubts={},
    )
    return replace(forecast, doubts=doubts(forecast, begun=True))


def _of_one_run(future: FutureLoss, curve: Curve) -> FutureLoss:
    """The loss of one training run: it scatters by more than means over several do."""
    if curve.noise is None:
        return future
    averaged_out = 1 - sum(1 / runs for runs in curve.runs) / len(curve.runs)
    return future._replace(error=math.hypot(future.error, curve.noise.sd * math.sqrt(averaged_out) / future.value))


def _back_tests(curve: Curve, loss: Array, sign: float) -> tuple[BackTest, ...]:
    x, tests = np.array(curve.x), []
    for size in range(FEWEST_TO_EXTRAPOLATE, len(x)):
        if len(set(curve.x[:size])) < FEWEST_TO_EXTRAPOLATE:
            continue
        future = predicted_loss(x[:size], loss[:size], float(x[size]))
        low, high = sorted(sign * end for end in future.ends())
        tests.append(back_test(curve, size, sign * future.value, low, high, best=None))
    return tuple(tests)
