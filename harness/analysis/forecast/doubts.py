"""Why not to trust a forecast, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.stats import CONFIDENCE, PRACTICAL_EFFECT
from harness.analysis.stats.distributions import binom

if TYPE_CHECKING:
    from harness.analysis.forecast.types import Forecast

FEWEST_TO_TRUST = 5
"""Sizes below which growth forms cannot be told apart and nothing can be back-tested."""
FARTHEST = 1.0
"""Decades ahead up to which a forecast is more than a guess; the back-test goes one size ahead."""
_DISAGREE = 0.1
"""Share of the best score by which forms of some weight must part to be said to disagree, and what some weight is."""
_CLEARLY = 1.25
"""How many times the error of the naive forecast makes a forecast clearly worse."""
_NOTICED = 0.005
"""Share of the best score by which two mean errors must differ to be worth a word."""


def doubts(of: Forecast, *, begun: bool) -> dict[str, str]:
    """Why not to trust a forecast.

    Args:
        of: the forecast.
        begun: some size is reliably above chance.
    """
    curve, sizes, said = of.curve, len(of.curve.points), {}
    if not begun:
        said["at chance"] = (
            "No size is reliably above chance. An ability that has not begun to show cannot be foreseen: this says "
            "where the score goes if it does not emerge."
        )
    if sizes < FEWEST_TO_TRUST:
        said["few sizes"] = f"Only {sizes} sizes: growth forms cannot be told apart, and nothing can be back-tested."
    reach = curve.position[-1] - curve.position[0]
    if of.ahead > (reach / 2 if curve.scale == "loss" else FARTHEST):
        unit = "units of loss" if curve.scale == "loss" else "decades"
        said["far"] = f"{of.ahead:.2g} {unit} beyond the largest size, much further than the back-test goes."
    sign = 1 if curve.metric.higher_is_better else -1
    top = curve.estimates[-1]
    matters = max(2 * (top.stderr or 0.0), PRACTICAL_EFFECT * (curve.metric.best or 0.0))
    # Scatter alone pulls a forecast away from the best score there is; the forms must say so too.
    by_forms = sum(share * value for share, value in of.forms.values())
    behind = min(sign * (top.value - value) for value in (of.value, by_forms))
    if of.ahead > 0 and sign * (top.value - curve.y[0]) > 0 and behind > matters:
        said["below the largest"] = f"The forecast is worse than what {curve.models[-1]} scores already."
    away, apart = abs(of.value - top.value), max(curve.y) - min(curve.y)
    if of.ahead > 0 and curve.metric.best and away > max(apart, _DISAGREE * curve.metric.best):
        said["leap"] = (
            f"The forecast lies {away:.3g} from the largest size, further than any two of the sizes measured lie apart."
        )
    if of.ahead <= 0:
        said["not ahead"] = f"{curve.models[-1]} is as large or larger: nothing is extrapolated."
    heavy = [(value, name) for name, (share, value) in of.forms.items() if share >= _DISAGREE]
    (least, low_form), (most, high_form) = min(heavy), max(heavy)
    if curve.metric.best and most - least > _DISAGREE * curve.metric.best:
        said["forms disagree"] = (
            f"Forms that fit about as well part by then: {low_form} says {least:.3g}, {high_form} {most:.3g}."
        )
    missed, tests = sum(not held.inside for held in of.backtest), len(of.backtest)
    if missed and binom.sf(missed - 1, tests, 1 - CONFIDENCE) <= 0.05 + 1e-9:
        said["missed before"] = f"{missed} of {tests} back-tests lie outside their 95 % interval."
    error, naive, noticed = of.error, of.error_of_last, _NOTICED * (curve.metric.best or 0.0)
    if error is not None and naive is not None and error > max(_CLEARLY * naive, naive + noticed):
        said["no better than last"] = (
            f"In the back-test the score of the size before was closer: off by {naive:.3g}, not {error:.3g}."
        )
    if curve.metric.chance is None and curve.metric.higher_is_better and curve.metric.best:
        said["no chance level"] = "The chance level is not known and taken as 0."
    return said
