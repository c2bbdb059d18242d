"""Forecasts, their back-tests, and curves that cannot be carried on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.analysis.curves import Curve


class Held(NamedTuple):
    """One size foretold from the smaller ones; scores in units of the metric."""

    model: str
    """The model that was held out."""
    x: float
    """Its scale, in the unit of the axis."""
    measured: float
    """What it scored."""
    value: float
    """What was foretold."""
    low: float
    """Lower end of the 95 % prediction interval."""
    high: float
    """Upper end of the interval."""
    last: float
    """Naive: the score of the largest of the smaller sizes."""
    line: float
    """Naive: the straight line through the smaller sizes, kept between 0 and the best score."""

    @property
    def inside(self) -> bool:
        """True when the measured score lies in the interval."""
        return self.low - 1e-9 <= self.measured <= self.high + 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What a model of one more size would score."""

    curve: Curve
    """The curve that was carried on."""
    at: float
    """Scale of the forecast, in the unit of the axis."""
    loss: float | None
    """Loss foretold for that scale, the first of two steps; None for a forecast from the scale alone."""
    value: float
    """Score expected of it, in units of the metric: the median over the redrawn curves."""
    low: float
    """Lower end of the 95 % interval for the score of one model on as many documents as the largest size had."""
    high: float
    """Upper end of that interval."""
    ahead: float
    """Distance from the largest size: decades, or units of a loss; negative within the sizes measured."""
    forms: Mapping[str, tuple[float, float]]
    """Each growth form's weight and its own forecast."""
    backtest: tuple[Held, ...]
    """Each size from the fifth on, foretold from the smaller ones; empty below five sizes."""
    doubts: Mapping[str, str]
    """Why not to trust it: a word and a sentence each; empty when nothing speaks against it."""

    @property
    def error(self) -> float | None:
        """Mean absolute error of the back-test; None without one."""
        return self._mean([abs(held.value - held.measured) for held in self.backtest])

    @property
    def coverage(self) -> float | None:
        """Share of back-tests inside their 95 % interval; None without one."""
        return self._mean([float(held.inside) for held in self.backtest])

    @property
    def error_of_last(self) -> float | None:
        """Mean absolute error of "it stays as it is"; None without a back-test."""
        return self._mean([abs(held.last - held.measured) for held in self.backtest])

    @property
    def error_of_line(self) -> float | None:
        """Mean absolute error of the straight line; None without a back-test."""
        return self._mean([abs(held.line - held.measured) for held in self.backtest])

    @staticmethod
    def _mean(values: Sequence[float]) -> float | None:
        return float(np.mean(values)) if values else None


class NoForecast(NamedTuple):
    """A curve that cannot be carried on."""

    curve: Curve
    """The curve."""
    reason: str
    """Why, for people."""
