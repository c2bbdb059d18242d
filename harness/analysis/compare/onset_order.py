"""Do abilities appear in the same order in two families? Rank correlation of their thresholds, with an interval.

The order of onset has been found to agree across families (arXiv:2604.08510). A threshold that lies beyond the sizes of
a family still has a place in the order: before, or after, all that lie within.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from harness.analysis.stats import ALPHA, Array

DRAWS = 2_000
"""Draws of the tasks and of each threshold within its interval."""
FEWEST_TASKS = 4
"""Tasks in common below which an order tells nothing: three agree by luck in one case of six."""
_SEED = 26_040_851


class OnsetAt(NamedTuple):
    """Where an ability sets in, as positions on the axis of scale (log10 of the size)."""

    at: float
    """Position; -inf below the smallest size, inf above the largest or never."""
    low: float
    """Lower end of the 95 % interval; -inf below the smallest size."""
    high: float
    """Upper end of the 95 % interval; inf above the largest size."""


class OrderOfTwo(NamedTuple):
    """How well the orders of two families agree."""

    a: str
    """A family."""
    b: str
    """The other."""
    tasks: int
    """Abilities that both were asked for, and of which an onset is known in both."""
    tau: float | None
    """Kendall's tau-b of the onsets, -1 to 1; None with fewer than `FEWEST_TASKS` abilities, or when all abilities of a
    family set in at once."""
    low: float | None
    """Lower end of its 95 % interval, over tasks and over the errors of the onsets."""
    high: float | None
    """Upper end of that interval."""
    p: float | None
    """Two-sided p of no agreement, by exchanging the tasks."""


def onset_orders(families: Mapping[str, Mapping[str, OnsetAt]]) -> tuple[OrderOfTwo, ...]:
    """Every two families, in their order.

    Args:
        families: family -> ability -> its onset.
    """
    return tuple(_of_two(a, b, families[a], families[b]) for a, b in combinations(families, 2))


def _of_two(a: str, b: str, of_a: Mapping[str, OnsetAt], of_b: Mapping[str, OnsetAt]) -> OrderOfTwo:
    common = [ability for ability in of_a if ability in of_b]
    one, other = ([onsets[ability] for ability in common] for onsets in (of_a, of_b))
    tau = float(kendall(_at(one), _at(other))[0]) if len(common) >= FEWEST_TASKS else math.nan
    if math.isnan(tau):
        return OrderOfTwo(a, b, len(common), None, None, None, None)
    random = np.random.default_rng(_SEED)
    chosen = random.integers(len(common), size=(DRAWS, len(common)))
    drawn = kendall(*(np.take_along_axis(_drawn(onsets, random), chosen, axis=1) for onsets in (one, other)))
    low, high = np.nanquantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    shuffled = kendall(random.permuted(np.tile(_at(one), (DRAWS, 1)), axis=1), _at(other))
    as_large = int(np.sum(np.abs(shuffled) >= abs(tau) - 1e-12))
    return OrderOfTwo(a, b, len(common), tau, float(low), float(high), (as_large + 1) / (DRAWS + 1))


def kendall(x: Array, y: Array) -> Array:
    """Kendall's tau-b (Kendall 1945), which allows for ties; two infinities of one sign are a tie.

    Args:
        x: values, (n,) or (B, n).
        y: values of the same things.

    Returns:
        (B,); NaN where all values of one side are tied.
    """
    of_x, of_y = (_signs(np.atleast_2d(values)) for values in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        tau: Array = (of_x * of_y).sum(axis=1) / np.sqrt((of_x**2).sum(axis=1) * (of_y**2).sum(axis=1))
    return tau


def _signs(values: Array) -> Array:
    """Which of each two values is larger, (B, pairs)."""
    first, second = np.triu_indices(values.shape[1], k=1)
    a, b = values[:, first], values[:, second]
    return (a > b).astype(float) - (a < b)


def _at(onsets: Sequence[OnsetAt]) -> Array:
    return np.array([onset.at for onset in onsets])


def _drawn(onsets: Sequence[OnsetAt], random: np.random.Generator) -> Array:
    """Places within the intervals, (draws, abilities); an open end adds nothing: how far it reaches is not known."""
    at, low, high = (np.array(values) for values in zip(*onsets, strict=True))
    inside = np.where(np.isinf(at), 0.0, at)
    below, above = (
        np.where(np.isinf(end) | np.isinf(at), 0.0, np.abs(np.where(np.isinf(end), 0.0, end) - inside) / 1.96)
        for end in (low, high)
    )
    steps = random.standard_normal((DRAWS, len(at)))
    return at + np.where(steps > 0, steps * above, steps * below)
