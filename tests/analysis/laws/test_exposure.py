from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.laws import fit_hinge
from harness.analysis.laws.inputs import group_resamples
from harness.errors import HarnessError

X = np.linspace(20, 24, 30)


def _hinged(x: np.ndarray, *, at: float, slope: float, noise: float = 0.01, seed: int = 1) -> np.ndarray:
    return 0.25 + slope * np.maximum(x - at, 0) + np.random.default_rng(seed).normal(0, noise, len(x))


def test_the_elbow_of_noisy_models_lies_in_its_interval() -> None:
    found = fit_hinge(X, _hinged(X, at=22.3, slope=0.2), 0.25)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 22.3 < found.high
    assert found.high - found.low < 0.4
    assert found.slope == pytest.approx(0.2, abs=0.02)
    assert found.r2 > found.r2_linear
    assert found.n_below == int(np.sum(found.at >= X))
    assert found.refusal is None


def test_95_percent_intervals_cover_the_elbow_about_as_often_as_they_say() -> None:
    covered = 0
    for seed in range(100):
        found = fit_hinge(X, _hinged(X, at=22.3, slope=0.2, noise=0.03, seed=seed), 0.25, resamples=200)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 22.3 <= found.high
    assert 85 <= covered <= 99


def test_the_elbow_found_is_the_best_of_a_fine_grid() -> None:
    y = _hinged(X, at=22.1, slope=0.1, noise=0.03)
    found = fit_hinge(X, y, 0.25, resamples=0)

    def rss(at: float) -> float:
        rise = np.maximum(X - at, 0)
        return float(np.sum((y - 0.25 - rise * (rise @ (y - 0.25)) / (rise @ rise)) ** 2))

    grid = np.linspace(16, X[-2], 20_000)
    assert rss(found.at) <= min(rss(at) for at in grid) + 1e-12


def test_marked_models_are_ahead_by_theta_at_the_same_compute() -> None:
    marked = np.arange(len(X)) % 3 == 0
    found = fit_hinge(X, _hinged(X, at=22, slope=0.2) + 0.07 * marked, 0.25, marked=marked)
    assert found.theta == pytest.approx(0.07, abs=0.015)
    assert found.theta_low is not None
    assert found.theta_low > 0


def test_without_marks_or_resamples_there_is_no_theta_and_no_interval() -> None:
    found = fit_hinge(X, _hinged(X, at=22, slope=0.2), 0.25, resamples=0)
    assert (found.theta, found.theta_low, found.theta_high, found.low, found.high) == (None,) * 5


def test_a_straight_line_has_its_elbow_left_of_all_models() -> None:
    found = fit_hinge(X, 0.25 + 0.1 * (X - 19), 0.25, resamples=0)
    assert found.at == pytest.approx(19)
    assert found.n_below == 0
    assert found.r2 == pytest.approx(found.r2_linear)


def test_the_order_of_models_and_the_origin_of_the_scale_change_nothing() -> None:
    y = _hinged(X, at=22.3, slope=0.2)
    order = np.random.default_rng(0).permutation(len(X))
    straight, shuffled = (fit_hinge(X[i], y[i], 0.25, resamples=0) for i in (np.arange(len(X)), order))
    moved = fit_hinge(X - 9, y, 0.25, resamples=0)
    assert shuffled.at == pytest.approx(straight.at)
    assert moved.at == pytest.approx(straight.at - 9)
    assert moved.slope == pytest.approx(straight.slope)


@pytest.mark.parametrize("level", [0.1, 0.4])
def test_a_floor_that_the_models_do_not_show_is_refused(level: float) -> None:
    found = fit_hinge(X, _hinged(X, at=22, slope=0.2) - 0.25 + level, 0.25, resamples=0)
    assert found.refusal is not None
    assert "the floor of this metric is not chance" in found.refusal


def test_a_brier_score_far_from_the_floor_is_refused() -> None:
    found = fit_hinge(X, np.random.default_rng(0).uniform(0.79, 1.28, len(X)), 0.25, resamples=0)
    assert found.refusal is not None


def test_a_score_that_falls_is_refused() -> None:
    found = fit_hinge(X, _hinged(X, at=22, slope=-0.1), 0.25, resamples=0)
    assert found.refusal == "The score falls beyond the elbow: nothing emerges there."


def test_equal_scores_have_no_elbow() -> None:
    found = fit_hinge(X, np.full(len(X), 0.25), 0.25)
    assert found.refusal == "All models score the same."
    assert (found.r2, found.r2_linear) == (0, 0)


def test_a_missing_score_is_named_with_its_row() -> None:
    with pytest.raises(HarnessError, match=r"y\[2\] is nan; expected a number"):
        fit_hinge([1, 2, 3, 4, 5], [0.2, 0.3, float("nan"), 0.4, 0.5], 0.25)


def test_too_few_models_are_an_error_that_says_how_many() -> None:
    with pytest.raises(HarnessError, match=r"at least 5 models at 3 different scales; got 6 at 2"):
        fit_hinge([1, 1, 1, 2, 2, 2], [0.25] * 6, 0.25)


def test_groups_are_drawn_whole() -> None:
    drawn = group_resamples(["a", "a", "b", "c"], 50, np.random.default_rng(0))
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, 0] + drawn[:, 2] + drawn[:, 3] == 3).all()
