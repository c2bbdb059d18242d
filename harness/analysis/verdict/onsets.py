"""From which scale on each rising ability is there, with an interval as wide as the curve scatters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.analysis.curves import Curve, Scale, scale_value
from harness.analysis.growth import (
    CANDIDATES,
    FEWEST_TO_EXTRAPOLATE,
    Counts,
    Fits,
    documents_of,
    redrawn_counts,
    redrawn_scores,
    stacked,
)
from harness.analysis.stats import Array
from harness.analysis.stats.distributions import norm
from harness.analysis.stats.distributions import t as student
from harness.analysis.verdict.batches import Each, Member, in_batches
from harness.analysis.verdict.thresholds import Crossings, bracketed, crossings
from harness.analysis.verdict.types import NOT_ABOVE_CHANCE, CurveTests, Decision, Label, Onset

_MOST_WIDENED = 3.0
"""Largest factor by which a dispersion known from few sizes is enlarged."""
_LEAST_RISE = 0.001
"""Half of a rise is at least this far above chance, as a share of the best score."""
_RISING: frozenset[Label] = frozenset({"emergent", "metric-artefact", "smooth"})


def onsets(
    members: Sequence[Member],
    decisions: Sequence[Decision],
    draws: int,
    rng: np.random.Generator,
    each: Each,
) -> list[Onset | None]:
    """Where each rising ability passes chance by the practical effect; None for one that does not rise.

    Args:
        members: the curves.
        decisions: what they show.
        draws: how many redrawn curves stand behind each interval; 0 leaves the intervals open.
        rng: source of chance for the redrawing.
        each: looks for the places of each batch.
    """
    # A form with two parameters needs four sizes to be weighed against another.
    rising = [
        place
        for place, (one, said) in enumerate(zip(members, decisions, strict=True))
        if said.label in _RISING and one.tests.counts is not None and len(one.curve.points) >= FEWEST_TO_EXTRAPOLATE
    ]
    batches = [places for _, places in in_batches(rising, [len(members[place].curve.points) for place in rising])]
    # The first batch has the source itself, so that what others are judged beside a few curves does not move theirs.
    rngs = [rng, *(rng.spawn(len(batches) - 1) if len(batches) > 1 else [])]
    asked = [_asked([members[p] for p in places], draws, own) for places, own in zip(batches, rngs, strict=False)]
    found: list[Onset | None] = [None] * len(members)
    for places, of_batch in zip(batches, each(_crossed, asked), strict=True):
        foot, half = of_batch
        for index, place in enumerate(places):
            below = NOT_ABOVE_CHANCE in (decisions[place].qualifier or "").split()
            scale = members[place].curve.scale
            onset = Onset(*_places(foot, index, scale), foot.form[index], *_places(half, index, scale))
            # what is not shown to pass chance at any size passes no level above it anywhere
            found[place] = onset._replace(at=None, low=None, high=None) if below else onset
    return found


def _asked(members: Sequence[Member], draws: int, rng: np.random.Generator) -> tuple[Any, ...]:
    """The arguments of `_crossed` for curves of equally many sizes."""
    counts = stacked([one for member in members if (one := member.counts)])
    level = counts.chance + np.array([one.tests.effect[one.index] for one in members])
    spread = np.array([[_spread(one.tests.dispersion[one.index], one.tests.freedom[one.index])] for one in members])
    fits = _fits(members)
    levels = (level, _halfway(counts, fits.values()))
    starts = {name: of_form.theta for name, of_form in fits.items()}
    return counts, spread, levels, starts, [_documents(member.curve) for member in members], draws, rng


def _crossed(
    counts: Counts,
    spread: Array,
    levels: Sequence[Array],
    starts: Mapping[str, Array],
    documents: Sequence[tuple[Array, Array] | None],
    draws: int,
    rng: np.random.Generator,
) -> list[Crossings]:
    """Where curves of equally many sizes rise through each of some levels.

    Args:
        counts: the curves.
        spread: how much wider than binomial to redraw each, (B, 1).
        levels: scores to be reached, each (B,).
        starts: for each form the parameters from which its fit starts, (B, p).
        documents: what `_documents` knows of each curve.
        draws: how many redrawn curves stand behind each interval.
        rng: source of chance for the redrawing.
    """
    wary = Counts(x=counts.x, k=counts.k / spread, n=counts.n / spread, chance=counts.chance)
    redrawn = _redrawn(documents, wary, draws, rng) if draws else None
    found = crossings(wary, levels, redrawn, rng, starts=starts)
    return [_with_points(crossed, counts, reached) for crossed, reached in zip(found, levels, strict=True)]


def _fits(members: Sequence[Member]) -> dict[str, Fits]:
    """Each form as it was fitted to the curves, which may be of several batches of tests."""
    first, batches = dict[int, int](), list[CurveTests]()
    for one in members:
        if id(one.tests) not in first:
            first[id(one.tests)] = sum(len(tests.unit) for tests in batches)
            batches.append(one.tests)
    chosen = [first[id(one.tests)] + one.index for one in members]
    return {name: Fits.joined([tests.fits[name] for tests in batches]).rows(chosen) for name in batches[0].fits}


def _halfway(counts: Counts, fits: Iterable[Fits]) -> Array:
    """The score halfway from the floor to the largest size, by the form that describes each curve best, (B,).

    The floor is chance, or the score of the smallest size where that is higher.
    """
    able = [of_form for of_form in fits if of_form.form.name in CANDIDATES]
    best = np.stack([of_form.aicc(counts.sizes) for of_form in able]).argmin(axis=0)
    ends = np.stack([of_form.mean(of_form.ends) for of_form in able])[best, np.arange(len(counts))]
    floor = np.maximum(counts.chance, ends[:, 0])
    # A curve that ends below its floor is not called rising; the level must be above chance all the same.
    return np.asarray(np.maximum(floor + (ends[:, 1] - floor) / 2, counts.chance + _LEAST_RISE))


def _with_points(crossed: Crossings, counts: Counts, level: Array) -> Crossings:
    """The crossings, kept between the sizes that say where they are, with the middles within their intervals."""
    middles = bracketed(crossed.at, counts, level)
    return crossed._replace(at=middles, low=np.minimum(crossed.low, middles), high=np.maximum(crossed.high, middles))


def _places(crossed: Crossings, index: int, scale: Scale) -> tuple[float | None, float | None, float | None]:
    """One of the crossings with both ends of its interval, in the unit of its axis; None outside the sizes."""
    at, low, high = (
        scale_value(scale, end[index]) if math.isfinite(end[index]) else None
        for end in (crossed.at, crossed.low, crossed.high)
    )
    # On a loss the smaller end is that of the larger models.
    return (at, high, low) if scale == "loss" else (at, low, high)


def _spread(dispersion: float, freedom: int) -> float:
    """How much wider than binomial to redraw: the dispersion seen, and more the fewer sizes it was seen in.

    A dispersion from few degrees of freedom is as uncertain as a variance is, for which an interval takes the t
    quantile instead of the normal one; the factor is bounded, because with one degree nothing would be left.
    """
    if dispersion <= 1.0:
        return 1.0
    return float(dispersion * min((student.ppf(0.975, freedom) / norm.ppf(0.975)) ** 2, _MOST_WIDENED))


def _documents(curve: Curve) -> tuple[Array, Array] | None:
    """Scores of single documents as shares of the best, and how many documents they are worth at each size, (m,)."""
    best = curve.metric.best
    if curve.items is None or not best or curve.items.min() < 0 or curve.items.max() > best:
        return None
    return curve.items / best, documents_of([curve])[0]


def _redrawn(
    documents: Sequence[tuple[Array, Array] | None], counts: Counts, draws: int, rng: np.random.Generator
) -> Array:
    """Successes of redrawn curves: drawn from documents and seeds where these are known, otherwise from the counts.

    Either way they scatter as widely as the (discounted) counts do, because what documents alone do not explain is
    noise between runs.
    """
    drawn = redrawn_counts(counts, draws, rng)
    for index, known in enumerate(documents):
        if known is not None:
            scores, worth = known
            run_sd = 0.5 * np.sqrt(np.maximum(1 / counts.n[index] - 1 / worth, 0.0))
            drawn[index] = redrawn_scores(scores, draws, rng, run_sd=run_sd) * counts.n[index]
    return drawn
