from collections.abc import Callable

import numpy as np
import pytest

from harness.analysis.laws import BrokenPowerLaw, fit_broken_power_law, fit_power_law, fit_power_law_with_floor
from harness.errors import HarnessError

ADDITION = BrokenPowerLaw(a=0.414, b=2.277, c0=0.0551, c1=5.663, d1=612.6, f1=0.0592)
"""The published law of errors on 4-digit addition over training examples (METHODS section 15)."""
EXAMPLES = np.geomspace(100, 3000, 17)


def test_a_break_seen_in_the_smaller_sizes_foretells_the_larger_ones() -> None:
    train, held_out = EXAMPLES[:14], EXAMPLES[14:]
    y = ADDITION.mean(EXAMPLES)
    law = fit_broken_power_law(train, y[:14])
    assert law.rmsle(train, y[:14]) < 1e-4
    assert law.rmsle(held_out, y[14:]) < 0.001
    assert (law.d1, law.f1, law.a) == pytest.approx((ADDITION.d1, ADDITION.f1, ADDITION.a), rel=0.05)


def test_a_law_without_a_break_misses_it_by_far() -> None:
    train, y = EXAMPLES[:14], ADDITION.mean(EXAMPLES)
    broken = fit_broken_power_law(train, y[:14]).rmsle(EXAMPLES[14:], y[14:])
    for law in (fit_power_law(train, y[:14]), fit_power_law_with_floor(train, y[:14])):
        assert law.rmsle(EXAMPLES[14:], y[14:]) > 20 * broken


def test_noise_moves_the_break_but_little() -> None:
    rng = np.random.default_rng(0)
    true = BrokenPowerLaw(a=0.05, b=30.0, c0=0.1, c1=0.6, d1=3e8, f1=0.3)
    x = np.geomspace(1e6, 1e11, 20)
    law = fit_broken_power_law(x, true.mean(x) * np.exp(rng.normal(0, 0.01, len(x))))
    assert np.log10(law.d1) == pytest.approx(np.log10(true.d1), abs=0.4)
    assert (law.c0, law.c0 + law.c1) == pytest.approx((0.1, 0.7), abs=0.1)


def test_a_law_that_gives_out_after_the_break_is_found_too() -> None:
    true = BrokenPowerLaw(a=0.0, b=1e4, c0=0.5, c1=-0.4, d1=1e8, f1=0.2)
    x = np.geomspace(1e6, 1e10, 12)
    law = fit_broken_power_law(x, true.mean(x))
    assert law.rmsle(x, true.mean(x)) < 1e-3


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_scale_does_not_matter(unit: float) -> None:
    y = ADDITION.mean(EXAMPLES)
    once, again = fit_broken_power_law(EXAMPLES, y), fit_broken_power_law(EXAMPLES * unit, y)
    assert again.mean(EXAMPLES * unit) == pytest.approx(once.mean(EXAMPLES), rel=1e-4)
    assert again.d1 / unit == pytest.approx(once.d1, rel=1e-2)


def test_the_order_of_the_sizes_does_not_matter() -> None:
    order = np.random.default_rng(1).permutation(len(EXAMPLES))
    y = ADDITION.mean(EXAMPLES)
    assert fit_broken_power_law(EXAMPLES[order], y[order]).mean(EXAMPLES) == pytest.approx(
        fit_broken_power_law(EXAMPLES, y).mean(EXAMPLES), rel=1e-6
    )


def test_plain_power_laws_are_recovered() -> None:
    x = np.geomspace(1e7, 1e10, 6)
    plain, floored = BrokenPowerLaw(a=0.0, b=40.0, c0=0.15), BrokenPowerLaw(a=1.7, b=400.0, c0=0.34)
    found = fit_power_law(x, plain.mean(x))
    assert (found.a, found.b, found.c0, found.c1) == pytest.approx((0.0, 40.0, 0.15, 0.0), rel=1e-4)
    found = fit_power_law_with_floor(x, floored.mean(x))
    assert (found.a, found.b, found.c0, found.c1) == pytest.approx((1.7, 400.0, 0.34, 0.0), rel=1e-3)


def test_a_power_law_has_the_straight_line_in_logarithms_that_its_formula_says() -> None:
    x = np.geomspace(1, 100, 5)
    assert BrokenPowerLaw(a=0.0, b=3.0, c0=0.5).mean(x) == pytest.approx(3 * x**-0.5)
    assert BrokenPowerLaw(a=0.2, b=3.0, c0=0.0, c1=1.0, d1=10.0, f1=1.0).mean(x) == pytest.approx(
        0.2 + 3 / (1 + x / 10)
    )


def test_a_constant_loss_is_fitted_flat() -> None:
    x = np.geomspace(1e7, 1e10, 9)
    assert fit_broken_power_law(x, np.full(9, 2.5)).mean(x) == pytest.approx(2.5, rel=1e-6)


@pytest.mark.parametrize(
    ("law", "sizes", "message"),
    [
        (fit_broken_power_law, 8, "six parameters and needs at least 9 sizes; got 8"),
        (fit_power_law, 2, "two parameters and needs at least 3 sizes; got 2"),
        (fit_power_law_with_floor, 3, "three parameters and needs at least 4 sizes; got 3"),
    ],
)
def test_too_few_sizes_are_refused(law: Callable[..., BrokenPowerLaw], sizes: int, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        law(np.geomspace(1e7, 1e9, sizes), np.linspace(3, 2, sizes))


def test_runs_of_one_size_are_no_further_sizes() -> None:
    with pytest.raises(HarnessError, match="got 4"):
        fit_broken_power_law(np.repeat(np.geomspace(1e7, 1e9, 4), 3), np.linspace(3, 2, 12))


@pytest.mark.parametrize("spoilt", [float("nan"), -0.1, float("inf")])
def test_what_is_no_loss_is_refused(spoilt: float) -> None:
    y = np.append(np.linspace(3, 2, 8), spoilt)
    with pytest.raises(HarnessError, match="losses or error rates"):
        fit_broken_power_law(np.geomspace(1e7, 1e9, 9), y)


def test_scales_must_be_positive() -> None:
    with pytest.raises(HarnessError, match="scales must be positive"):
        fit_power_law(np.array([0.0, 1.0, 2.0]), np.array([3.0, 2.0, 1.0]))
