import pytest

from harness.analysis.curves import curves
from harness.analysis.growth import traces
from harness.analysis.verdict import centred, judge
from harness.specs import MetricSpec
from tests.builders import grown, task

RISE = (50, 52, 75, 90, 110, 125, 140, 160)


def test_chance_becomes_0_and_best_1() -> None:
    (curve,) = [c for c in curves(grown((50, 200))) if c.rank == 0]
    (made,) = centred([curve]).curves
    assert made.y == (0.0, 1.0)
    assert (made.metric.chance, made.metric.best) == (0.0, 1.0)
    assert made.metric.name == "chance-centred acc"


def test_intervals_and_errors_are_stretched_like_scores() -> None:
    (curve,) = [c for c in curves(grown((100,))) if c.rank == 0]
    (made,) = centred([curve]).curves
    ((raw,), (point,)) = curve.points, made.points
    assert point.estimate.stderr == pytest.approx((raw.estimate.stderr or 0) / 0.75)
    assert point.low == pytest.approx(((raw.low or 0) - 0.25) / 0.75)
    assert point.high == pytest.approx(((raw.high or 0) - 0.25) / 0.75)


def test_of_a_loss_the_ends_of_intervals_change_places() -> None:
    brier = task(metrics=(MetricSpec(name="acc", higher_is_better=False, chance=0.75, best=0.0),))
    (curve,) = curves(grown((50,), of=brier))
    (point,) = centred([curve]).curves[0].points
    assert point.low is not None
    assert point.high is not None
    assert point.low < point.estimate.value < point.high
    assert point.estimate.value == pytest.approx((0.75 - 0.25) / 0.75)


def test_curves_without_a_chance_level_are_left_out() -> None:
    likelihood = task(metrics=(MetricSpec(name="acc", chance=None, best=None),))
    assert centred(curves(grown((50,), of=likelihood))).curves == ()


def test_verdicts_and_forms_follow_their_curves() -> None:
    drawn = [c for c in curves(grown(RISE)) if c.rank == 0]
    forms = dict(zip(drawn, traces(drawn), strict=True))
    made = centred(drawn, judge(drawn, draws=0), forms)
    (verdict,) = made.verdicts
    assert verdict.curve == made.curves[0]
    raw, form = forms[drawn[0]][0], made.traces[made.curves[0]][0]
    assert form.x == raw.x
    assert form.y == pytest.approx([(y - 0.25) / 0.75 for y in raw.y])
