from dataclasses import replace

import pytest

from harness.analysis.curves import curves
from harness.analysis.growth import traces
from harness.analysis.verdict import Judged, centred, judge, partner_rows, with_traces
from harness.specs import MetricSpec, TaskSpec
from tests.builders import PROB, grown, task
from tests.builders.curves import RISE

SMOOTH = (0.25, 0.28, 0.33, 0.38, 0.44, 0.5, 0.57, 0.7)


def rows(right: tuple[int, ...] = RISE, *, of: TaskSpec | None = None, **changes: object) -> tuple[Judged, ...]:
    return judge(curves(grown(right, of=of or task(), **changes)), draws=0)  # type: ignore[arg-type]


def test_a_row_holds_the_continuous_metric_of_the_same_setting() -> None:
    drawn = curves([*grown(RISE, smooth=SMOOTH), *grown(RISE, smooth=SMOOTH, shots=2)])
    for row in judge(drawn, draws=0):
        assert row.partner is not None
        assert row.partner.curve.metric.name == "prob_correct"
        assert row.partner.curve.setting == row.curve.setting


def test_a_task_without_continuous_metric_has_no_partner() -> None:
    (row,) = rows(of=task(metrics=(MetricSpec(name="acc", chance=0.25),)))
    assert row.partner is None
    assert partner_rows([row]) == ()


def test_partners_in_one_panel_are_of_the_metric_that_the_task_lists_first() -> None:
    (both,), (other,) = rows(), rows(shots=2)
    assert other.partner is not None
    second = replace(other.partner.curve, metric=replace(PROB, name="brier"), rank=2)
    mixed = [replace(other, partner=replace(other.partner, curve=second)), both]
    assert partner_rows(mixed) == (both.partner,)


def test_growth_forms_are_fitted_to_curves_and_partners_when_asked_for() -> None:
    judged = rows(smooth=SMOOTH)
    assert judged[0].traces == ()
    (row,) = with_traces(judged, most=2)
    assert row.partner is not None
    assert (row.traces, row.partner.traces) == tuple(forms[:2] for forms in traces([row.curve, row.partner.curve]))
    assert with_traces(()) == ()


def test_rows_without_partner_get_their_own_growth_forms() -> None:
    with_one, without = rows(smooth=SMOOTH), rows(shots=2, of=task(metrics=(MetricSpec(name="acc", chance=0.25),)))
    first, second = with_traces([*without, *with_one])
    assert (first.partner, len(first.traces)) == (None, 1)
    assert second.partner is not None
    (best, *_), *_ = traces([second.partner.curve])
    assert second.partner.traces[0].form == best.form
    assert second.partner.traces[0].y == pytest.approx(best.y, rel=1e-3)


def test_chance_becomes_0_and_best_1() -> None:
    (row,) = centred(rows((50, 200)))
    assert row.curve.y == (0.0, 1.0)
    assert (row.curve.metric.chance, row.curve.metric.best) == (0.0, 1.0)
    assert row.curve.metric.name == "chance-centred acc"


def test_intervals_and_errors_are_stretched_like_scores() -> None:
    judged = rows((100,))
    ((raw,), (point,)) = judged[0].curve.points, centred(judged)[0].curve.points
    assert point.estimate.stderr == pytest.approx((raw.estimate.stderr or 0) / 0.75)
    assert point.low == pytest.approx(((raw.low or 0) - 0.25) / 0.75)
    assert point.high == pytest.approx(((raw.high or 0) - 0.25) / 0.75)


def test_of_a_loss_the_ends_of_intervals_change_places() -> None:
    brier = task(metrics=(MetricSpec(name="acc", higher_is_better=False, chance=0.75, best=0.0),))
    (point,) = centred(rows((50,), of=brier))[0].curve.points
    assert point.low is not None
    assert point.high is not None
    assert point.low < point.estimate.value < point.high
    assert point.estimate.value == pytest.approx((0.75 - 0.25) / 0.75)


def test_rows_without_a_chance_level_are_left_out() -> None:
    assert centred(rows((50,), of=task(metrics=(MetricSpec(name="acc", chance=None, best=None),)))) == ()


def test_a_partner_without_a_chance_level_is_left_out_and_its_row_stays() -> None:
    likelihood = MetricSpec(name="prob_correct", chance=None, best=None, continuous=True)
    (row,) = centred(rows(of=task(metrics=(MetricSpec(name="acc", chance=0.25), likelihood))))
    assert (row.curve.metric.name, row.partner) == ("chance-centred acc", None)


def test_partners_and_forms_are_centred_too_and_verdicts_stay() -> None:
    (raw,) = with_traces(rows(smooth=SMOOTH))
    (row,) = centred([raw])
    assert row.verdict is raw.verdict
    assert row.partner is not None
    assert row.partner.curve.y == pytest.approx([(y - 0.25) / 0.75 for y in SMOOTH])
    for after, before in ((row, raw), (row.partner, raw.partner)):
        assert before is not None
        assert after.traces[0].x == before.traces[0].x
        assert after.traces[0].y == pytest.approx([(y - 0.25) / 0.75 for y in before.traces[0].y])
