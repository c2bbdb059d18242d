from collections.abc import Sequence
from dataclasses import replace
from math import log10
from typing import Any

import numpy as np
import pytest

from harness.analysis.curves import Curve, curves
from harness.analysis.forecast import Forecast, NoForecast, forecasts, to_json
from harness.analysis.stats import Estimate
from tests.builders import SIZES, grown

N = 1000
NEXT = 4.0 * SIZES[-1]


def _curve(rates: Sequence[float], n: int = N) -> Curve:
    """The accuracy of sizes that score exactly these rates of `n` documents, chance 0.25."""
    return curves(grown([round(rate * n) for rate in rates], n=n))[0]


def _logistic(sizes: Sequence[float]) -> np.ndarray:
    return 0.25 + 0.75 / (1 + np.exp(-1.5 * (np.log10(sizes) - 5.5)))


def _loss(values: Sequence[float], *, higher_is_better: bool = False) -> Curve:
    """A curve of losses, or of log-likelihoods, of known error."""
    drawn = _curve([0.5] * len(values))
    metric = replace(drawn.metric, name="nll", chance=None, best=None, higher_is_better=higher_is_better)
    points = tuple(
        replace(p, estimate=Estimate(v, 0.01, N, 1, False)) for p, v in zip(drawn.points, values, strict=True)
    )
    return replace(drawn, metric=metric, points=points)


def forecast_of(curve: Curve, at: float, **changes: Any) -> Forecast | NoForecast:
    return forecasts([curve], at, **changes)[0]


def _made(curve: Curve, at: float = NEXT) -> Forecast:
    found = forecast_of(curve, at)
    assert isinstance(found, Forecast)
    return found


def test_a_smooth_curve_is_carried_on_and_its_next_size_lies_in_the_interval() -> None:
    found = _made(_curve(_logistic(SIZES)))
    truth = float(_logistic([NEXT])[0])
    assert found.low < truth < found.high
    assert found.value == pytest.approx(truth, abs=0.03)
    assert found.ahead == pytest.approx(log10(4))
    assert found.coverage == 1.0
    assert found.error is not None
    assert found.error_of_last is not None
    assert found.error < found.error_of_last


def test_the_back_test_foretells_each_size_from_the_fifth_on() -> None:
    rates = _logistic(SIZES)
    found = _made(_curve(rates))
    assert [held.x for held in found.backtest] == list(SIZES[4:])
    assert [held.measured for held in found.backtest] == pytest.approx(rates[4:], abs=1e-3)
    assert [held.last for held in found.backtest] == pytest.approx(rates[3:-1], abs=1e-3)
    line = np.polyval(np.polyfit(np.log10(SIZES[:4]), np.round(rates[:4], 3), 1), log10(SIZES[4]))
    assert found.backtest[0].line == pytest.approx(line)


def test_a_size_is_foretold_without_having_been_seen() -> None:
    rates = _logistic(SIZES)
    changed = rates.copy()
    changed[-1] = 0.3
    before, after = _made(_curve(rates)).backtest[-1], _made(_curve(changed)).backtest[-1]
    assert after._replace(measured=before.measured) == before
    assert before.inside
    assert not after.inside


@pytest.mark.calibration
def test_intervals_hold_19_of_20_scores_of_simulated_families() -> None:
    rng = np.random.default_rng(1)
    sizes = [*SIZES, NEXT]
    tops = rng.uniform(0.3, 1.0, size=60)
    drawn, next_scores = [], []
    for top in tops:
        truth = 0.25 + (top - 0.25) / (1 + np.exp(-1.5 * (np.log10(sizes) - 5)))
        k = rng.binomial(200, truth)
        drawn.append(_curve(k[:-1] / 200, n=200))
        next_scores.append(k[-1] / 200)
    found = [one for one in forecasts(drawn, NEXT) if isinstance(one, Forecast)]
    inside = [one.low <= y <= one.high for one, y in zip(found, next_scores, strict=True)]
    assert 0.88 <= np.mean(inside) <= 1.0
    assert np.mean([one.high - one.low for one in found]) < 0.35


