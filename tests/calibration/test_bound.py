"""What any test can find, and that the jump test of verdicts comes close to it."""

from __future__ import annotations

import pytest

from tests.calibration.bound import CHANCES, GOAL, HEAD, Found, bound, found, rows
from tests.calibration.table import Rate

pytestmark = pytest.mark.calibration


def test_no_test_finds_three_quarters_of_the_rises_over_chance_at_eight_sizes() -> None:
    assert 0.58 < bound(0.25, 8, draws=1000) < 0.69
    assert bound(0.25, 12, draws=1000) > 0.78
    assert bound(0.0, 8, draws=1000) > 0.93


@pytest.mark.parametrize("chance", CHANCES)
@pytest.mark.parametrize("sizes", [8, 12])
def test_the_jump_test_finds_nearly_what_any_test_can(chance: float, sizes: int) -> None:
    rate = found(chance, sizes, 300)
    most = bound(chance, sizes, draws=500)
    assert (rate.share or 0.0) > most - 0.14
    assert rate.interval[0] < most


@pytest.mark.parametrize("chance", CHANCES)
def test_rises_of_a_decade_are_found_no_more_often_than_the_level_says(chance: float) -> None:
    assert found(chance, 8, 600, width=1.0).interval[0] <= 0.01
    assert found(chance, 8, 600, width=1.2).hits <= 2


def test_a_goal_is_out_of_reach_only_where_no_test_meets_it() -> None:
    made = rows([Found(0.25, 8, 0.63, Rate(55, 100)), Found(0.0, 8, 0.96, Rate(95, 100)), Found(0, 12, 1, Rate(7, 10))])
    assert [row[-1] for row in made] == ["out of reach", "met", "no"]
    assert all(len(row) == len(HEAD) for row in made)
    assert GOAL == 0.75
