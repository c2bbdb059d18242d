from collections.abc import Sequence
from dataclasses import replace
from math import log10, sqrt

import numpy as np
import pytest

from harness.analysis.curves import Curve, Scale, curves, position
from harness.analysis.growth import FORMS, FittedForm, counts_of, fit, fitted_forms
from tests.builders import SIZES, grown

N = 1000


def _curve(rates: Sequence[float], scale: Scale = "params") -> Curve:
    """The accuracy of eight sizes that score exactly these rates of 1000 documents, chance 0.25."""
    drawn = curves(grown([round(rate * N) for rate in rates], n=N), scale=scale)
    return next(c for c in drawn if c.metric.name == "acc")


def _logistic(midpoint: float, slope: float) -> Curve:
    at = slope * (np.log10(SIZES) - log10(midpoint))
    return _curve(0.25 + 0.75 / (1 + np.exp(-at)))


def _of(form: str, curve: Curve) -> FittedForm:
    return next(f for f in fitted_forms(curve) if f.form == form)


def test_a_logistic_curve_is_recognised_and_its_parameters_are_those_it_was_made_with() -> None:
    found = fitted_forms(_logistic(midpoint=50_000, slope=2.0))
    best = found[0]
    assert best.form == "logistic"
    assert [f.aicc for f in found] == sorted(f.aicc for f in found)
    assert sum(f.weight for f in found) == pytest.approx(1.0)
    assert best.left_out_score == max(f.left_out_score for f in found)
    midpoint, slope = best.parameters["midpoint"], best.parameters["slope"]
    assert midpoint.value == pytest.approx(50_000, rel=0.02)
    assert slope.value == pytest.approx(2.0, rel=0.02)
    assert midpoint.low < midpoint.value < midpoint.high
    assert slope.low < slope.value < slope.high


def test_a_curve_can_be_drawn_at_any_scale_in_units_of_the_metric() -> None:
    best = fitted_forms(_logistic(midpoint=50_000, slope=2.0), intervals=False)[0]
    assert best.at([50_000.0, 1e9]) == pytest.approx([0.625, 1.0], abs=0.01)
    percent = _curve([0.3, 0.35, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75])
    hundred = replace(percent.metric, chance=25.0, best=100.0)
    points = tuple(
        replace(p, estimate=p.estimate._replace(value=100 * p.estimate.value, stderr=100 * (p.estimate.stderr or 0)))
        for p in percent.points
    )
    scaled = replace(percent, metric=hundred, points=points)
    assert _of("linear", scaled).at([8000.0]) == pytest.approx(100 * _of("linear", percent).at([8000.0]), rel=0.02)


def test_a_constant_has_the_wilks_interval_of_its_level() -> None:
    level = next(f for f in fitted_forms(_curve([0.5] * 8), run_sd=0.0) if f.form == "const").parameters["level"]
    half = 1.96 * sqrt(0.25 / (8 * N))
    assert level == pytest.approx((0.5, 0.5 - half, 0.5 + half), abs=2e-4)


def test_a_jump_has_its_gap_as_the_interval_of_its_step_and_no_steepest_slope() -> None:
    curve = _curve([0.25] * 5 + [0.7] * 3)
    step = _of("step", curve).parameters
    assert (step["onset"].low, step["onset"].high) == pytest.approx((SIZES[4], SIZES[5]))
    assert step["level"].value == pytest.approx(0.7)
    top = _of("logistic-top", curve).parameters
    assert top["slope"].high is None
    assert top["top"].value == pytest.approx(0.7, abs=0.01)


def test_profile_ends_are_where_the_likelihood_has_fallen_by_1_92() -> None:
    curve = _logistic(midpoint=50_000, slope=2.0)
    low = _of("logistic", curve).parameters["slope"].low
    counts = counts_of([curve], run_sd=0.006)
    best = fit(FORMS["logistic"], counts)
    start = np.array([[best.theta[0, 0], low]])
    held = fit(FORMS["logistic"], counts, start=start, fixed=("k",))
    assert best.loglik[0] - held.loglik[0] == pytest.approx(1.92, abs=0.02)


def test_a_curve_over_loss_sets_in_at_a_loss() -> None:
    losses = np.linspace(4.0, 2.0, 8)
    flat = _curve([0.25, 0.25, 0.25, 0.25, 0.35, 0.45, 0.55, 0.65])
    over_loss = replace(
        flat, scale="loss", points=tuple(replace(p, x=x) for p, x in zip(flat.points, losses.tolist(), strict=True))
    )
    assert list(over_loss.position) == [position("loss", x) for x in losses.tolist()]
    onset = _of("hinge", over_loss).parameters["onset"]
    assert onset.value == pytest.approx(losses[3], abs=0.05)
    assert onset.low < onset.value < onset.high


def test_noise_between_runs_widens_intervals() -> None:
    curve = _curve([0.5] * 8)
    widths = []
    for run_sd in (0.0, 0.03):
        level = next(f for f in fitted_forms(curve, run_sd=run_sd) if f.form == "const").parameters["level"]
        widths.append(level.high - level.low)
    assert widths[1] > 1.5 * widths[0]


def test_forms_need_more_sizes_than_parameters_and_a_score_that_can_be_counted() -> None:
    four = curves(grown([100, 200, 300, 400], n=N))
    two_parameters = {"linear", "power", "error-power", "all-tokens", "logistic", "hinge", "step"}
    assert {f.form for f in fitted_forms(four[0])} == {"const", *two_parameters}
    assert fitted_forms(replace(four[0], points=four[0].points[:2])) == ()
    loss = replace(four[0], metric=replace(four[0].metric, higher_is_better=False))
    assert fitted_forms(loss) == ()


@pytest.mark.calibration
@pytest.mark.parametrize("rates", [[0.0] * 8, [1.0] * 8, [1.0, 0.0] * 4, [0.25] * 7 + [1.0]])
def test_every_interval_holds_its_value_however_odd_the_curve(rates: list[float]) -> None:
    for found in fitted_forms(_curve(rates)):
        for name, (value, low, high) in found.parameters.items():
            slack = 1e-9 + 1e-6 * abs(value)
            assert low is None or low <= value + slack, (found.form, name)
            assert high is None or high >= value - slack, (found.form, name)
