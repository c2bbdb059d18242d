"""Orders of onset in two families."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kendalltau

from harness.analysis.compare import OnsetAt, onset_orders
from harness.analysis.compare.onset_order import kendall


def onsets(*places: float) -> dict[str, OnsetAt]:
    return {f"t{i}": OnsetAt(at, at - 0.05, at + 0.05) for i, at in enumerate(places)}


def test_kendall_is_scipys_with_ties_and_infinities() -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 5, size=(20, 9)).astype(float)
    y = random.integers(0, 5, size=(20, 9)).astype(float)
    x[:, 0], y[:, 1] = math.inf, -math.inf
    expected = [kendalltau(a, b).statistic for a, b in zip(x, y, strict=True)]
    assert kendall(x, y) == pytest.approx(expected)


def test_the_same_order_in_other_sizes_agrees() -> None:
    (found,) = onset_orders({"a": onsets(6, 7, 8, 9, 10, 11), "b": onsets(6.5, 7.2, 8.8, 9.1, 9.9, 10.5)})
    assert (found.a, found.b, found.tasks, found.tau) == ("a", "b", 6, 1.0)
    assert found.low is not None
    assert found.low > 0.9
    assert found.p == pytest.approx(2 / math.factorial(6), abs=0.003)


def test_an_opposite_order_is_minus_one_and_chance_is_no_order() -> None:
    opposite, chance = (
        onset_orders({"a": onsets(*range(8)), "b": onsets(*places)})[0]
        for places in (range(8, 0, -1), (3, 0, 6, 2, 7, 1, 5, 4))
    )
    assert opposite.tau == -1.0
    assert chance.low is not None
    assert chance.high is not None
    assert chance.low < 0 < chance.high
    assert chance.p is not None
    assert chance.p > 0.05


def test_wide_intervals_widen_that_of_the_order() -> None:
    places = (6.0, 6.2, 6.4, 6.6, 6.8, 7.0, 7.2, 7.4)
    narrow = onsets(*places)
    wide = {task: OnsetAt(onset.at, onset.at - 2, onset.at + 2) for task, onset in narrow.items()}
    (sure,), (unsure,) = onset_orders({"a": narrow, "b": narrow}), onset_orders({"a": narrow, "b": wide})
    assert sure.low is not None
    assert unsure.low is not None
    assert unsure.low < sure.low - 0.2


def test_what_never_sets_in_comes_last_and_what_is_there_already_first() -> None:
    never, always = OnsetAt(*[math.inf] * 3), OnsetAt(*[-math.inf] * 3)
    a = onsets(7, 8, 9) | {"never": never, "always": always}
    b = onsets(7.5, 8.5, 9.5) | {"never": never, "always": always}
    assert onset_orders({"a": a, "b": b})[0].tau == 1.0


@pytest.mark.parametrize("places", [(1.0, 2.0, 3.0), (math.inf,) * 6])
def test_too_few_abilities_or_none_apart_have_no_order(places: tuple[float, ...]) -> None:
    (found,) = onset_orders({"a": onsets(*places), "b": onsets(*range(len(places)))})
    assert (found.tasks, found.tau, found.p) == (len(places), None, None)


def test_every_two_families_are_compared() -> None:
    found = onset_orders({name: onsets(*range(5)) for name in "abc"})
    assert [(one.a, one.b) for one in found] == [("a", "b"), ("a", "c"), ("b", "c")]
