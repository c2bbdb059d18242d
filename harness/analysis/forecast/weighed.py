"""The forecast from the scale and the one in two steps as one, each weighed by how its back-test did.

The weights are those of Bates and Granger 1969, "The Combination of Forecasts": inverse mean squared errors. Which of
the two is better differs from task to task: a loss foretells what follows it, and adds an error to what does not.
"""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.forecast.doubts import doubts
from harness.analysis.forecast.types import BackTest, Forecast, FormForecast

TWO_STEPS = "two-step"
"""What the forecast in two steps is called among the forms."""
_NOISE = 0.005
"""Error below which a back-test says nothing about which forecast is better, as a share of the best score."""


def weighed(direct: Forecast, stepped: Forecast) -> Forecast:
    """Both forecasts of one curve as one; without back-tests both count the same.

    The ends of the interval are weighed as the forecasts are, and it holds both of them.

    Args:
        direct: from the scale alone.
        stepped: from the scale to the loss, and from the loss to the score.
    """
    share = _share(direct, stepped)

    def mixed(a: float, b: float) -> float:
        return share * a + (1 - share) * b

    both = (direct.value, stepped.value)
    forms = {name: one._replace(weight=share * one.weight) for name, one in direct.forms.items()}
    forecast = replace(
        direct,
        loss=stepped.loss,
        value=mixed(*both),
        low=min(mixed(direct.low, stepped.low), *both),
        high=max(mixed(direct.high, stepped.high), *both),
        forms={**forms, TWO_STEPS: FormForecast(1 - share, stepped.value)},
        backtest=tuple(
            a._replace(value=mixed(a.value, b.value), low=mixed(a.low, b.low), high=mixed(a.high, b.high))
            for a, b in zip(direct.backtest, stepped.backtest, strict=True)
        ),
        doubts={},
    )
    return replace(forecast, doubts=doubts(forecast, begun="at chance" not in direct.doubts))


def _share(direct: Forecast, stepped: Forecast) -> float:
    """Weight of the direct forecast, 0 to 1."""
    noise = (_NOISE * (direct.curve.metric.best or 1.0)) ** 2
    of_direct, of_stepped = (1 / (_squared(one.backtest) + noise) for one in (direct, stepped))
    return of_direct / (of_direct + of_stepped)


def _squared(tests: tuple[BackTest, ...]) -> float:
    """Mean squared error of back-tests; 0 without any, so that both forecasts count the same."""
    return sum((test.value - test.measured) ** 2 for test in tests) / max(len(tests), 1)