def test_noise_between_runs_widens_the_interval() -> None:
    curve = _curve([0.5] * 8)
    quiet, noisy = forecast_of(curve, NEXT, run_sd=0.0), forecast_of(curve, NEXT, run_sd=0.03)
    assert isinstance(quiet, Forecast)
    assert isinstance(noisy, Forecast)
    assert noisy.high - noisy.low > 1.5 * (quiet.high - quiet.low)


def test_points_that_scatter_more_than_documents_explain_widen_the_interval() -> None:
    even, uneven = _made(_curve([0.5] * 8)), _made(_curve([0.45, 0.55] * 4))
    assert uneven.high - uneven.low > 1.5 * (even.high - even.low)


def test_a_score_near_its_best_may_be_missed_by_one_run_as_one_a_little_below_it_may() -> None:
    near, below = _made(_curve([0.99] * 8)), _made(_curve([0.95] * 8))
    assert near.low < 0.98
    assert near.value - near.low < below.value - below.low
    low = _made(_curve([0.01] * 8, n=1000))
    assert low.low < 0.002
    assert low.high > 0.02


def test_the_unit_of_scale_and_score_does_not_matter() -> None:
    curve = _curve(_logistic(SIZES))
    shifted = replace(curve, points=tuple(replace(p, x=1e6 * p.x) for p in curve.points))
    assert _made(shifted, 1e6 * NEXT).value == pytest.approx(_made(curve).value, abs=0.01)
    percent = replace(
        curve,
        metric=replace(curve.metric, chance=25.0, best=100.0),
        points=tuple(
            replace(
                p, estimate=p.estimate._replace(value=100 * p.estimate.value, stderr=100 * (p.estimate.stderr or 0))
            )
            for p in curve.points
        ),
    )
    assert _made(percent).value == pytest.approx(100 * _made(curve).value, abs=1)


def test_many_curves_are_forecast_in_the_order_given() -> None:
    drawn = [_curve([0.5] * 5), _loss([4.0, 3.5]), _curve(_logistic(SIZES)), _curve([0.9] * 5)]
    found = forecasts(drawn, NEXT)
    assert [one.curve for one in found] == drawn
    assert [one.value for one in found if isinstance(one, Forecast)] == pytest.approx([0.5, 0.98, 0.9], abs=0.03)


def test_an_ability_that_has_not_begun_cannot_be_foreseen_and_this_is_said() -> None:
    found = _made(_curve([0.24, 0.26] * 4))
    assert set(found.doubts) == {"at chance"}
    assert "cannot be foreseen" in found.doubts["at chance"]
    # Whatever is foretold where nothing has risen, the interval must at least be that of the next 1000 documents.
    assert found.low < 0.23
    assert found.high > 0.27


def test_no_hit_at_any_size_is_not_certainty() -> None:
    none = _curve([0.0] * 8)
    found = _made(replace(none, metric=replace(none.metric, chance=0.0)))
    assert found.value < 0.005
    assert found.high > 1 / N


@pytest.mark.parametrize(
    ("rates", "at", "doubt"),
    [
        ([0.3, 0.4, 0.5, 0.6], 4 * SIZES[3], "few sizes"),
        (_logistic(SIZES), 20 * SIZES[-1], "far"),
        (_logistic(SIZES), SIZES[-2], "not ahead"),
        ([0.25] * 4 + [0.6], NEXT, "missed before"),
        ([0.3, 0.5, 0.6, 0.65, 0.66, 0.65, 0.66, 0.65], NEXT, "no better than last"),
        ([0.25] * 7 + [0.6], NEXT, "forms disagree"),
    ],
)
def test_reasons_to_doubt_are_named(rates: Sequence[float], at: float, doubt: str) -> None:
    assert doubt in _made(_curve(rates), at).doubts


def test_ten_times_the_largest_size_as_people_write_it_is_not_too_far() -> None:
    curve = _curve(_logistic(SIZES))
    assert "far" not in _made(curve, 10.01 * curve.x[-1]).doubts
    assert _made(curve, 12 * curve.x[-1]).doubts["far"].startswith("1.08 decades beyond the largest size")


