from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from harness.analysis.curves import Curve
from harness.analysis.curves.table import table_curves
from harness.analysis.growth import countable, counts_of
from harness.analysis.stats import trend
from harness.analysis.verdict.curve_tests import weigh, weigh_alone, worth_extrapolating
from harness.analysis.verdict.types import CurveTests
from tests.builders.curves import BREAK, FALL, FLAT, HIGH, RISE, STEP, TWO, counts, only
from tests.builders.tables import counted, scored


def curve(right: tuple[int, ...] = RISE, **columns: object) -> Curve:
    return only(table_curves(counted(right, **columns)))


def losses(*values: float, **columns: object) -> Curve:
    rows = counted(RISE[: len(values)]).drop(columns=["k", "chance"])
    return only(table_curves(rows.assign(metric="loss", value=values, stderr=0.01, **columns)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"chance": None}, False),
        ({"best": None}, False),
        ({"higher_is_better": False}, False),
        ({"chance": 1.0}, False),
        ({"best": 0.5}, False),
    ],
)
def test_successes_need_a_floor_a_best_and_more_is_better(change: dict[str, object], expected: bool) -> None:
    one = curve()
    assert countable(replace(one, metric=replace(one.metric, **change))) is expected


def test_counts_are_those_of_the_table_when_documents_are_the_only_noise() -> None:
    found = counts_of([curve(), curve(FLAT)], run_sd=0.0)
    assert found.k == pytest.approx(np.array([RISE, FLAT]))
    assert found.n == pytest.approx(200)
    assert found.chance == pytest.approx(0.25)


def test_noise_between_runs_costs_documents_and_no_score() -> None:
    found = counts_of([curve()], run_sd=0.05)
    assert found.n == pytest.approx(200 / (1 + 199 * 0.01))
    assert found.k / found.n == pytest.approx(np.array([RISE]) / 200)


def test_a_score_in_percent_gives_the_counts_of_a_share() -> None:
    rows = scored(metric="f1", best=100.0, chance=25.0)
    percent = only(table_curves(rows.assign(value=rows["value"] * 100, stderr=rows["stderr"] * 100, n=200)))
    found = counts_of([percent], run_sd=0.0)
    assert found.chance == pytest.approx(0.25)
    assert found.k / found.n == pytest.approx(np.array([scored()["value"]]))
    assert found.n == pytest.approx(199, abs=4)


def test_a_score_of_larger_error_counts_fewer_documents() -> None:
    rows = scored(metric="f1")
    wide = only(table_curves(rows.assign(stderr=rows["stderr"] * 2, n=200)))
    assert counts_of([wide], run_sd=0.0).n == pytest.approx(50, abs=2)


def test_many_trends_at_once_are_those_of_one_curve_each() -> None:
    some = [curve(right) for right in (RISE, FLAT, STEP, FALL)]
    found = weigh(counts_of(some, run_sd=0.0))
    for row, one in enumerate(some):
        alone = trend(one.position, one.estimates)
        assert alone is not None
        assert found.z_trend[row] == pytest.approx(alone.z)
        assert found.p_trend[row] == pytest.approx(alone.p)
        assert found.reach[row] == pytest.approx(alone.fitted_range)
        assert found.reach_error[row] == pytest.approx(alone.fitted_range_stderr)


def test_the_largest_size_is_held_against_chance_exactly() -> None:
    found = weigh(counts((RISE, FLAT)))
    assert found.p_top == pytest.approx(binom.sf([159, 52], 200, 0.25))
    assert found.top == pytest.approx([160 / 200 - 0.25, 53 / 200 - 0.25])


def test_curves_are_weighed_together_as_they_are_alone() -> None:
    some = counts((RISE, FLAT, STEP, FALL, BREAK))
    together, alone = weigh(some), [weigh(some.rows([row])) for row in range(len(some))]
    for name in ("p_trend", "reach", "p_top", "p_ext", "p_ext_noise", "p_sharp", "p_jump", "p_turn", "dispersion"):
        apart = [float(getattr(one, name)[0]) for one in alone]
        assert getattr(together, name) == pytest.approx(apart, rel=2e-3, abs=1e-9, nan_ok=True), name


