"""The law of amounts finds back what made the numbers, and says where it has nothing to say."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.laws import fit_tuning_law
from harness.errors import HarnessError

SIZES = np.log10([1e6, 4e6, 1.6e7, 7e7, 1.6e8, 4e8, 1e9])
AMOUNTS = np.array([16.0, 64.0, 256.0, 1024.0])


def tuned(shift: float, *, noise: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scales, scores and amounts of a family whose elbow lies at 8.5 for one document."""
    scale, amount = (one.ravel() for one in np.meshgrid(SIZES, AMOUNTS))
    rise = np.maximum(0.0, scale + shift * np.log10(amount) - 8.5)
    return scale, 0.25 + 0.2 * rise + noise * np.random.default_rng(seed).standard_normal(len(scale)), amount


def test_the_shift_and_the_few_shot_threshold_are_found_back() -> None:
    scale, score, amount = tuned(0.4)
    law = fit_tuning_law(scale, score, amount, 0.25, at=[5], resamples=0)
    assert law.shift == pytest.approx(0.4, abs=0.02)
    assert law.slope == pytest.approx(0.2, abs=0.01)
    few = law.thresholds[0]
    assert (few.documents, few.low) == (5, None)
    assert few.at == pytest.approx(8.5 - 0.4 * np.log10(5), abs=0.05)
    assert [one.documents for one in law.thresholds] == [5, *AMOUNTS]
    assert law.r2 > 0.999
    assert law.refusal is None


def test_amounts_that_change_nothing_move_no_threshold() -> None:
    scale, score, amount = tuned(0.0)
    law = fit_tuning_law(scale, score, amount, 0.25, resamples=0)
    assert law.shift == pytest.approx(0.0, abs=0.01)
    assert len({round(one.at, 2) for one in law.thresholds}) == 1


def test_the_interval_of_a_forecast_holds_the_truth() -> None:
    held = 0
    for seed in range(10):
        scale, score, amount = tuned(0.4, noise=0.02, seed=seed)
        law = fit_tuning_law(scale, score, amount, 0.25, at=[2], groups=list(scale), resamples=100, seed=seed)
        few = law.thresholds[0]
        assert few.low is not None
        assert few.high is not None
        held += few.low <= 8.5 - 0.4 * np.log10(2) <= few.high
    assert held >= 8


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (AMOUNTS[:1], "needs 2 amounts of documents, 3 scales and 5 points at least; got 1, 7 and 7"),
        ((), "got 0, 0 and 0: tune more models, or on more amounts"),
    ],
)
def test_too_little_is_no_law(keep: tuple[float, ...], said: str) -> None:
    scale, score, amount = tuned(0.4)
    kept = np.isin(amount, keep)
    with pytest.raises(HarnessError, match=said):
        fit_tuning_law(scale[kept], score[kept], amount[kept], 0.25)


def test_scores_that_fall_or_a_forecast_far_away_are_refused() -> None:
    scale, score, amount = tuned(0.4)
    fallen = fit_tuning_law(scale, 0.5 - score, amount, 0.25, resamples=0)
    assert "nothing emerges there" in str(fallen.refusal)
    far = fit_tuning_law(scale, score, amount, 0.25, at=[0.01], resamples=0)
    assert "3.2 decades of documents beyond what was tried" in str(far.refusal)
