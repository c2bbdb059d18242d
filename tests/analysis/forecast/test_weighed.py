from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.curves import Curve
from harness.analysis.forecast import Forecast, forecasts, weighed_forecasts
from harness.analysis.forecast.weighed import TWO_STEPS, weighed
from tests.builders import SIZES
from tests.builders.curves import RISE, curve

NEXT = 4.0 * SIZES[-1]


def losses(wobble: float = 0.0) -> dict[str, float]:
    return {f"toy-{x}": 2 + 20 * x**-0.25 + wobble * (-1) ** i for i, x in enumerate(SIZES)}


def following(known: dict[str, float]) -> Curve:
    """A score that follows the loss of each model, whatever scale says."""
    return curve([int(200 * (0.25 + 0.75 / (1 + np.exp(4 * (loss - 3))))) for loss in known.values()])


def made(of: Curve, known: dict[str, float] | None = None) -> Forecast:
    (found,) = forecasts([of], NEXT, losses=known) if known is None else weighed_forecasts([of], NEXT, known)
    assert isinstance(found, Forecast)
    return found


def test_a_weighed_forecast_lies_between_the_two_and_its_interval_holds_both() -> None:
    known = losses()
    of = following(known)
    direct, both = made(of), made(of, known)
    (stepped,) = forecasts([of], NEXT, losses=known)
    assert isinstance(stepped, Forecast)
    low, high = sorted((direct.value, stepped.value))
    assert low <= both.value <= high
    assert both.low <= low <= high <= both.high
    assert both.loss == stepped.loss
    assert both.forms[TWO_STEPS].value == stepped.value
    assert sum(form.weight for form in both.forms.values()) == pytest.approx(1.0)


def test_the_forecast_whose_back_tests_did_better_counts_more() -> None:
    known = losses()
    direct = made(following(known))
    (stepped,) = forecasts([following(known)], NEXT, losses=known)
    assert isinstance(stepped, Forecast)
    right = replace(stepped, backtest=tuple(t._replace(value=t.measured) for t in stepped.backtest))
    wrong = replace(stepped, backtest=tuple(t._replace(value=t.measured + 0.2) for t in stepped.backtest))
    assert weighed(direct, right).forms[TWO_STEPS].weight > 0.5
    assert weighed(direct, wrong).forms[TWO_STEPS].weight < 0.05


def test_without_the_losses_of_all_models_the_scale_alone_foretells() -> None:
    of = curve(RISE)
    some = {name: loss for name, loss in losses().items() if not name.endswith(str(SIZES[3]))}
    assert made(of, some) == made(of)