def test_only_curves_that_end_well_above_sizes_at_chance_are_worth_extrapolating() -> None:
    found = worth_extrapolating(counts((STEP, BREAK, FLAT, HIGH, FALL)), 0.05)
    assert found.tolist() == [True, True, False, False, False]


def test_what_is_not_extrapolated_has_no_surprise() -> None:
    found = weigh(counts((STEP, FLAT)), foresee=np.array([True, False]))
    assert found.p_ext[0] < 1e-6
    assert np.isnan([found.p_ext[1], found.p_sharp[1], found.p_jump[1]]).all()


@pytest.mark.parametrize(("sizes", "exists"), [(3, False), (4, True)])
def test_three_sizes_foretell_nothing(sizes: int, exists: bool) -> None:
    assert np.isfinite(weigh(counts(STEP[-sizes:])).p_ext[0]) == exists


def test_a_loss_as_axis_has_no_widths_in_decades() -> None:
    found = weigh(counts(STEP), decades=False)
    assert np.isnan([found.p_sharp[0], found.p_jump[0]]).all()
    assert found.p_ext[0] < 1e-6


def test_few_sizes_are_not_believed_to_be_free_of_noise_between_runs() -> None:
    some = counts((500, 498, 505, 501, 600), n=2000.0)
    trusting, wary = weigh(some), weigh(some, lone_run_sd=0.034)
    assert trusting.p_ext[0] < 0.01 < wary.p_ext[0]
    assert wary.p_trend == pytest.approx(trusting.p_trend)


def test_scatter_between_sizes_makes_a_surprise_smaller() -> None:
    rough = weigh(counts((200, 310, 180, 330, 205, 300, 190, 900), n=1000.0))
    assert rough.dispersion[0] > 3
    assert rough.p_ext_noise[0] > rough.p_ext[0]
    smooth = weigh(counts(STEP))
    assert smooth.p_ext_noise[0] >= smooth.p_ext[0]


def test_a_loss_that_falls_improves() -> None:
    found = weigh_alone(losses(3.0, 2.8, 2.6, 2.4))
    assert found.z_trend[0] > 10
    assert found.reach[0] == pytest.approx(0.6)
    assert found.counts is None
    assert np.isnan([found.p_top[0], found.top[0], found.p_ext[0]]).all()
    assert weigh_alone(losses(2.4, 2.6, 2.8, 3.0)).z_trend[0] < -10


def test_a_change_in_a_loss_has_no_size_that_matters() -> None:
    assert weigh_alone(losses(3.0, 2.8, 2.6)).effect[0] == 0.0
    assert weigh_alone(curve(chance=math.nan)).effect[0] == 0.05


def test_of_one_size_or_of_sizes_all_alike_there_is_no_trend() -> None:
    rows = counted((50, 60, 70), params=1000)
    alike = only(table_curves(rows))
    found: CurveTests = weigh(counts_of([alike], run_sd=0.0))
    assert np.isnan(found.z_trend[0])
    assert np.isnan(weigh(counts((50,))).z_trend[0])


@pytest.mark.parametrize("level", [0.01, 1e-3, 1e-5])
def test_a_jump_is_as_significant_when_only_p_up_to_the_level_are_exact(level: float) -> None:
    some = counts([FLAT, RISE, STEP, TWO, BREAK, FALL, HIGH])
    exact, rough = weigh(some).p_jump, weigh(some, jumps=False, needed=level).p_jump
    # A curve whose largest sizes nothing foresees is asked as well: among many curves that alone may not be enough.
    assert np.isnan(rough).tolist() == np.isnan(exact).tolist()
    assert (rough <= level).tolist() == (exact <= level).tolist()