def test_a_smooth_curve_one_step_ahead_leaves_no_doubt() -> None:
    assert _made(_curve(_logistic(SIZES))).doubts == {}


def test_an_unknown_chance_level_is_taken_as_0_and_this_is_said() -> None:
    curve = _curve(_logistic(SIZES))
    found = _made(replace(curve, metric=replace(curve.metric, chance=None)))
    assert "no chance level" in found.doubts


def test_a_loss_follows_a_power_law_with_a_floor() -> None:
    def law(x: float) -> float:
        return 1.7 + 20 * x**-0.3

    wobble = (1.002, 0.998, 1.001, 0.999, 1.0, 1.001, 0.998, 1.0)
    found = _made(_loss([law(x) * w for x, w in zip(SIZES, wobble, strict=True)]))
    assert found.low < law(NEXT) < found.high
    assert found.value == pytest.approx(law(NEXT), rel=0.01)
    assert found.coverage == 1.0


def test_a_log_likelihood_is_a_loss_with_its_sign_turned() -> None:
    losses = [1.7 + 20 * x**-0.3 + 0.01 * (-1) ** i for i, x in enumerate(SIZES)]
    loss, likelihood = _made(_loss(losses)), _made(_loss([-v for v in losses], higher_is_better=True))
    assert likelihood.value == pytest.approx(-loss.value)
    assert (likelihood.low, likelihood.high) == pytest.approx((-loss.high, -loss.low))
    assert likelihood.error == pytest.approx(loss.error)


def test_two_steps_find_a_score_that_follows_the_loss() -> None:
    def loss_of(x: float) -> float:
        return 2 + 20 * x**-0.25

    def score_of(loss: float) -> float:
        return 0.25 + 0.75 / (1 + np.exp(4 * (loss - 3)))

    losses = {f"toy-{x}": loss_of(x) * (1 + 0.002 * (-1) ** i) for i, x in enumerate(SIZES)}
    curve = _curve([score_of(loss) for loss in losses.values()])
    found = forecast_of(curve, NEXT, losses=losses)
    assert isinstance(found, Forecast)
    assert found.loss == pytest.approx(loss_of(NEXT), rel=0.02)
    assert found.low < score_of(loss_of(NEXT)) < found.high
    assert found.ahead == pytest.approx(log10(4))
    assert found.coverage == 1.0
    assert _made(curve).loss is None


def test_two_steps_carry_the_error_of_the_loss_into_the_score() -> None:
    curve = _curve([0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65], n=20_000)
    widths = []
    for wobble in (0.001, 0.03):
        losses = {f"toy-{x}": (1 + 40 * x**-0.1) * (1 + wobble * (-1) ** i) for i, x in enumerate(SIZES)}
        found = forecast_of(curve, NEXT, losses=losses, run_sd=0.0)
        assert isinstance(found, Forecast)
        widths.append(found.high - found.low)
    assert widths[1] > 2 * widths[0]


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ((4.0, 3.5, 3.0), "Two steps need the loss of every model; not known of toy-64000, toy-256000."),
        ((4.0, 3.5, 3.0, 3.1, 2.0), "Two steps need losses above 0 that fall from each size to the next."),
    ],
)
def test_two_steps_need_a_falling_loss_of_every_model(losses: Sequence[float], reason: str) -> None:
    known = {f"toy-{x}": loss for x, loss in zip(SIZES, losses, strict=False)}
    found = forecast_of(_curve([0.3, 0.35, 0.4, 0.45, 0.5]), NEXT, losses=known)
    assert isinstance(found, NoForecast)
    assert found.reason == reason


def test_a_forecast_worse_than_the_largest_size_is_doubted() -> None:
    perplexity = [142.4, 38.1, 10.8, 7.92, 6.09, 5.04, 4.45, 3.92]
    assert "below the largest" in _made(_loss(perplexity)).doubts
    uneven = _curve([0.25, 0.25, 0.25, 0.25, 0.25, 0.9, 0.45, 0.95])
    assert "below the largest" in _made(uneven).doubts


