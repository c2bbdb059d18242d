from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.stats import Estimate, confidence_interval, interval_over_runs, run_noise

DOCUMENTS = 1000


def estimates(scores: np.ndarray) -> list[list[Estimate]]:
    """Scores of (sizes, runs) as shares of 1,000 documents."""
    return [
        [Estimate(float(y), math.sqrt(y * (1 - y) / (DOCUMENTS - 1)), DOCUMENTS, 1, True) for y in runs]
        for runs in scores
    ]


def drawn(sd: float, *, sizes: int = 8, runs: int = 3, seed: int = 0) -> list[list[Estimate]]:
    """Runs of sizes that score 0.2 to 0.8, with documents of their own."""
    rng = np.random.default_rng(seed)
    p = np.linspace(0.2, 0.8, sizes)[:, None]
    of_runs = np.clip(p + 2 * sd * np.sqrt(p * (1 - p)) * rng.standard_normal((sizes, runs)), 0, 1)
    return estimates(rng.binomial(DOCUMENTS, of_runs) / DOCUMENTS)


@pytest.mark.parametrize("sd", [0.01, 0.02, 0.05])
def test_the_noise_that_was_put_in_is_found(sd: float) -> None:
    squares = [found.sd**2 for seed in range(100) if (found := run_noise(drawn(sd, seed=seed), 1.0))]
    assert math.sqrt(np.mean(squares)) == pytest.approx(sd, rel=0.1)


def test_runs_that_differ_by_their_documents_alone_have_next_to_no_noise() -> None:
    found = [run_noise(drawn(0.0, seed=seed), 1.0) for seed in range(100)]
    assert float(np.mean([one.sd for one in found if one])) < 0.006
    assert sum(one.shows for one in found if one) < 10


def test_degrees_of_freedom_are_pooled_over_sizes_with_several_runs() -> None:
    half = np.array([[0.49, 0.5, 0.51]])
    found = run_noise([*estimates(half), *estimates(half[:, :2]), *estimates(half[:, :1])], 1.0)
    assert found is not None
    assert found.freedom == pytest.approx(3.0, abs=0.01)
    assert found.known
    assert found.between == pytest.approx((2 * 0.01**2 + 0.01**2 / 2) / 3, rel=0.01)


def test_checkpoints_of_the_same_runs_add_no_degrees_of_freedom() -> None:
    half = estimates(np.tile([0.49, 0.5, 0.51], (8, 1)))
    once, alone = run_noise(half, 1.0, ["a"] * 8), run_noise(half[:1], 1.0)
    assert once is not None
    assert alone is not None
    assert (once.freedom, once.between) == (pytest.approx(alone.freedom), pytest.approx(alone.between))
    two = run_noise(half, 1.0, ["a"] * 4 + ["b"] * 4)
    assert two is not None
    assert two.freedom == pytest.approx(4.0, abs=0.01)
    assert run_noise(half, 1.0) == run_noise(half, 1.0, range(8))


def test_runs_that_keep_their_luck_through_training_are_as_uncertain_as_their_number_says() -> None:
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(400):
        luck = 0.05 * rng.standard_normal((1, 4))
        found = run_noise(estimates(np.tile(0.5 + luck, (20, 1))), 1.0, ["a"] * 20)
        assert found is not None
        ratios.append(found.between / 0.05**2)
    # The variance of an estimate with f degrees of freedom is 2 / f of its square.
    assert 2 / np.var(ratios) == pytest.approx(3.0, rel=0.25)


def test_sizes_at_which_nothing_can_vary_say_nothing() -> None:
    assert run_noise(estimates(np.zeros((4, 3))), 1.0) is None
    assert run_noise([runs[:1] for runs in drawn(0.02)], 1.0) is None
    lone = run_noise([*estimates(np.zeros((4, 3))), *estimates(np.array([[0.4, 0.6]]))], 1.0)
    assert lone is not None
    assert (lone.freedom, lone.known) == (pytest.approx(1.0), False)


def test_few_degrees_of_freedom_widen_the_noise_that_tests_reckon_with() -> None:
    few, many = (run_noise(drawn(0.05, runs=runs), 1.0) for runs in (2, 30))
    assert few is not None
    assert many is not None
    assert few.wary_sd / few.sd > 1.15
    assert many.wary_sd / many.sd < 1.02


def test_a_score_without_ends_has_the_same_noise_everywhere() -> None:
    losses = [[Estimate(level + shift, 0.0, 100, 1, False) for shift in (-0.1, 0.1)] for level in (2.0, 9.0)]
    found = run_noise(losses, None)
    assert found is not None
    assert (found.sd, found.freedom, found.share(7.0)) == (pytest.approx(math.sqrt(0.02)), 2.0, 1.0)


def test_more_runs_make_the_interval_of_their_mean_shorter_but_not_shorter_than_documents_allow() -> None:
    noise, of = run_noise(drawn(0.05), 1.0), Estimate(0.5, None, DOCUMENTS, 1, True)
    widths = [np.ptp(interval_over_runs(of, noise, runs)) for runs in (1, 3, 1000)]
    assert widths[0] > widths[1] > widths[2] > 0
    assert widths[2] == pytest.approx(np.ptp(confidence_interval(of)), rel=0.01)
    assert interval_over_runs(of, None, 3) == confidence_interval(of)
