"""From which scale on is an ability there, and how sure is that?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from harness.analysis.distributions import binom, chi2
from harness.analysis.fits import Counts, Fits, fit
from harness.analysis.forms import FORMS, Array, Form, Index, Mask
from harness.analysis.normalise import LUCKY_MATCHES

CANDIDATES = ("linear", "power", "error-power", "all-tokens", "logistic", "logistic-top", "hinge", "step")
"""Forms that may say where an ability sets in."""


_AT_CHANCE = 0.1
"""Share of the level's distance from chance below which a size counts as being at chance."""
_MOST = 0.5
"""Share of the whole rise that is made in one gap when a curve is called sudden there; and of the way to a level up to
which a measured size is not on its way."""
_CLEAR = 0.16
"""Chance of so many or more successes at the level, or so few, below which a size is clearly above or below it: about
one standard error, as far as points can lie from a curve before a reader asks why."""


class Onsets(NamedTuple):
    """Where each curve rises through a level; positions, (B,)."""

    at: Array
    """By the form that describes the curve best, whatever the points say; -inf below the smallest size, inf when the
    level is not reached."""
    low: Array
    """Lower end of the interval; -inf when it lies below the smallest size."""
    high: Array
    """Upper end of the interval; inf when it lies above the largest size."""
    form: tuple[str, ...]
    """The form behind `at`."""


def reliable(counts: Counts, alpha: float = 0.05) -> Mask:
    """Sizes above chance, (B, m): exact one-sided binomial p below alpha / m (Bonferroni over sizes)."""
    k, n = np.floor(counts.k + 1e-6), np.floor(counts.n + 1e-9)
    floor = np.maximum(counts.chance, LUCKY_MATCHES)[:, None]
    return np.asarray(binom.sf(np.minimum(k, n) - 1, n, floor) < alpha / counts.sizes)


