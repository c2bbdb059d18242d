"""On which side of a level a size lies."""

import numpy as np
import pytest

from harness.analysis.growth import redrawn_counts
from harness.analysis.verdict.sides import clearly_above, clearly_below, limits
from tests.builders.curves import counts

RIGHT = ((0, 50, 60, 70, 100, 140, 199, 200), (40, 49, 51, 58, 62, 75, 70, 66))


@pytest.mark.parametrize("level", [0.01, 0.26, 0.3, 0.5, 0.999])
@pytest.mark.parametrize("draws", [1, 2, 3, 200])
def test_limits_say_of_every_draw_what_weighing_it_says(draws: int, level: float) -> None:
    some = counts(RIGHT)
    redrawn = redrawn_counts(some, draws, np.random.default_rng(0)) * 0.97
    redrawn[0, 0, :2] = 0.0, 200.0
    found = limits(some, redrawn, np.array([level, 0.4]))
    levels = np.array([level, 0.4])[:, None]
    for draw in range(draws):
        k, everywhere = redrawn[:, draw], np.broadcast_to(levels, some.n.shape)
        assert ((k >= found.above) == clearly_above(k, some.n, everywhere)).all()
        assert ((k <= found.below) == clearly_below(k, some.n, everywhere)).all()


def test_a_size_is_clearly_above_a_level_only_more_than_about_a_standard_error_from_it() -> None:
    k, n, level = np.array([[60.0, 66.0, 67.0, 100.0]]), np.full((1, 4), 200.0), np.full((1, 4), 0.3)
    assert clearly_above(k, n, level).tolist() == [[False, False, True, True]]
    assert clearly_below(120 - k, n, level).tolist() == [[False, False, True, True]]
