"""The loss of a larger model by a power law with a floor, and how sure that is."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from harness.analysis.laws import Law, power_law_with_floor
from harness.analysis.stats import CONFIDENCE, Array
from harness.analysis.stats.distributions import t

_HUGE = 300.0
"""Logarithm of the largest factor by which a loss may be off; more has no meaning and no place in a float."""


class FutureLoss(NamedTuple):
    """A loss foretold by a law."""

    value: float
    """Expected."""
    error: float
    """Standard error of the logarithm of one new loss."""
    free: int
    """Degrees of freedom behind `error`."""

    def ends(self) -> tuple[float, float]:
        """Its prediction interval."""
        factor = math.exp(min(float(t.ppf((1 + CONFIDENCE) / 2, self.free)) * self.error, _HUGE))
        return self.value / factor, self.value * factor

    def drawn(self, draws: int, rng: np.random.Generator) -> Array:
        """Losses it may turn out to be, (draws,)."""
        return np.asarray(self.value * np.exp(np.clip(rng.standard_t(self.free, draws) * self.error, -_HUGE, _HUGE)))


def extrapolated(x: Array, loss: Array, at: float) -> FutureLoss:
    """Loss at `at` by a power law with a floor."""
    law = power_law_with_floor(x, loss)
    slopes, residual = _log_slopes(law, x), np.log(loss) - np.log(law.mean(x))
    free = len(x) - slopes.shape[1]
    here = _log_slopes(law, np.array([at]))[0]
    leverage = float(here @ np.linalg.pinv(slopes.T @ slopes) @ here)
    error = math.sqrt(float(residual @ residual) / free * (1 + leverage))
    return FutureLoss(float(law.mean(np.array([at]))[0]), error, free)


def _log_slopes(law: Law, x: Array) -> Array:
    """Slopes of ln y in ln b, c0 and, where there is a floor, a; (len(x), 2 or 3)."""
    mean = law.mean(x)
    above = (mean - law.a) / mean
    columns = [above, -above * np.log(x)] + ([1 / mean] if law.a > 0 else [])
    return np.stack(columns, axis=1)