def first_persistent(above: Mask) -> Index:
    """Index of the smallest size from which this and all larger sizes are above chance, (B,); m when there is none."""
    from_here = np.logical_and.accumulate(above[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.where(from_here.any(axis=1), from_here.argmax(axis=1), above.shape[1]))


def weights(fits: Sequence[Fits], sizes: int) -> Array:
    """Akaike weights of several forms, (forms, B): exp(-delta AICc / 2), normalised (Burnham and Anderson 2002)."""
    criteria = np.stack([f.aicc(sizes) for f in fits])
    share = np.exp(-(criteria - criteria.min(axis=0)) / 2)
    return np.asarray(share / share.sum(axis=0))


class Refits(NamedTuple):
    """Redrawn curves that one form was drawn for."""

    row: Index
    """Which curve each was redrawn from, (R',)."""
    column: Index
    """Which of its redrawn curves it is, (R',)."""
    counts: Counts
    """The redrawn curves."""
    fits: Fits
    """The form fitted to them."""


def refitted(
    fits: Sequence[Fits], share: Array, counts: Counts, redrawn: Array, rng: np.random.Generator
) -> Iterator[Refits]:
    """Every redrawn curve fitted by one form, drawn by its Akaike weight; form by form.

    The model-averaged bootstrap of Buckland, Burnham and Augustin 1997.

    Args:
        fits: the forms fitted to the curves.
        share: their weights, (forms, B).
        counts: the curves.
        redrawn: successes of redrawn curves, (B, R, m).
        rng: source of chance.
    """
    # One uniform number per replicate picks its form from the cumulated weights.
    drawn = (rng.random((1, *redrawn.shape[:2])) > np.cumsum(share, axis=0)[:-1, :, None]).sum(axis=0)
    for index, fitted in enumerate(fits):
        row, column = np.nonzero(drawn == index)
        if len(row):
            some = replace(counts.rows(row), k=redrawn[row, column])
            yield Refits(row, column, some, fit(fitted.form, some, start=fitted.theta[row]))


def onsets(
    counts: Counts,
    level: Array,
    redrawn: Array | None,
    rng: np.random.Generator,
    *,
    confidence: float = 0.95,
    forms: Sequence[str] = CANDIDATES,
    starts: Mapping[str, Array] | None = None,
) -> Onsets:
    """Where each curve rises through `level`, with an interval that knows how little the form is known.

    Every redrawn curve is fitted by one form, see `refitted`, its onset is kept to its points, see `bracketed`, and the
    interval is the percentile one. Between two sizes a sudden rise could lie anywhere: its onset is drawn evenly from
    the gap, so an ability that is absent at one size and mostly there at the next gets the whole gap as its interval
    and no invented precision.

    Args:
        counts: the curves.
        level: score to be reached, (B,), above chance.
        redrawn: successes of redrawn curves, (B, R, m); None leaves the intervals open.
        rng: source of chance.
        confidence: of the interval.
        forms: which may describe the curves; those with too many parameters for the sizes take no part.
        starts: parameters by form to refine, (B, p), as of the same shares of other documents; None searches.
    """
    able = [FORMS[name] for name in forms if counts.sizes - FORMS[name].p - 1 > 0]
    fits = [fit(form, counts, start=None if starts is None else starts[form.name]) for form in able]
    share = weights(fits, counts.sizes)
    best = share.argmax(axis=0)
    at = np.choose(best, [_onset(f, counts, level, None) for f in fits])
    names = tuple(able[i].name for i in best)
    if redrawn is None:
        return Onsets(at=at, low=np.full(len(counts), -np.inf), high=np.full(len(counts), np.inf), form=names)
    curves, draws = redrawn.shape[:2]
    found = np.empty((curves, draws))
    for again in refitted(fits, share, counts, redrawn, rng):
        some, reached = again.counts, level[again.row]
        found[again.row, again.column] = bracketed(_onset(again.fits, some, reached, rng), some, reached, rng)
    tail = (1 - confidence) / 2
    found.sort(axis=1)
    edges = np.array([tail, 1 - tail]) * (draws - 1)
    low, high = found[:, int(np.floor(edges[0]))], found[:, int(np.ceil(edges[1]))]
    return Onsets(at=at, low=low, high=high, form=names)


def bracketed(at: Array, counts: Counts, level: Array, rng: np.random.Generator | None = None) -> Array:
    """Positions of a level where no size contradicts them, (B,): after the last one clearly below, before those above.

    A form that fits best may still miss the sizes around the level. Where it does, the straight line between these two
    sizes says where; where one gap holds the rise, its middle, as in `onsets`. On the curves of `tests/calibration`
    this moves the estimate of one in fifteen, and these then lie a fifth nearer to the truth.

    Args:
        at: by the form, (B,); infinite outside the sizes.
        counts: the curves as measured.
        level: score to be reached, (B,), above chance.
        rng: source of chance for the place in a gap that holds the rise; None takes the middle.
    """
    rows, last, y = np.arange(len(counts)), counts.sizes - 1, counts.k / counts.n
    above = binom.sf(counts.k - 1, counts.n, level[:, None]) < _CLEAR
    below = binom.cdf(counts.k, counts.n, level[:, None]) < _CLEAR
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


def _onset(fits: Fits, counts: Counts, level: Array, rng: np.random.Generator | None) -> Array:
    """Position of the level on each curve.

    Where the curve is at chance at one size and has made half of its rise by the next, nothing says where between the
    two it rose: any place in the gap is as good, the middle without a source of chance.
    """
    x, rows = counts.x, np.arange(len(counts))
    at = fits.reaches(level)
    inside = np.where(at > x[:, -1], np.inf, at)
    gain = (fits.mean(x) - counts.chance[:, None]) / (level - counts.chance)[:, None]
    after = np.clip((x <= at[:, None]).sum(axis=1), 1, counts.sizes - 1)
    sudden = (gain[rows, after - 1] < _AT_CHANCE) & (gain[rows, after] >= _MOST * gain[:, -1]) & np.isfinite(inside)
    below, above = x[rows, after - 1], x[rows, after]
    place = 0.5 if rng is None else rng.random(len(x))
    return np.where(sudden, below + (above - below) * place, inside)


def profile(form: Form, parameter: str, values: Array, counts: Counts) -> Array:
    """Profile log-likelihood of one parameter of one curve, (len(values),): all others at their best.

    Args:
        form: the form.
        parameter: name of the parameter to hold.
        values: where to hold it.
        counts: one curve.
    """
    place = form.parameters.index(parameter)
    rows = np.zeros(len(values), dtype=int)
    held = []
    others = [form.grid[i] if i != place else (np.nan,) for i in range(form.p)]
    for point in np.stack(np.meshgrid(*others, indexing="ij"), axis=-1).reshape(-1, form.p):
        start = np.tile(point, (len(values), 1))
        start[:, place] = values
        held.append(fit(form, counts.rows(rows), start=start, fixed=(parameter,)).loglik)
    return np.asarray(np.max(held, axis=0))


def profile_interval(values: Array, loglik: Array, confidence: float = 0.95) -> tuple[float, float]:
    """Values whose profile log-likelihood is within chi2_1 / 2 of the best (1.92 at 95 %), ends interpolated.

    An end is -inf or inf when the profile is still that high at the edge of `values`.
    """
    drop = loglik - loglik.max() + chi2.ppf(confidence, 1) / 2
    inside = np.flatnonzero(drop >= 0)
    first, last = inside[0], inside[-1]
    low = -np.inf if first == 0 else float(np.interp(0.0, drop[first - 1 : first + 1], values[first - 1 : first + 1]))
    if last == len(values) - 1:
        return low, np.inf
    return low, float(np.interp(0.0, -drop[last : last + 2], values[last : last + 2]))
