"""A size that is known, forecast from the smaller ones, and compared with two forecasts that need no statistics."""

from __future__ import annotations

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.forecast.types import BackTest


def back_test(curve: Curve, size: int, value: float, low: float, high: float, *, best: float | None) -> BackTest:
    """The forecast of one size beside its measured score, the score before it, and the straight line.

    Args:
        curve: the curve with all its sizes.
        size: index of the size that was forecast from all smaller ones.
        value: its forecast, in units of the metric.
        low: lower end of the 95 % prediction interval.
        high: upper end of that interval.
        best: best score, at which the straight line ends; None for a metric without one.
    """
    at, y = np.array(curve.position), np.array(curve.y)
    line = float(np.polyval(np.polyfit(at[:size], y[:size], 1), at[size]))
    return BackTest(
        model=curve.names[size],
        x=curve.x[size],
        measured=curve.y[size],
        value=value,
        low=low,
        high=high,
        last=curve.y[size - 1],
        line=line if best is None else min(max(line, 0.0), best),
    )
