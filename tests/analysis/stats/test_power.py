import pytest
from scipy.stats import binom

from harness.analysis.stats import (
    detectable_effect,
    minimum_detectable_effect,
    required_documents,
    required_documents_per_model,
    required_documents_sampled,
    resolution,
)
from harness.specs import MetricSpec
from tests.builders import task


@pytest.mark.parametrize(
    ("n", "chance", "expected"),
    [
        (100, 0.25, 0.108),
        (200, 0.25, 0.076),
        (1000, 0.25, 0.034),
        (100, 0.5, 0.124),
        (1000, 0.5, 0.039),
        (200, 0.1, 0.053),
    ],
)
def test_more_documents_detect_smaller_effects(n: int, chance: float, expected: float) -> None:
    assert minimum_detectable_effect(n, chance) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("chance", "expected"), [(0.25, 0.76), (0.0, 0.46)])
def test_the_documented_power_of_the_exact_test_is_right(chance: float, expected: float) -> None:
    floor = max(chance, 0.005)
    critical = binom.isf(0.05, 200, floor)  # significant above this count
    reached = binom.sf(critical, 200, floor + minimum_detectable_effect(200, chance))
    assert reached == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(("n", "chance"), [(2, 0.0), (10, 0.25), (38, 0.0), (200, 0.0), (200, 0.25), (1000, 0.5)])
def test_the_exact_effect_is_the_least_that_the_exact_test_finds(n: int, chance: float) -> None:
    floor = max(chance, 0.005)
    critical = binom.isf(0.05, n, floor)
    effect = detectable_effect(n, chance)
    assert effect is not None
    assert binom.sf(critical, n, floor + effect) == pytest.approx(0.8, abs=1e-6)
    assert effect > minimum_detectable_effect(n, chance)


def test_too_few_documents_show_nothing_even_when_all_are_right() -> None:
    assert 0.25**2 > 0.05 > 0.25**3
    assert detectable_effect(2, 0.25) is None
    assert detectable_effect(3, 0.25) is not None


def test_a_known_spread_replaces_the_one_at_chance() -> None:
    # (1.644854 + .841621) * .1
    assert minimum_detectable_effect(50, 0.25, stderr=0.1) == pytest.approx(0.2486475, abs=1e-7)


def test_stricter_tests_and_more_power_need_larger_effects() -> None:
    usual = minimum_detectable_effect(100, 0.25)
    assert minimum_detectable_effect(100, 0.25, alpha=0.01) > usual
    assert minimum_detectable_effect(100, 0.25, power=0.95) > usual


@pytest.mark.parametrize(
    ("chance", "expected"), [(0.25, (483, 125)), (0.5, (617, 153)), (0.1, (253, 69)), (0, (38, 14))]
)
def test_documents_needed_for_five_and_ten_points_over_chance(chance: float, expected: tuple[int, int]) -> None:
    assert (required_documents(0.05, chance), required_documents(0.1, chance)) == expected


@pytest.mark.parametrize(("base", "expected"), [(0.25, (1251, 329)), (0.5, (1565, 388))])
def test_documents_needed_to_tell_two_models_apart(base: float, expected: tuple[int, int]) -> None:
    assert (required_documents_per_model(0.05, base), required_documents_per_model(0.1, base)) == expected


def test_models_that_agree_on_shared_documents_need_fewer() -> None:
    assert required_documents_per_model(0.1, 0.25, correlation=0.6) == 132  # 0.4 of 329, rounded up


def test_a_score_above_one_can_be_shown_by_no_number_of_documents() -> None:
    assert required_documents(0.6, 0.5) is None
    assert required_documents_per_model(0.2, 0.9) is None


def test_all_documents_right_is_within_reach() -> None:
    # z(.95)² * .25 / .25; p (1 - p) is 0 at the top
    assert required_documents(0.5, 0.5) == 3


def test_sampling_more_answers_leaves_the_spread_between_documents() -> None:
    def needed(samples: int) -> int:
        return required_documents_sampled(0.05, between=0.1, within=(0.1, 0.1), samples=(samples, samples))

    # (1.959964 + .841621)² = 7.848880 times variance / .0025
    assert (needed(1), needed(10)) == (942, 377)
    assert needed(10**9) == 314


def test_one_answer_each_agrees_with_the_comparison_of_two_proportions() -> None:
    # of independent models every bit of variance lies between documents: .25 * .75 + .35 * .65
    sampled = required_documents_sampled(0.1, between=0.25 * 0.75 + 0.35 * 0.65, within=(0.0, 0.0), samples=(1, 1))
    assert sampled == pytest.approx(required_documents_per_model(0.1, 0.25), rel=0.02)


@pytest.mark.parametrize(("n_docs", "limit", "documents"), [(200, None, 200), (200, 50, 50), (200, 500, 200)])
def test_a_limit_costs_resolution(n_docs: int, limit: int | None, documents: int) -> None:
    found = resolution(task(n_docs=n_docs), limit)
    assert found.documents == documents
    assert found.mde == detectable_effect(documents, 0.25)
    assert found.documents_needed == 494


@pytest.mark.parametrize("n_docs", [494, 1000])
def test_enough_documents_need_no_more(n_docs: int) -> None:
    assert resolution(task(n_docs=n_docs)).documents_needed is None


@pytest.mark.parametrize("chance", [0.0, 0.25, 0.5, 0.95])
def test_no_task_is_told_to_need_fewer_documents_than_it_has(chance: float) -> None:
    for n_docs in range(1, 700, 41):
        found = resolution(task(metrics=(MetricSpec(name="acc", chance=chance),), n_docs=n_docs))
        assert (found.documents_needed is None) is (found.mde is not None and found.mde <= 0.05)
        assert found.documents_needed is None or found.documents_needed > n_docs


@pytest.mark.parametrize(
    ("metric", "n_docs"),
    [
        (MetricSpec(name="acc", chance=0.25), None),
        (MetricSpec(name="logprob", chance=None, best=None), 200),
        (MetricSpec(name="bleu", best=100.0), 200),
    ],
)
def test_without_a_known_spread_there_is_no_resolution_to_tell(metric: MetricSpec, n_docs: int | None) -> None:
    found = resolution(task(metrics=(metric,), n_docs=n_docs))
    assert (found.documents, found.mde, found.documents_needed) == (n_docs, None, None)
