import numpy as np
import pytest

from harness.analysis.growth import effective_documents, redrawn_counts, redrawn_scores
from harness.analysis.growth.counts import run_correlation
from tests.builders.curves import counts


def items(correlated: bool, *, sizes: int = 2, documents: int = 400, seeds: int = 1) -> np.ndarray:
    """Right and wrong answers, 60 % right at each size; `correlated`: the same documents right at every size."""
    rng = np.random.default_rng(0)
    right = rng.random((sizes, 1, documents)) < 0.6
    if correlated:
        right = np.repeat(right[:1], sizes, axis=0)
    return np.repeat(right, seeds, axis=1).astype(float)


def redrawn(scores: np.ndarray, *, run_sd: float = 0.0, draws: int = 4000) -> np.ndarray:
    return redrawn_scores(scores, draws, np.random.default_rng(1), run_sd=run_sd)


def test_a_run_is_never_worth_more_documents_than_its_noise_allows() -> None:
    n = np.array([1.0, 100.0, 1e9])
    assert effective_documents(n, 0.0) == pytest.approx(n)
    left = effective_documents(n, 0.05)
    assert left == pytest.approx([1.0, 100 / (1 + 99 * 0.01), 100.0], rel=1e-3)


def test_effective_documents_have_the_variance_of_documents_and_runs() -> None:
    n, sd = np.array([500.0]), 0.03
    assert 0.25 / effective_documents(n, sd)[0] == pytest.approx(0.25 / 500 + sd**2, rel=0.005)
    assert run_correlation(0.5) == 1.0


def test_redrawn_counts_have_the_mean_and_the_spread_of_counts() -> None:
    some = counts((60, 100, 140))
    drawn = redrawn_counts(some, 4000, np.random.default_rng(0))
    assert drawn.shape == (1, 4000, 3)
    assert drawn.mean(axis=1)[0] == pytest.approx(some.k[0], abs=0.5)
    p = some.k[0] / 200
    assert drawn.var(axis=1)[0] == pytest.approx(200 * p * (1 - p), rel=0.1)


def test_redrawn_counts_of_discounted_documents_stay_within_them() -> None:
    some = counts((25.3, 12.1), n=40.4)
    drawn = redrawn_counts(some, 4000, np.random.default_rng(0))
    assert drawn.max() <= 40.4
    assert drawn.mean(axis=1)[0] == pytest.approx([25.3, 12.1], abs=0.3)


def test_scores_of_nothing_and_of_everything_cannot_be_redrawn_otherwise() -> None:
    drawn = redrawn_counts(counts((0, 200)), 50, np.random.default_rng(0))
    assert (np.unique(drawn[0, :, 0]).tolist(), np.unique(drawn[0, :, 1]).tolist()) == ([0.0], [200.0])


@pytest.mark.parametrize(("correlated", "expected"), [(True, 1.0), (False, 0.0)])
def test_sizes_share_the_documents_they_are_redrawn_with(correlated: bool, expected: float) -> None:
    drawn = redrawn(items(correlated))
    assert drawn.shape == (4000, 2)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(expected, abs=0.06)


def test_redrawn_documents_spread_a_score_like_its_standard_error() -> None:
    drawn = redrawn(items(correlated=True))[:, 0]
    p = items(correlated=True)[0].mean()
    assert drawn.mean() == pytest.approx(p, abs=0.002)
    assert drawn.std() == pytest.approx(np.sqrt(p * (1 - p) / 400), rel=0.06)


@pytest.mark.parametrize("seeds", [1, 3])
def test_noise_between_runs_comes_on_top_however_many_few_shot_seeds_there_are(seeds: int) -> None:
    scores = items(correlated=True, seeds=seeds)
    quiet, noisy = redrawn(scores)[:, 0], redrawn(scores, run_sd=0.05)[:, 0]
    assert noisy.var() - quiet.var() == pytest.approx(0.05**2 * 4 * 0.6 * 0.4, rel=0.2)
    # Noise of a run is its own: sizes no longer move together.
    assert np.corrcoef(redrawn(scores, run_sd=0.05).T)[0, 1] < 0.5


def test_several_seeds_are_redrawn_and_bring_their_own_noise() -> None:
    scores = items(correlated=True, seeds=4)
    scores[0, 0], scores[0, 1] = 0.0, 1.0
    spread = redrawn(scores)
    assert spread[:, 0].std() > 5 * spread[:, 1].std()


def test_redrawn_scores_stay_scores() -> None:
    drawn = redrawn(items(correlated=False, documents=20), run_sd=0.45)
    assert (drawn.min(), drawn.max()) == (0.0, 1.0)
