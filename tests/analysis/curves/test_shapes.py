import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.curves import shape

CURVES = st.lists(st.integers(0, 200), min_size=2, max_size=12).map(lambda k: np.array([k]) / 200)


def test_a_straight_line_has_as_many_steps_as_its_range_holds() -> None:
    found = shape(np.linspace(0.1, 0.9, 12)[None])
    assert found.improvement == pytest.approx(0.8)
    assert found.breakthroughness == pytest.approx(11)
    assert found.linearity == pytest.approx(11)


def test_a_single_step_is_told_by_its_linearity() -> None:
    found = shape(np.array([[0.25] * 11 + [0.9]]))
    assert found.breakthroughness == math.inf
    assert found.linearity == pytest.approx(math.sqrt(11))


def test_a_falling_curve_has_negative_scores() -> None:
    found = shape(np.array([[0.9, 0.9, 0.9, 0.2], [0.8, 0.6, 0.4, 0.2]]))
    assert found.improvement == pytest.approx([-0.7, -0.6])
    assert found.breakthroughness.tolist() == [-math.inf, pytest.approx(-3.0)]
    assert found.linearity == pytest.approx([-math.sqrt(3), -3.0])


@pytest.mark.parametrize("y", [[0.4, 0.4, 0.4], [0.4]])
def test_a_curve_without_change_scores_zero(y: list[float]) -> None:
    assert [score.tolist() for score in shape(np.array([y]))] == [[0.0], [0.0], [0.0]]


def test_rounding_errors_of_equal_scores_are_no_steps() -> None:
    found = shape(np.array([[0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2, 0.9]]))
    assert found.breakthroughness == math.inf


def test_of_equal_scores_the_one_of_the_smaller_size_counts() -> None:
    # the highest score comes first at index 0, before the lowest at 1: a fall, although the curve ends as high
    assert shape(np.array([[0.6, 0.2, 0.6]])).improvement == pytest.approx(-0.4)


def test_a_flat_curve_often_looks_like_a_breakthrough_however_many_documents_it_rests_on() -> None:
    rng = np.random.default_rng(1)
    for n in (200, 20_000):
        found = shape(rng.binomial(n, 0.25, size=(20_000, 12)) / n)
        assert np.quantile(found.breakthroughness, [0.95, 0.99]) == pytest.approx([5.3, 7.7], abs=0.3)
        assert np.mean(found.breakthroughness > 5) == pytest.approx(0.065, abs=0.008)
        assert np.quantile(found.linearity, 0.95) == pytest.approx(3.0, abs=0.05)


@given(CURVES, st.floats(0.1, 50), st.floats(-5, 5))
def test_neither_the_unit_nor_the_zero_of_the_score_matters(y: np.ndarray, unit: float, zero: float) -> None:
    once, again = shape(y), shape(unit * y + zero)
    assert again.breakthroughness == pytest.approx(once.breakthroughness, rel=1e-6)
    assert again.linearity == pytest.approx(once.linearity, rel=1e-6)


@given(CURVES)
def test_the_root_mean_square_step_bounds_linearity_by_the_number_of_steps(y: np.ndarray) -> None:
    assert abs(shape(y).linearity[0]) <= y.shape[1] - 1 + 1e-9
