import numpy as np
import pytest
from numpy.typing import NDArray

from harness.analysis.verdict.ushape import arms, arms_of_scores, by_difficulty, two_lines

U = [60, 50, 40, 30, 30, 40, 50, 60]
EFFECT = 0.05


def counted(*curves: list[float], n: float = 100) -> tuple[NDArray[np.float64], ...]:
    k = np.array(curves, dtype=float)
    return np.broadcast_to(np.arange(k.shape[1], dtype=float), k.shape), k, np.full_like(k, n)


def test_a_u_falls_first_and_rises_after() -> None:
    found = arms(*counted(U, U[:4] + U[:4][::-1]), effect=EFFECT)
    assert found.turn.tolist() == [1, 1]
    assert (found.p < 0.001).all()
    assert found.first_right.tolist() == [4, 4]
    assert found.reach == pytest.approx(np.array([[-0.3, 0.3], [-0.3, 0.3]]))
    assert found.z[0, 0] == pytest.approx(-found.z[0, 1])


def test_an_inverted_u_rises_first() -> None:
    found = arms(*counted([100.0 - k for k in U]), effect=EFFECT)
    assert found.turn.tolist() == [-1]
    assert found.p[0] < 0.001


@pytest.mark.parametrize(
    "k",
    [
        [30, 35, 40, 45, 50, 55, 60, 65],
        [20, 40, 55, 65, 70, 72, 73, 73],
        [50, 50, 50, 50, 50, 50, 50, 50],
        [0, 0, 0, 0, 0, 0, 0, 60],
        [100, 100, 100, 100, 100, 100, 100, 100],
    ],
)
def test_a_curve_that_only_rises_levels_off_or_stays_does_not_turn(k: list[float]) -> None:
    found = arms(*counted(k), effect=EFFECT)
    assert found.p.tolist() == [1.0]
    assert found.turn.tolist() == [0]
    assert found.reach.tolist() == [[0.0, 0.0]]


def test_a_turn_smaller_than_what_matters_does_not_count_however_sure_it_is() -> None:
    x, k, n = counted([550, 540, 530, 520, 520, 530, 540, 550], n=1000)
    assert arms(x, 100 * k, 100 * n, effect=0.02).p[0] < 1e-6
    assert arms(x, 100 * k, 100 * n, effect=EFFECT).p[0] == 1.0


@pytest.mark.parametrize("sizes", [1, 3, 5])
def test_fewer_than_six_sizes_are_not_tested(sizes: int) -> None:
    assert arms(*counted([90.0, 50, 10, 50, 90][:sizes]), effect=EFFECT).p.tolist() == [1.0]


def test_a_size_without_documents_says_nothing() -> None:
    x, k, n = counted(U)
    with_gap = [np.insert(a, 3, gap, axis=1) for a, gap in ((x, 2.5), (k, 0.0), (n, 0.0))]
    whole, gapped = arms(x, k, n, effect=EFFECT), arms(*with_gap, effect=EFFECT)
    assert gapped.p == pytest.approx(whole.p)
    assert gapped.z == pytest.approx(whole.z)
    assert gapped.first_right - 1 == whole.first_right


def test_a_flat_truth_rarely_turns() -> None:
    rng = np.random.default_rng(0)
    x = np.broadcast_to(np.linspace(7, 10, 6), (4000, 6))
    found = arms(x, rng.binomial(200, 0.5, (4000, 6)).astype(float), np.full((4000, 6), 200.0), effect=0.0)
    # Each arm alone is significant in 5 %; both, and opposed, in 0.05^2 / 2.
    assert np.mean(found.p < 0.05) < 0.005


def test_scores_with_errors_turn_as_the_counts_they_came_from() -> None:
    x, k, n = counted(U, [40, 41, 43, 40, 42, 43, 41, 42])
    y = k / n
    from_scores = arms_of_scores(x, y, np.sqrt(y * (1 - y) / n), effect=EFFECT)
    assert from_scores.turn.tolist() == [1, 0]
    assert from_scores.p[0] < 0.001
    assert from_scores.reach[0] == pytest.approx(arms(x, k, n, effect=EFFECT).reach[0], abs=0.01)


