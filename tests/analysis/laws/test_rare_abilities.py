import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.laws import (
    fit_pass_rate_law,
    pass_rate_curvature,
    pass_rates,
    pass_until,
    probability_of_none_correct,
)

PYTHIA = np.log10([70e6, 160e6, 410e6, 1e9, 2.8e9, 6.9e9, 12e9])
MATH = np.array([0.00065, 0.00267, 0.00622, 0.00833, 0.02031, 0.01856, 0.02319])
"""Pass rates on 128 problems of MATH, 10,000 samples each (METHODS section 13)."""


def sampled(rng: np.random.Generator, p: float, *, until: int, at_most: int, documents: int) -> tuple[np.ndarray, ...]:
    """Successes and draws of documents sampled until `until` successes or `at_most` draws."""
    passed = np.cumsum(rng.random((documents, at_most)) < p, axis=1)
    reached = passed[:, -1] >= until
    draws = np.where(reached, np.argmax(passed >= until, axis=1) + 1, at_most).astype(float)
    return np.minimum(passed[:, -1], until).astype(float), draws


@pytest.mark.parametrize(("until", "at_most"), [(2, 20), (2, 400), (3, 60)])
def test_rates_from_sampling_until_enough_successes_are_unbiased(until: int, at_most: int) -> None:
    rng = np.random.default_rng(0)
    successes, draws = sampled(rng, 0.05, until=until, at_most=at_most, documents=20_000)
    rates = pass_rates(successes, draws, until=until)
    stderr = rates.std() / np.sqrt(len(rates))
    assert abs(rates.mean() - 0.05) < 3 * stderr
    assert abs((successes / draws).mean() - 0.05) > 5 * stderr


def test_a_fixed_number_of_draws_gives_the_plain_share() -> None:
    assert pass_rates(np.array([0.0, 3.0]), np.array([10.0, 10.0])).tolist() == [0.0, 0.3]


def test_every_draw_a_success_is_a_rate_of_one() -> None:
    assert pass_rates(np.array([2.0]), np.array([2.0]), until=2).tolist() == [1.0]


def test_until_the_first_success_has_no_unbiased_rate() -> None:
    with pytest.raises(ValueError, match="sample until 2 or more"):
        pass_rates(np.array([1.0]), np.array([4.0]), until=1)


def test_the_error_of_a_pass_rate_comes_from_its_documents_not_from_its_samples() -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(0.1, 5, size=128)
    rates = rng.binomial(10_000, p)[None] / 10_000
    found = pass_until(rates)
    assert found.value == pytest.approx(rates.mean())
    as_if_independent = np.sqrt(found.value * (1 - found.value) / (128 * 10_000))
    assert found.stderr > 10 * as_if_independent


def test_one_sample_per_document_shows_nothing_of_a_rare_ability() -> None:
    rates = np.repeat(MATH[:4, None], 128, axis=1)
    assert probability_of_none_correct(rates) == pytest.approx([0.92, 0.71, 0.45, 0.34], abs=0.005)
    assert (probability_of_none_correct(rates, samples=10) < probability_of_none_correct(rates)).all()


def test_concentrated_rates_hide_no_more_than_even_ones() -> None:
    even, concentrated = np.full((1, 100), 0.01), np.array([[1.0] + [0.0] * 99])
    assert probability_of_none_correct(even) == pytest.approx(0.366, abs=0.001)
    assert probability_of_none_correct(concentrated).tolist() == [0.0]


def test_the_law_of_math_pass_rates_over_pythia_sizes() -> None:
    law = fit_pass_rate_law(PYTHIA, MATH)
    assert law is not None
    assert (law.slope, law.intercept, law.r2) == pytest.approx((-0.1237, 1.798, 0.930), abs=0.001)


def test_the_law_of_the_five_smallest_promises_too_much_for_the_two_largest() -> None:
    law = fit_pass_rate_law(PYTHIA[:5], MATH[:5])
    assert law is not None
    promised, seen = (np.log10(-np.log(rate)) for rate in (law.rate(PYTHIA[5:]), MATH[5:]))
    assert promised == pytest.approx([0.528, 0.489], abs=0.001)
    assert seen == pytest.approx([0.601, 0.576], abs=0.001)


@given(st.floats(-0.8, -0.05), st.floats(-12, -6))
def test_a_law_is_recovered_and_foretells_its_rates(slope: float, floor: float) -> None:
    x = np.linspace(7, 10, 6)
    intercept = np.log10(-floor) - slope * x[0]
    true = np.exp(-(10 ** (intercept + slope * x)))
    law = fit_pass_rate_law(x, true)
    assert law is not None
    assert (law.slope, law.intercept) == pytest.approx((slope, intercept), rel=1e-6)
    assert law.rate(x) == pytest.approx(true, rel=1e-5)


def test_a_guessing_rate_is_taken_out_before_the_law_is_fitted() -> None:
    x = np.linspace(7, 10, 6)
    true = np.exp(-(10 ** (2.5 - 0.2 * x)))
    law = fit_pass_rate_law(x, 0.1 + 0.9 * true, chance=0.1)
    assert law is not None
    assert law.slope == pytest.approx(-0.2)


@pytest.mark.parametrize("value", [[0.0, 0.1, 0.2], [0.1, 0.2, 1.0], [0.1, 0.2]])
def test_there_is_no_law_through_nothing_certainty_or_two_sizes(value: list[float]) -> None:
    assert fit_pass_rate_law(np.arange(7.0, 7.0 + len(value)), np.array(value)) is None


@pytest.mark.parametrize(("curvature", "name"), [(-0.1, "accelerating"), (0.0, "straight"), (0.1, "decelerating")])
def test_the_way_a_law_bends_is_told(curvature: float, name: str) -> None:
    rng = np.random.default_rng(2)
    x = np.linspace(7, 10, 8)
    height = 0.3 - 0.15 * (x - 8.5) + curvature * (x - 8.5) ** 2
    rate = np.exp(-(10**height))
    # documents differ in difficulty, the same ones being hard for every size
    ease = rng.uniform(0.2, 1.8, size=400)
    rates = rng.binomial(2000, rate[:, None] * ease) / 2000
    found = pass_rate_curvature(x, rates, rng)
    assert found is not None
    assert found.name == name
    assert found.low < found.curvature < found.high


def test_the_interval_of_straight_laws_holds_zero_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    x = np.linspace(7, 10, 6)
    rate = np.exp(-(10 ** (0.4 - 0.15 * (x - 8.5))))
    laws = [
        pass_rate_curvature(x, rng.binomial(50, np.repeat(rate[:, None], 200, 1)) / 50, rng, replicates=200)
        for _ in range(200)
    ]
    straight = [law is not None and law.name == "straight" for law in laws]
    assert 0.9 <= np.mean(straight) <= 0.98


def test_no_bending_is_claimed_where_a_size_may_have_solved_nothing() -> None:
    rng = np.random.default_rng(4)
    rates = np.full((5, 40), 0.2)
    rates[0] = 0.0
    assert pass_rate_curvature(np.arange(5.0), rates, rng) is None
    rates[0, 0] = 0.5  # one document carries the size: a third of the replicates miss it
    assert pass_rate_curvature(np.arange(5.0), rates, rng) is None
