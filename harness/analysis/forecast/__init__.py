"""What comes next? The score of a larger model with its interval, a back-test, and reasons not to trust it."""

from harness.analysis.forecast.extrapolate import forecasts, on_the_way, to_json, weighed_forecasts
from harness.analysis.forecast.types import BackTest, Forecast, FormForecast, NoForecast

__all__ = [
    "BackTest",
    "Forecast",
    "FormForecast",
    "NoForecast",
    "forecasts",
    "on_the_way",
    "to_json",
    "weighed_forecasts",
]
