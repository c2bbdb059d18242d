import math

import numpy as np
import pytest
from scipy.stats import binomtest, pearsonr
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar

from harness.analysis.stats import (
    Estimate,
    above_chance_p,
    benjamini_hochberg,
    estimate,
    interval,
    paired_difference,
    trend,
)
from harness.analysis.stats.uncertainty import clustered_stderr, is_proportion, repeated_samples, wilson
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
    low, high = interval(estimate([share(50, 50)], ACC))
    assert high == 1.0
    assert low == pytest.approx(50 / (50 + 1.959964**2))


def test_scores_that_are_no_proportions_get_a_normal_interval() -> None:
    low, high = interval(Estimate(-3.0, 0.5, 40, 1, False))
    assert (low, high) == pytest.approx((-3.98, -2.02), abs=1e-3)


def test_one_document_of_a_continuous_score_has_no_interval() -> None:
    assert interval(Estimate(0.4, None, 1, 1, False)) == (None, None)


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
    narrow, broad = interval(calm), interval(wild)
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


def test_trend_equals_cochran_armitage_by_hand() -> None:
    # k = 2, 5, 8 of 10 at x = 0, 1, 2: p = .5, z = (8 - 2) / sqrt(.25 * 10 * 2)
    found = trend((0, 1, 2), [proportion(k, 10) for k in (2, 5, 8)])
    assert found is not None
    assert found.z == pytest.approx(6 / math.sqrt(5))
    assert found.fitted_range == pytest.approx(0.6)
    assert found.p == pytest.approx(0.00729, abs=1e-5)


def test_trend_weighs_documents() -> None:
    # By hand: n = 10, 30, 10; x-bar = 1; sum n y (x - 1) = 4; p = 18/50; spread = 20.
    found = trend((0, 1, 2), [proportion(2, 10), proportion(10, 30), proportion(6, 10)])
    assert found is not None
    assert found.z == pytest.approx(4 / math.sqrt(0.36 * 0.64 * 20))


def test_all_scores_at_zero_have_no_trend_but_a_known_precision() -> None:
    found = trend((0, 1, 2), [proportion(0, 100)] * 3)
    assert found is not None
    assert (found.z, found.p, found.fitted_range) == (0.0, 1.0, 0.0)
    assert 0 < found.fitted_range_stderr < 0.02


def test_trend_of_fractions_uses_their_own_spread() -> None:
    points = [Estimate(v, 0.1, 25, 1, False) for v in (1.0, 2.0, 3.0)]
    found = trend((0, 1, 2), points)
    assert found is not None
    # s = .1 * sqrt(25) = .5; z = 50 / sqrt(.25 * 50)
    assert found.z == pytest.approx(50 / math.sqrt(12.5))


def test_one_scale_has_no_trend() -> None:
    assert trend((1.0,), [proportion(5, 10)]) is None
    assert trend((), []) is None


def test_benjamini_hochberg_skips_what_was_not_tested() -> None:
    assert benjamini_hochberg([None, 0.01, 0.02, 0.9]) == pytest.approx((None, 0.03, 0.03, 0.9))
    assert benjamini_hochberg([None]) == (None,)


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


def test_a_document_per_cluster_gives_the_ordinary_standard_error() -> None:
    scores = drawn(0, 50)
    assert clustered_stderr(scores, range(50)) == pytest.approx(scores.std(ddof=1) / math.sqrt(50))


def test_clusters_give_the_formula_written_out() -> None:
    scores, clusters = drawn(1, 12), "aabbbcccddee"
    residual = scores - scores.mean()
    pairs = sum(
        residual[i] * residual[j] for i in range(12) for j in range(12) if i != j and clusters[i] == clusters[j]
    )
    assert clustered_stderr(scores, clusters) == pytest.approx(math.sqrt(scores.var(ddof=1) / 12 + pairs / 144))


