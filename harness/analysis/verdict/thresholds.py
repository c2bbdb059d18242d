"""Where does a curve rise through a level, and how sure is that?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from harness.analysis.growth import CANDIDATES, FORMS, Counts, Fits, akaike_weights, first_persistent, fit, refitted
from harness.analysis.stats import Array
from harness.analysis.verdict.sides import Clear, clearly_above, clearly_below, limits

_AT_CHANCE = 0.1
"""A size counts as being at chance while its gain over chance is below this share of the level's."""
_MOST = 0.5
"""A rise is sudden when at least this share of it is made between two sizes, and the smaller of them has made less than
this share of the way from chance to the level."""


class Crossings(NamedTuple):
    """Where each of B curves rises through a level, as positions on the axis."""

    at: Array
    """By the form that describes the curve best, whatever the points say, (B,); -inf when the curve is above the level
    at the smallest size already, inf when it does not reach it."""
    low: Array
    """Lower end of the interval, (B,); -inf when it lies below the smallest size."""
    high: Array
    """Upper end of the interval, (B,); inf when it lies above the largest size."""
    form: tuple[str, ...]
    """Name of the form behind `at`, of each curve."""


def crossings(
    counts: Counts,
    levels: Sequence[Array],
    redrawn: Array | None,
    rng: np.random.Generator,
    *,
    confidence: float = 0.95,
    forms: Sequence[str] = CANDIDATES,
    starts: Mapping[str, Array] | None = None,
) -> list[Crossings]:
    """Where each curve rises through each of some levels, with intervals that cover not knowing the form of growth.

    Each redrawn curve is fitted with one form (see `refitted`), the place where it crosses the level is kept consistent
    with its points (see `bracketed`), and the interval is made of percentiles of these places. A sudden rise could lie
    anywhere between two sizes, so its place is drawn evenly from the gap: an ability that is absent at one size and
    mostly there at the next gets the whole gap as its interval, and no precision is invented.

    Args:
        counts: the curves.
        levels: scores to be reached, each (B,), above chance.
        redrawn: successes of R redrawn curves for each, (B, R, m); None leaves the intervals open.
        rng: source of chance.
        confidence: coverage of the interval.
        forms: names of the forms that may describe the curves; those with too many parameters for the number of sizes
            are left out.
        starts: for each form the parameters from which the fit starts, (B, p), such as those of a fit to the same
            scores with other numbers of documents; None searches for a start.
    """
    able = [FORMS[name] for name in forms if counts.sizes - FORMS[name].p - 1 > 0]
    fits = [fit(form, counts, start=None if starts is None else starts[form.name]) for form in able]
    share = akaike_weights(fits, counts.sizes)
    best = share.argmax(axis=0)
    names = tuple(able[i].name for i in best)
    drawn = [f.mean(counts.x) for f in fits]
    middles = [
        np.choose(best, [_crossing(f, y, counts, level, None) for f, y in zip(fits, drawn, strict=True)])
        for level in levels
    ]
    if redrawn is None:
        nowhere = np.full(len(counts), np.inf)
        return [Crossings(at=at, low=-nowhere, high=nowhere, form=names) for at in middles]
    curves, draws = redrawn.shape[:2]
    found = np.empty((len(levels), curves, draws))
    # Each level has a source of chance of its own, so that asking for another does not move the first.
    rngs = [rng, *rng.spawn(len(levels) - 1)]
    edges = [limits(counts, redrawn, level) for level in levels]
    for again in refitted(fits, share, counts, redrawn, rng):
        fitted = again.fits.mean(again.counts.x)
        for places, level, limit, chance in zip(found, levels, edges, rngs, strict=True):
            some, reached = again.counts, level[again.row]
            at = _crossing(again.fits, fitted, some, reached, chance)
            clear = Clear(above=some.k >= limit.above[again.row], below=some.k <= limit.below[again.row])
            places[again.row, again.column] = _between(at, some, reached, clear, chance)
    found.sort(axis=2)
    tail = (1 - confidence) / 2
    low, high = (int(end(share * (draws - 1))) for end, share in ((np.floor, tail), (np.ceil, 1 - tail)))
    return [
        Crossings(at=at, low=places[:, low], high=places[:, high], form=names)
        for at, places in zip(middles, found, strict=True)
    ]


def bracketed(at: Array, counts: Counts, level: Array, rng: np.random.Generator | None = None) -> Array:
    """Positions of a level where no size contradicts them, (B,): after the last one clearly below, before those above.

    A form that fits best may still miss the sizes around the level. Where it does, the straight line between these two
    sizes says where; where one gap holds the rise, its middle, as in `crossings`. On the curves of `tests/calibration`
    this moves the estimate of one in fifteen, and these then lie a fifth nearer to the truth.

    Args:
        at: where the form crosses the level, (B,); infinite outside the sizes.
        counts: the curves as measured.
        level: score to be reached, (B,), above chance.
        rng: source of chance for the place within a gap that holds the whole rise; None takes the middle.
    """
    reached = np.broadcast_to(level[:, None], counts.k.shape)
    clear = Clear(clearly_above(counts.k, counts.n, reached), clearly_below(counts.k, counts.n, reached))
    return _between(at, counts, level, clear, rng)


def _between(at: Array, counts: Counts, level: Array, clear: Clear, rng: np.random.Generator | None) -> Array:
    """As `bracketed`, where it is known which sizes are clearly above the level and clearly below it."""
    above, below = clear
    rows, last, y = np.arange(len(counts)), counts.sizes - 1, counts.k / counts.n
    after, before = first_persistent(above), last - below[:, ::-1].argmax(axis=1)
    begun, ended = below.any(axis=1), after <= last
    after = np.minimum(after, last)
    low, high = (
        np.where(known, counts.x[rows, size], end)
        for known, size, end in ((begun, before, -np.inf), (ended, after, np.inf))
    )
    absent, there = y[rows, before], y[rows, after]
    gap = begun & ended & (after == before + 1)
    on_its_way = absent - counts.chance >= _MOST * (level - counts.chance)
    sudden = gap & ~on_its_way & (there - counts.chance >= _MOST * (y[:, -1] - counts.chance))
    with np.errstate(invalid="ignore", divide="ignore"):
        place = 0.5 if rng is None else rng.random(len(y))
        share = np.where(sudden, place, (level - absent) / (there - absent))
        inner = np.where(begun & ended, low + (high - low) * share, np.clip(at, low, high))
    return np.where((low < at) & (at < high) & ~sudden, at, inner)


def _crossing(fits: Fits, fitted: Array, counts: Counts, level: Array, rng: np.random.Generator | None) -> Array:
    """Where each fitted curve, whose scores at all sizes are `fitted`, (B, m), crosses the level, (B,).

    When the curve is at chance at one size and has made half of its rise by the next, nothing says where between the
    two it rose: any place in the gap is as good, and without a source of chance the middle is taken.
    """
    x, rows = counts.x, np.arange(len(counts))
    at = fits.reaches(level)
    inside = np.where(at > x[:, -1], np.inf, at)
    gain = (fitted - counts.chance[:, None]) / (level - counts.chance)[:, None]
    after = np.clip((x <= at[:, None]).sum(axis=1), 1, counts.sizes - 1)
    sudden = (gain[rows, after - 1] < _AT_CHANCE) & (gain[rows, after] >= _MOST * gain[:, -1]) & np.isfinite(inside)
    below, above = x[rows, after - 1], x[rows, after]
    place = 0.5 if rng is None else rng.random(len(x))
    return np.where(sudden, below + (above - below) * place, inside)
