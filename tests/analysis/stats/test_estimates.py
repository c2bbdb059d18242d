import math

import pytest

from harness.analysis.stats import Estimate, above_chance_p, confidence_interval, estimate, is_proportion, wilson
from harness.records import Score
from harness.specs import MetricSpec
from tests.builders import ACC, PROB, result

BRIER = MetricSpec(name="brier", higher_is_better=False, chance=0.75, best=0.0, continuous=True)


def share(k: int, n: int) -> Score:
    p = k / n
    return Score(metric="acc", value=p, stderr=math.sqrt(p * (1 - p) / (n - 1)) if n > 1 else None, n=n)


def proportion(k: float, n: int) -> Estimate:
    return Estimate(k / n, None, n, 1, True)


def test_zeros_and_ones_are_told_from_fractions_by_their_standard_error() -> None:
    sharp = result(values=(1.0, 0.0, 1.0, 1.0)).scores[0]
    blurred = result(values=(0.9, 0.1, 1.0, 1.0)).scores[0]
    assert is_proportion(sharp, ACC)
    assert not is_proportion(blurred, ACC)


def test_a_continuous_metric_is_never_a_proportion() -> None:
    assert not is_proportion(Score(metric="prob_correct", value=0.0, stderr=0.0, n=10), PROB)


def test_a_percentage_is_no_proportion() -> None:
    assert not is_proportion(share(1, 4), MetricSpec(name="bleu", best=100.0))


def test_one_document_is_a_proportion_only_when_right_or_wrong() -> None:
    assert is_proportion(share(1, 1), ACC)
    assert not is_proportion(Score(metric="acc", value=0.5, stderr=None, n=1), ACC)


def test_wilson_gives_the_textbook_interval() -> None:
    # Newcombe 1998, table I: 81 of 263, and 0 of 20.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_a_perfect_score_still_has_an_interval_below_it() -> None:
    low, high = confidence_interval(estimate([share(50, 50)], ACC))
    assert high == 1.0
    assert low == pytest.approx(50 / (50 + 1.959964**2))


def test_scores_that_are_no_proportions_get_a_normal_interval() -> None:
    low, high = confidence_interval(Estimate(-3.0, 0.5, 40, 1, False))
    assert (low, high) == pytest.approx((-3.98, -2.02), abs=1e-3)


def test_one_document_of_a_continuous_score_has_no_interval() -> None:
    assert confidence_interval(Estimate(0.4, None, 1, 1, False)) == (None, None)


def test_equal_seeds_do_not_shrink_the_error() -> None:
    one, three = estimate([share(30, 100)], ACC), estimate([share(30, 100)] * 3, ACC)
    assert three.stderr == pytest.approx(one.stderr)
    assert (three.n, three.seeds) == (100, 3)


def test_differing_seeds_add_their_variance_over_their_number() -> None:
    pooled = estimate([share(20, 100), share(40, 100)], ACC)
    within = (0.2 * 0.8 + 0.4 * 0.6) / 2 / 99
    between = 2 * 0.1**2 / 2
    assert pooled.value == pytest.approx(0.3)
    assert pooled.stderr == pytest.approx(math.sqrt(within + between))


def test_differing_seeds_cost_effective_documents() -> None:
    calm = estimate([share(30, 100)] * 2, ACC)
    wild = estimate([share(20, 100), share(40, 100)], ACC)
    assert calm.n_effective == pytest.approx(100)
    assert 10 < wild.n_effective < 25
    narrow, broad = confidence_interval(calm), confidence_interval(wild)
    assert broad.low < narrow.low < narrow.high < broad.high


def test_above_chance_is_the_exact_binomial_tail() -> None:
    # P(K >= 9 | 10, 0.5) = 11 / 1024
    assert above_chance_p(proportion(9, 10), MetricSpec(name="acc", chance=0.5)) == pytest.approx(11 / 1024)


def test_a_lucky_match_is_not_significant_where_chance_is_zero() -> None:
    p = above_chance_p(proportion(1, 200), MetricSpec(name="exact_match", chance=0.0))
    assert p == pytest.approx(1 - 0.995**200)


def test_a_loss_is_better_than_chance_when_it_is_lower() -> None:
    assert above_chance_p(Estimate(0.65, 0.05, 50, 1, False), BRIER) == pytest.approx(0.02275, abs=1e-5)
    assert above_chance_p(Estimate(0.85, 0.05, 50, 1, False), BRIER) == pytest.approx(0.97725, abs=1e-5)


def test_without_a_chance_level_there_is_no_test_against_chance() -> None:
    assert above_chance_p(Estimate(-2.0, 0.1, 50, 1, False), MetricSpec(name="ll", chance=None, best=None)) is None
