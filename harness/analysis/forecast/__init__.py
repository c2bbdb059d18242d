"""What comes next? Forecasts with intervals, back-tests and doubts."""

from harness.analysis.forecast.forecast import forecasts, to_json
from harness.analysis.forecast.types import Forecast, NoForecast

__all__ = [
    "Forecast",
    "NoForecast",
    "forecasts",
    "to_json",
]
