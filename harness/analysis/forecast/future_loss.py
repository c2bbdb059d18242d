"""The loss of a larger model by a power law with a floor, and how sure that is."""

from __future__ import annotations

import math

import numpy as np

from harness.analysis.forecast.types import FutureLoss
from harness.analysis.laws import BrokenPowerLaw, fit_power_law_with_floor
from harness.analysis.stats import Array


def predicted_loss(x: Array, loss: Array, at: float) -> FutureLoss:
    """The loss at scale `at` by the power law with a floor that fits best.

    Its error is that of the linearised prediction interval, s sqrt(1 + h) with h the leverage of `at` (Bates and Watts
    1988, chapter 2).

    Args:
        x: scale of each size, (m,), at least four different ones.
        loss: loss of each size, above 0, (m,).
        at: scale to predict.
    """
    law = fit_power_law_with_floor(x, loss)
    slopes, residual = _log_slopes(law, x), np.log(loss) - np.log(law.mean(x))
    freedom = len(x) - slopes.shape[1]
    there = _log_slopes(law, np.array([at]))[0]
    leverage = float(there @ np.linalg.pinv(slopes.T @ slopes) @ there)
    error = math.sqrt(float(residual @ residual) / freedom * (1 + leverage))
    return FutureLoss(float(law.mean(np.array([at]))[0]), error, freedom)


def _log_slopes(law: BrokenPowerLaw, x: Array) -> Array:
    """Slopes of ln y in ln b, c0 and, where there is a floor, a; (len(x), 2 or 3)."""
    mean = law.mean(x)
    above = (mean - law.a) / mean
    columns = [above, -above * np.log(x)] + ([1 / mean] if law.a > 0 else [])
    return np.stack(columns, axis=1)
