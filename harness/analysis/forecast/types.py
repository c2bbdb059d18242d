"""Forecasts, their back-tests, and curves that cannot be forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.stats import CONFIDENCE, Array
from harness.analysis.stats.distributions import t

_HUGE = 300.0
"""Logarithm of the largest factor by which a loss may be off; a larger one means nothing and does not fit a float."""


class BackTest(NamedTuple):
    """One size, forecast from the smaller ones; scores in units of the metric."""

    model: str
    """The model of this size."""
    x: float
    """Its scale, in the unit of the axis."""
    measured: float
    """Its measured score."""
    value: float
    """Its forecast."""
    low: float
    """Lower end of the 95 % prediction interval."""
    high: float
    """Upper end of the interval."""
    last: float
    """A naive forecast: the score of the size before."""
    line: float
    """Another naive forecast: the straight line through the smaller sizes, cut at 0 and at the best score."""

    @property
    def inside(self) -> bool:
        """True when the measured score lies in the interval."""
        return self.low - 1e-9 <= self.measured <= self.high + 1e-9


class FormForecast(NamedTuple):
    """What one growth form forecasts."""

    weight: float
    """Akaike weight of the form, 0 to 1."""
    value: float
    """Its own forecast, in units of the metric."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What a model at another scale of the same family would score."""

    curve: Curve
    """The curve that was extrapolated."""
    at: float
    """Scale of the forecast, in the unit of the axis."""
    loss: float | None
    """Loss predicted for that scale, the first of two steps; None for a forecast from the scale alone."""
    value: float
    """Expected score, in units of the metric: the median over the redrawn curves."""
    low: float
    """Lower end of the 95 % interval for the score of one model on as many documents as the largest size had."""
    high: float
    """Upper end of that interval."""
    ahead: float
    """Distance from the largest size, in decades or in units of a loss; negative within the measured sizes."""
    forms: Mapping[str, FormForecast]
    """Name of each growth form -> its weight and its own forecast."""
    backtest: tuple[BackTest, ...]
    """Each size from the fifth on, forecast from the smaller ones; empty below five sizes."""
    doubts: Mapping[str, str]
    """Reasons not to trust the forecast: a short name -> a sentence; empty when there is no reason."""

    @property
    def error(self) -> float | None:
        """Mean absolute error of the back-test; None without one."""
        return _mean([abs(test.value - test.measured) for test in self.backtest])

    @property
    def coverage(self) -> float | None:
        """Share of back-tests inside their 95 % interval; None without a back-test."""
        return _mean([float(test.inside) for test in self.backtest])

    @property
    def error_of_last(self) -> float | None:
        """Mean absolute error of "it stays as it is"; None without a back-test."""
        return _mean([abs(test.last - test.measured) for test in self.backtest])

    @property
    def error_of_line(self) -> float | None:
        """Mean absolute error of the straight line; None without a back-test."""
        return _mean([abs(test.line - test.measured) for test in self.backtest])


class NoForecast(NamedTuple):
    """A curve that cannot be forecast."""

    curve: Curve
    """The curve."""
    reason: str
    """Why it cannot be forecast, in a sentence for people."""


class FutureLoss(NamedTuple):
    """A loss that a law predicts for a larger scale."""

    value: float
    """Expected loss."""
    error: float
    """Standard error of the logarithm of the loss of one new model."""
    freedom: int
    """Degrees of freedom behind `error`."""

    def ends(self) -> tuple[float, float]:
        """Lower and upper end of the 95 % prediction interval."""
        factor = math.exp(min(float(t.ppf((1 + CONFIDENCE) / 2, self.freedom)) * self.error, _HUGE))
        return self.value / factor, self.value * factor

    def drawn(self, draws: int, rng: np.random.Generator) -> Array:
        """Losses drawn from the prediction distribution, (draws,)."""
        logs = np.clip(rng.standard_t(self.freedom, draws) * self.error, -_HUGE, _HUGE)
        return np.asarray(self.value * np.exp(logs))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
