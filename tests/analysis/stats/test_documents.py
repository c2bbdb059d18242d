import math

import numpy as np
import pytest
from scipy.stats import binomtest, pearsonr
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar

from harness.analysis.stats import clustered_stderr, normal_interval, paired_difference, repeated_samples


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
    assert normal_interval(found.value, found.stderr) == (None, None)


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
