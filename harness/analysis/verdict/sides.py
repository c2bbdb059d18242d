"""On which side of a level does a size clearly lie?"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from harness.analysis.growth import Counts
from harness.analysis.stats import Array, Index, Mask
from harness.analysis.stats.distributions import binom

_CLEAR = 0.16
"""A size is clearly above a level when a score at the level would give as many successes with less than this
probability, and clearly below it likewise: about one standard error, which is as far as points can lie from a curve
before a reader asks why."""


class Clear(NamedTuple):
    """Which sizes of B curves are clearly to one side of a level."""

    above: Mask
    """Clearly above, (B, m)."""
    below: Mask
    """Clearly below, (B, m)."""


class SideLimits(NamedTuple):
    """How many successes put a size clearly to one side of a level."""

    above: Array
    """Fewest that are clearly above, (B, m); inf where none of those that were asked are."""
    below: Array
    """Most that are clearly below, (B, m); -inf where none are."""


def clearly_above(k: Array, n: Array, level: Array) -> Mask:
    """Whether so many successes of n documents are clearly above a level; the arguments are of one shape."""
    # A score below the level is as likely as not, or likelier, so that only those above it are weighed; and likewise.
    above = np.asarray(k / n > level)
    above[above] = binom.sf(k[above] - 1, n[above], level[above]) < _CLEAR
    return above


def clearly_below(k: Array, n: Array, level: Array) -> Mask:
    """Whether so many successes of n documents are clearly below a level; the arguments are of one shape."""
    below = np.asarray(k / n < level)
    below[below] = binom.cdf(k[below], n[below], level[below]) < _CLEAR
    return below


def limits(counts: Counts, redrawn: Array, level: Array) -> SideLimits:
    """The limits among the successes of redrawn curves.

    More successes are no less clearly above, so that weighing a few of hundreds of draws is enough to know of all.

    Args:
        counts: the curves, for their documents.
        redrawn: successes of R redrawn curves for each, (B, R, m).
        level: the level of each curve, (B,).
    """
    ordered, n = np.sort(redrawn, axis=1), counts.n
    reached = np.broadcast_to(level[:, None], n.shape)
    above = _first(ordered, lambda k: clearly_above(k, n, reached))
    not_below = _first(ordered, lambda k: ~clearly_below(k, n, reached))
    nowhere = np.full((len(n), 1, counts.sizes), np.inf)
    ends = np.concatenate([-nowhere, ordered, nowhere], axis=1)
    most, fewest = (np.take_along_axis(ends, at[:, None], axis=1)[:, 0] for at in (not_below, above + 1))
    return SideLimits(above=fewest, below=most)


def _first(ordered: Array, shows: Callable[[Array], Mask]) -> Index:
    """Place of the first of R ascending numbers that shows something, (B, m); R where none does.

    Args:
        ordered: the numbers, (B, R, m).
        shows: says of one number for each curve and size, (B, m), whether it does; if it does, all larger ones do.
    """
    curves, numbers, sizes = ordered.shape
    low, high = np.zeros((curves, sizes), dtype=int), np.full((curves, sizes), numbers)
    for _ in range(numbers.bit_length()):
        middle = (low + high) // 2
        shown = shows(np.take_along_axis(ordered, np.minimum(middle, numbers - 1)[:, None], axis=1)[:, 0])
        found = low == high
        low, high = np.where(shown | found, low, middle + 1), np.where(shown & ~found, middle, high)
    return low