@pytest.mark.parametrize("unit", [1e-9, 100.0, 1e9])
def test_the_unit_of_a_score_does_not_matter(unit: float) -> None:
    x, k, n = counted(U)
    y, stderr = k / n, np.full_like(k, 0.05)
    once, again = (arms_of_scores(x, u * y, u * stderr, effect=u * EFFECT) for u in (1.0, unit))
    assert once.p[0] < 0.001
    assert again.p == pytest.approx(once.p)
    assert again.reach == pytest.approx(unit * once.reach)


def test_single_models_show_a_u_in_spite_of_their_scatter() -> None:
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(20, 23, 60))
    u = two_lines(x, np.abs(x - 21.5) + rng.normal(0, 0.1, 60))
    assert u is not None
    assert (u.turn, u.p < 0.001) == (1, True)
    assert u.at == pytest.approx(21.5, abs=0.4)
    inverted = two_lines(x, -np.abs(x - 21.5) + rng.normal(0, 0.1, 60))
    assert inverted is not None
    assert (inverted.turn, inverted.p < 0.001) == (-1, True)


def test_models_that_level_off_do_not_turn() -> None:
    rng = np.random.default_rng(4)
    x = np.sort(rng.uniform(20, 23, 60))
    found = two_lines(x, 1 - np.exp(-2 * (x - 20)) + rng.normal(0, 0.01, 60))
    assert found is not None
    assert found.p > 0.05


def test_five_models_are_too_few_for_two_lines() -> None:
    assert two_lines(np.arange(5.0), np.array([3.0, 1, 0, 1, 3])) is None


def test_two_lines_through_models_of_one_size_have_no_slope() -> None:
    found = two_lines(np.array([1.0, 1, 1, 2, 2, 2]), np.array([3.0, 1, 0, 1, 3, 2]))
    assert found is not None
    assert found.p == 1.0


def test_documents_of_pure_noise_have_no_hard_group() -> None:
    scores = np.random.default_rng(5).binomial(1, 0.5, (8, 6000)).astype(float)
    found = by_difficulty(scores)
    assert found.y == pytest.approx(0.5, abs=0.05)
    # Ranked by the small models themselves, the same noise gives a "hard" group that is solved by the larger ones.
    hardest = np.argsort(scores[:4].mean(axis=0))[:2000]
    assert scores[:4, hardest].mean() < 0.3


def test_hard_documents_are_told_from_easy_ones_and_can_bend_alone() -> None:
    rng = np.random.default_rng(6)
    at = np.linspace(-1, 1, 8)[:, None]
    hard = np.arange(3000) >= 2000
    rate = np.where(hard, 0.1 + 0.25 * at**2, 0.8 + 0.1 * at)
    found = by_difficulty(rng.binomial(1, rate).astype(float))
    assert found.n.tolist() == [1000, 1000, 1000]
    x = np.broadcast_to(at.T, found.y.shape)
    turns = arms_of_scores(x, found.y, found.stderr, effect=EFFECT)
    assert turns.turn[2] == 1
    assert turns.p[2] < 0.05
    assert (turns.p[:2] > 0.05).all()


def test_too_few_documents_for_the_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="4 models x 5 documents cannot be halved and split in 3 groups"):
        by_difficulty(np.zeros((4, 5)))


@pytest.mark.parametrize("run_sd", [0.02, 0.05, 0.2])
def test_noise_between_training_runs_makes_no_turn(run_sd: float) -> None:
    rng = np.random.default_rng(15)
    share = np.clip(0.55 + run_sd * rng.standard_normal((600, 12)), 0, 1)
    x, n = np.broadcast_to(np.arange(12.0), share.shape), np.full(share.shape, 900.0)
    found = arms(x, rng.binomial(900, share).astype(float), n, effect=EFFECT)
    assert ((found.turn != 0) & (found.p < 0.05)).mean() <= 0.02


def test_a_u_of_two_thousand_documents_is_found() -> None:
    rng = np.random.default_rng(15)
    x = np.broadcast_to(np.linspace(-1, 1, 12), (200, 12))
    k = rng.binomial(2000, 0.4 + 0.15 * x**2).astype(float)
    found = arms(x, k, np.full(x.shape, 2000.0), effect=EFFECT)
    assert ((found.turn == 1) & (found.p < 0.05)).mean() >= 0.95
