"""Reasons not to trust a forecast, in sentences."""

from __future__ import annotations

from harness.analysis.curves import Curve
from harness.analysis.forecast.types import Forecast
from harness.analysis.stats import CONFIDENCE, PRACTICAL_EFFECT
from harness.analysis.stats.distributions import binom
from harness.wording import number, score

FEWEST_TO_TRUST = 5
"""Sizes below which growth forms cannot be told apart and no back-test can be made."""
FARTHEST = 1.0
"""Decades beyond the largest size up to which a forecast is more than a guess; the back-test goes one size beyond."""
_DISAGREE = 0.1
"""Forms disagree when their forecasts differ by this share of the best score; forms of less weight do not count."""
_CLEARLY = 1.25
"""A forecast is clearly worse than the naive one when its error is this many times as large."""
_NOTICED = 0.005
"""Share of the best score by which two mean errors must differ to be mentioned."""


def doubts(forecast: Forecast, *, begun: bool) -> dict[str, str]:
    """Reasons not to trust a forecast: a short name -> a sentence; empty when there is none.

    Args:
        forecast: the forecast with its back-test.
        begun: True when some size is reliably above chance.
    """
    found = {
        "at chance": None if begun else _AT_CHANCE,
        "few sizes": _few_sizes(forecast),
        "far": _far(forecast),
        "below the largest": _below_the_largest(forecast),
        "leap": _leap(forecast),
        "not ahead": _not_ahead(forecast),
        "forms disagree": _forms_disagree(forecast),
        "missed before": _missed_before(forecast),
        "no better than last": _no_better_than_last(forecast),
        "no chance level": _no_chance_level(forecast),
    }
    return {name: sentence for name, sentence in found.items() if sentence is not None}


_AT_CHANCE = (
    "No size is reliably above chance. An ability that does not show yet cannot be foreseen: the forecast says where "
    "the score goes if it does not emerge."
)


def _few_sizes(forecast: Forecast) -> str | None:
    sizes = len(forecast.curve.points)
    if sizes >= FEWEST_TO_TRUST:
        return None
    return f"Only {forecast.curve.sizes}: growth forms cannot be told apart, and nothing can be back-tested."


def _far(forecast: Forecast) -> str | None:
    curve = forecast.curve
    loss = curve.scale == "loss"
    reach = curve.position[-1] - curve.position[0]
    if round(forecast.ahead, 2) <= (reach / 2 if loss else FARTHEST):  # ten times the largest size, as people write it
        return None
    unit = "units of loss" if loss else "decades"
    return f"{number(forecast.ahead, digits=3)} {unit} beyond the {_end(curve)}, much further than the back-test goes."


def _below_the_largest(forecast: Forecast) -> str | None:
    curve = forecast.curve
    sign = 1 if curve.metric.higher_is_better else -1
    top = curve.estimates[-1]
    matters = max(2 * (top.stderr or 0.0), PRACTICAL_EFFECT * (curve.metric.best or 0.0))
    # Scatter alone pulls a forecast away from the best score there is; the forms must say so too.
    by_forms = sum(form.weight * form.value for form in forecast.forms.values())
    behind = min(sign * (top.value - value) for value in (forecast.value, by_forms))
    rose = sign * (top.value - curve.y[0]) > 0
    if forecast.ahead > 0 and rose and behind > matters:
        return f"The forecast is worse than what {curve.names[-1]} scores already."
    return None


def _end(curve: Curve) -> str:
    return "last checkpoint" if curve.of_checkpoints else "largest size"


def _leap(forecast: Forecast) -> str | None:
    curve = forecast.curve
    away, apart = abs(forecast.value - curve.y[-1]), max(curve.y) - min(curve.y)
    if forecast.ahead > 0 and curve.metric.best and away > max(apart, _DISAGREE * curve.metric.best):
        return (
            f"The forecast lies {score(away)} from the {_end(curve)}, further than any two of the {curve.noun}s "
            "measured lie apart."
        )
    return None


def _not_ahead(forecast: Forecast) -> str | None:
    if forecast.ahead > 0:
        return None
    return f"{forecast.curve.names[-1]} is as large or larger: nothing is extrapolated."


def _forms_disagree(forecast: Forecast) -> str | None:
    best = forecast.curve.metric.best
    heavy = [(form.value, name) for name, form in forecast.forms.items() if form.weight >= _DISAGREE]
    (least, low_form), (most, high_form) = min(heavy), max(heavy)
    if not best or most - least <= _DISAGREE * best:
        return None
    both = f"{low_form} says {score(least)}, {high_form} {score(most)}"
    return f"Forms that fit about equally well differ by then: {both}."


def _missed_before(forecast: Forecast) -> str | None:
    missed, tests = sum(not test.inside for test in forecast.backtest), len(forecast.backtest)
    if missed and binom.sf(missed - 1, tests, 1 - CONFIDENCE) <= 0.05 + 1e-9:
        return f"{missed} of {tests} back-tests lie outside their 95 % interval."
    return None


def _no_better_than_last(forecast: Forecast) -> str | None:
    error, naive = forecast.error, forecast.error_of_last
    noticed = _NOTICED * (forecast.curve.metric.best or 0.0)
    if error is None or naive is None or error <= max(_CLEARLY * naive, naive + noticed):
        return None
    before = f"In the back-test the score of the {forecast.curve.noun} before was closer"
    return f"{before}: off by {score(naive)}, not {score(error)}."


def _no_chance_level(forecast: Forecast) -> str | None:
    metric = forecast.curve.metric
    if metric.chance is None and metric.higher_is_better and metric.best:
        return "The chance level is not known and taken as 0."
    return None
