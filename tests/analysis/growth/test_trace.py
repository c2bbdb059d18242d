from dataclasses import replace

import pytest

from harness.analysis.curves import curves
from harness.analysis.growth import fitted_forms, traces
from harness.analysis.growth.trace import POINTS
from harness.specs import MetricSpec
from tests.builders import SIZES, grown, task

RISE = (50, 52, 75, 90, 110, 125, 140, 160)
JUMP = (50, 49, 51, 50, 48, 52, 50, 160)


def test_the_lines_are_those_of_the_fits_one_by_one() -> None:
    drawn = [c for right in (RISE, JUMP, RISE[:5]) for c in curves(grown(right)) if c.rank == 0]
    for curve, found in zip(drawn, traces(drawn), strict=True):
        alone = fitted_forms(curve, intervals=False)
        assert {t.form for t in found} == {f.form for f in alone}
        assert [t.weight for t in found] == pytest.approx([f.weight for f in alone], abs=1e-6)
        by_form = {f.form: f for f in alone}
        assert found[0].y == pytest.approx(by_form[found[0].form].at(found[0].x), abs=1e-6)


def test_a_line_runs_from_the_smallest_to_the_largest_size() -> None:
    (first, *_), *_ = traces([c for c in curves(grown(RISE)) if c.rank == 0])
    assert len(first.x) == len(first.y) == POINTS
    assert (first.x[0], first.x[-1]) == pytest.approx((SIZES[0], SIZES[-1]))


def test_a_line_can_be_carried_on() -> None:
    ((first, *_),) = traces([c for c in curves(grown(RISE)) if c.rank == 0], until=1e9)
    assert (first.x[0], first.x[-1]) == pytest.approx((SIZES[0], 1e9))


def test_a_curve_that_bears_no_form_has_no_line() -> None:
    free = task(metrics=(MetricSpec(name="acc", chance=None),))
    assert traces([*curves(grown(RISE, of=free)), *(c for c in curves(grown(RISE[:2])) if c.rank == 0)]) == ((), ())


def test_scores_are_in_units_of_the_metric() -> None:
    (share,) = (c for c in curves(grown(RISE)) if c.rank == 0)
    doubled = [
        replace(p, estimate=p.estimate._replace(value=2 * p.estimate.value, stderr=2 * (p.estimate.stderr or 0)))
        for p in share.points
    ]
    of_two = replace(share, metric=replace(share.metric, chance=0.5, best=2.0), points=tuple(doubled))
    one, two = ({t.form: t.y for t in found} for found in traces([share, of_two]))
    assert two["logistic"] == pytest.approx([2 * y for y in one["logistic"]], rel=0.02)