def test_curves_that_cannot_be_carried_on_say_why() -> None:
    three = forecast_of(_curve([0.3, 0.4, 0.5]), NEXT)
    assert isinstance(three, NoForecast)
    assert three.reason == "Only 3 sizes: a forecast needs at least 4."
    mixed = forecast_of(_loss([1.0, -1.0, 1.0, 2.0, 1.0]), NEXT)
    assert isinstance(mixed, NoForecast)
    assert "nll is neither a score" in mixed.reason


def test_plain_data_keep_refusals_apart_from_numbers() -> None:
    made = to_json(_made(_curve(_logistic(SIZES))))
    assert made["forecast"] == pytest.approx(_logistic([NEXT])[0], abs=0.03)
    assert made["largest"] == {"model": f"toy-{SIZES[-1]}", "x": SIZES[-1], "value": pytest.approx(0.947, abs=0.001)}
    assert [held["inside"] for held in made["backtest"]] == [True] * 4
    assert sum(form["weight"] for form in made["forms"].values()) == pytest.approx(1.0)
    refused = to_json(forecast_of(_curve([0.3, 0.4, 0.5]), NEXT))
    assert (refused["forecast"], refused["backtest"], refused["forms"]) == (None, [], {})
    assert refused["doubts"] == {"refused": "Only 3 sizes: a forecast needs at least 4."}
    assert refused.keys() == made.keys()


@pytest.mark.calibration
@pytest.mark.parametrize("rates", [[0.0] * 8, [1.0] * 8, [1.0, 0.0] * 4, [0.25] * 7 + [1.0]])
@pytest.mark.parametrize("at", [1.0, NEXT, 1e30])
def test_a_forecast_stays_a_score_however_odd_the_curve_and_far_the_scale(rates: Sequence[float], at: float) -> None:
    found = _made(_curve(rates), at)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_forecast_far_outside_all_that_was_measured_is_doubted() -> None:
    found = _made(_curve([0.25] * 5 + [0.26, 0.29, 0.41]))
    assert found.value > 0.6
    assert "further than any two of the sizes measured lie apart" in found.doubts["leap"]
    assert "leap" not in _made(_curve(_logistic(SIZES))).doubts


@pytest.mark.parametrize(
    "rates",
    [
        (1.0, 0.973, 0.949, 1.0, 1.0, 1.0, 0.992, 0.945),
        (1.0, 1.0, 0.992, 1.0, 1.0, 1.0, 0.992, 0.941),
        (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.9),
        (0.9, 0.9, 0.9, 0.85, 0.5, 0.3, 0.25, 0.25),
    ],
)
def test_a_dip_or_a_fall_is_not_the_brink_of_a_fall_to_chance(rates: Sequence[float]) -> None:
    found = _made(_curve(rates, n=256), 3.5 * SIZES[-1])
    assert found.value == pytest.approx(rates[-1], abs=0.05)
    assert found.low > rates[-1] - 0.2
    assert "leap" not in found.doubts


def test_a_straight_fall_goes_on_straight() -> None:
    rates = [0.9 - 0.05 * size for size in range(8)]
    assert _made(_curve(rates)).value == pytest.approx(0.5, abs=0.02)


def test_a_forecast_of_scores_that_scatter_is_that_of_its_form_and_on_no_grid() -> None:
    found = _made(_curve((0.25, 0.27, 0.26, 0.28, 0.996, 1.0, 0.84, 1.0), n=256))
    share, value = max(found.forms.values())
    assert share > 0.8
    assert found.value == pytest.approx(value, abs=0.03)
    assert found.low < 0.84
    assert found.high == 1.0
    assert "below the largest" not in found.doubts


def test_a_score_that_nobody_misses_is_expected_of_the_next_size_too() -> None:
    found = _made(_curve([1.0] * 8, n=256))
    assert found.value == pytest.approx(1.0, abs=0.005)
    assert found.high == 1.0
    assert found.doubts == {}