def test_with_many_clusters_the_error_is_that_of_a_clustered_regression() -> None:
    groups = np.repeat(np.arange(400), 5)
    scores = drawn(2, 400)[groups] + drawn(3, 2000)
    regression = OLS(scores, np.ones(2000)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    assert clustered_stderr(scores, groups.tolist()) == pytest.approx(regression.bse[0], rel=0.005)


def test_repeating_every_document_does_not_shrink_the_clustered_error() -> None:
    scores = drawn(4, 200)
    copies, labels = np.repeat(scores, 10), np.repeat(range(200), 10).tolist()
    once = scores.std(ddof=1) / math.sqrt(200)
    assert clustered_stderr(copies, range(2000)) == pytest.approx(once / math.sqrt(10), rel=0.01)
    assert clustered_stderr(copies, labels) == pytest.approx(once, rel=0.01)


def test_one_cluster_says_nothing_about_the_spread_between_clusters() -> None:
    assert clustered_stderr([0.0, 1.0, 1.0], "aaa") is None


def test_labels_of_other_documents_are_refused() -> None:
    with pytest.raises(ValueError, match="2 cluster labels for 3 scores"):
        clustered_stderr([0.0, 1.0, 1.0], "ab")


def test_the_paired_error_is_the_unpaired_one_less_what_the_models_share() -> None:
    hard, a, b = drawn(5, 300), drawn(6, 300), drawn(7, 300)
    found = paired_difference(hard + a, hard + 0.5 * b)
    errors = [(hard + side).std(ddof=1) / math.sqrt(300) for side in (a, 0.5 * b)]
    r = pearsonr(hard + a, hard + 0.5 * b).statistic
    assert found.correlation == pytest.approx(r)
    assert found.stderr == pytest.approx(math.sqrt(errors[0] ** 2 + errors[1] ** 2 - 2 * r * errors[0] * errors[1]))
    assert found.z == pytest.approx(found.value / found.stderr)
    assert found.p_exact is None


def test_right_and_wrong_answers_are_compared_by_the_exact_mcnemar_test() -> None:
    a, b = (drawn(8, 120) < 0.6).astype(float), (drawn(9, 120) < 0.45).astype(float)
    table = [[np.sum((a == i) & (b == j)) for j in (1, 0)] for i in (1, 0)]
    found = paired_difference(a, b)
    assert found.p_exact == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert found.p_exact == pytest.approx(binomtest(int(table[0][1]), int(table[0][1] + table[1][0])).pvalue)
    assert found.value == pytest.approx((table[0][1] - table[1][0]) / 120)


def test_swapping_the_sides_turns_the_sign_and_nothing_else() -> None:
    a, b = (drawn(10, 80) < 0.6).astype(float), (drawn(11, 80) < 0.5).astype(float)
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert (other.value, other.z) == (-one.value, -one.z)
    assert (other.stderr, other.p, other.p_exact) == (one.stderr, one.p, one.p_exact)


def test_equal_answers_are_no_difference() -> None:
    found = paired_difference([1, 0, 1], [1, 0, 1])
    assert (found.value, found.z, found.p, found.p_exact) == (0.0, 0.0, 1.0, 1.0)
    assert found.correlation == pytest.approx(1.0)


def test_the_same_gain_on_every_document_has_no_spread_to_test_with() -> None:
    found = paired_difference(np.array([0.3, 0.5, 0.9]) + 0.1, [0.3, 0.5, 0.9])
    assert found.value == pytest.approx(0.1)
    assert (found.z, found.p) == (None, None)
    assert paired_difference([1] * 6, [0] * 6).p_exact == pytest.approx(2 / 64)


def test_one_shared_document_has_a_difference_without_an_error() -> None:
    found = paired_difference([1.0], [0.0])
    assert (found.value, found.stderr, found.correlation, found.p) == (1.0, None, None, None)
    assert found.interval() == (None, None)


def test_clusters_widen_the_error_of_a_difference() -> None:
    gain = np.repeat(drawn(12, 40), 5)
    alone = paired_difference(gain, np.zeros(200))
    together = paired_difference(gain, np.zeros(200), clusters=np.repeat(range(40), 5).tolist())
    assert together.stderr == pytest.approx(alone.stderr * math.sqrt(5), rel=0.02)


def test_scores_of_different_documents_are_not_paired() -> None:
    with pytest.raises(ValueError, match="2 and 3 scores"):
        paired_difference([1, 0], [1, 0, 1])
    with pytest.raises(ValueError, match="finite"):
        paired_difference([1, math.nan], [1, 0])


def test_repeated_answers_are_taken_apart_into_documents_and_answers() -> None:
    # 4,000 documents whose chance of success is 0.2 or 0.8: between = 0.09, within = 0.16
    success = np.where(drawn(13, 4000) < 0.5, 0.2, 0.8)
    found = repeated_samples(drawn(14, 4000, 5) < success[:, None])
    assert found.between == pytest.approx(0.09, abs=0.005)
    assert found.within == pytest.approx(0.16, abs=0.005)
    assert found.stderr == pytest.approx(math.sqrt((0.09 + 0.16 / 5) / 4000), rel=0.02)


def test_one_answer_each_cannot_tell_documents_from_answers() -> None:
    found = repeated_samples([[1], [0], [1]])
    assert (found.between, found.within) == (None, None)
    assert found.stderr == pytest.approx(1 / 3)


def test_answers_must_form_a_table() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        repeated_samples([1, 0, 1])
