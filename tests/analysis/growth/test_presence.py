import numpy as np
import pytest

from harness.analysis.growth import first_persistent, sizes_above_chance
from tests.builders.curves import counts


def test_a_size_is_above_chance_by_an_exact_test_shared_out_over_sizes() -> None:
    # P(K >= 66 | 200, 1/4) = .0088 and P(K >= 68) = .0033; 5 % over eight sizes is .00625.
    assert sizes_above_chance(counts((50, 40, 66, 67, 68, 90, 200, 0)))[0].tolist() == [
        False, False, False, True, True, True, True, False,
    ]  # fmt: skip


def test_one_lucky_match_is_not_an_ability() -> None:
    assert not sizes_above_chance(counts((0, 0, 0, 0, 1, 2), n=1000.0, chance=0.0)).any()


@pytest.mark.parametrize(
    ("above", "first"),
    [("0000", 4), ("0011", 2), ("0101", 3), ("1111", 0), ("1110", 4), ("1011", 2)],
)
def test_an_ability_starts_where_all_larger_sizes_have_it(above: str, first: int) -> None:
    assert first_persistent(np.array([[mark == "1" for mark in above]]))[0] == first
