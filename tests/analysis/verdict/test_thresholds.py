import math

import numpy as np
import pytest

from harness.analysis.growth import redrawn_counts
from harness.analysis.verdict.thresholds import Crossings, bracketed, crossings
from tests.builders.curves import X, counts

GRADUAL = tuple(np.rint(200 * (0.25 + 0.75 / (1 + np.exp(-1.5 * (X - 9.0))))).astype(int))
SUDDEN = (50, 49, 51, 50, 48, 150, 152, 151)


def found(*curves: tuple[int, ...], level: float = 0.3, draws: int = 300) -> Crossings:
    some = counts(curves)
    rng = np.random.default_rng(0)
    redrawn = redrawn_counts(some, draws, rng) if draws else None
    (crossed,) = crossings(some, [np.full(len(some), level)], redrawn, rng)
    return crossed


def test_a_gradual_rise_has_its_onset_where_the_curve_passes_the_level() -> None:
    at = found(GRADUAL, level=0.5)
    truth = 9.0 + math.log(0.25 / 0.5) / 1.5
    assert at.at[0] == pytest.approx(truth, abs=0.15)
    assert at.low[0] < truth < at.high[0]
    assert 0.1 < at.high[0] - at.low[0] < 0.8


def test_a_sudden_rise_gets_the_whole_gap_and_no_invented_precision() -> None:
    at = found(SUDDEN)
    below, above = X[4], X[5]
    assert at.at[0] == pytest.approx((below + above) / 2)
    assert below <= at.low[0] < below + 0.1 * (above - below)
    assert above - 0.1 * (above - below) < at.high[0] <= above


def test_a_level_passed_before_the_smallest_size_or_never_has_no_place() -> None:
    at = found((100, 110, 120, 130, 140, 150, 160, 170), (50, 49, 51, 50, 48, 52, 50, 49))
    assert at.at.tolist() == [-math.inf, math.inf]
    assert at.low[0] == -math.inf
    assert at.high[1] == math.inf


def test_without_redrawn_curves_an_onset_has_no_interval() -> None:
    at = found(GRADUAL, draws=0)
    assert (at.low[0], at.high[0]) == (-math.inf, math.inf)
    assert math.isfinite(at.at[0])


def test_the_form_behind_an_onset_is_the_one_of_most_weight() -> None:
    assert found(SUDDEN, draws=0).form[0] in {"step", "logistic-top"}
    assert found((50, 60, 70, 80, 90, 100, 110, 120), draws=0).form == ("linear",)


def test_onsets_are_the_same_again_from_the_same_seed() -> None:
    one, other = found(GRADUAL, SUDDEN), found(GRADUAL, SUDDEN)
    assert one.low.tolist() == other.low.tolist()
    assert one.high.tolist() == other.high.tolist()


def kept(*right: int, at: float, level: float = 0.3) -> float:
    return float(bracketed(np.array([at]), counts([right]), np.full(1, level))[0])


def test_an_onset_between_the_last_size_below_and_the_first_above_stays_where_the_form_has_it() -> None:
    # 58 of 200 lie within one standard error of 0.3, and say nothing.
    right = (50, 49, 51, 58, 80, 90, 100, 110)
    assert kept(*right, at=8.5) == 8.5


@pytest.mark.parametrize("at", [-math.inf, 7.2, 9.9, math.inf])
def test_an_onset_that_points_contradict_lies_on_the_line_between_them(at: float) -> None:
    right = (50, 50, 50, 50, 70, 80, 90, 110)
    assert kept(*right, at=at) == pytest.approx(X[3] + (X[4] - X[3]) * (0.3 - 0.25) / (0.35 - 0.25))


def test_an_onset_in_a_gap_that_holds_the_rise_is_the_middle_of_the_gap() -> None:
    assert kept(*SUDDEN, at=X[4] + 0.01) == pytest.approx((X[4] + X[5]) / 2)


def test_with_a_source_of_chance_an_onset_lies_anywhere_in_such_a_gap() -> None:
    many = counts([SUDDEN] * 500)
    rng = np.random.default_rng(0)
    places = (bracketed(np.full(500, 8.0), many, np.full(500, 0.3), rng) - X[4]) / (X[5] - X[4])
    assert np.quantile(places, [0.0, 0.25, 0.5, 0.75, 1.0]) == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=0.08)


def test_a_later_size_that_falls_back_below_the_level_counts() -> None:
    falls = (50, 49, 150, 50, 80, 110, 140, 150)
    assert X[3] < kept(*falls, at=8.0) < X[4]


def test_an_onset_no_size_contradicts_may_lie_outside_the_sizes() -> None:
    assert kept(100, 110, 120, 130, 140, 150, 160, 170, at=-math.inf) == -math.inf
    assert kept(50, 49, 51, 50, 48, 52, 50, 49, at=math.inf) == math.inf
    assert kept(50, 49, 51, 50, 48, 52, 50, 49, at=8.0) == X[7]
