"""From which scale on each rising ability is there, with an interval as wide as the curve scatters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.analysis.curves import Curve, Scale, scale_value
from harness.analysis.growth import (
    CANDIDATES,
    FEWEST_TO_EXTRAPOLATE,
    Counts,
    documents_of,
    redrawn_counts,
    redrawn_scores,
    stacked,
)
from harness.analysis.stats import Array
from harness.analysis.stats.distributions import norm
from harness.analysis.stats.distributions import t as student
from harness.analysis.verdict.batches import Member
from harness.analysis.verdict.thresholds import Crossings, bracketed, crossings
from harness.analysis.verdict.types import NOT_ABOVE_CHANCE, Decision, Label, Onset

_MOST_WIDENED = 3.0
"""Largest factor by which a dispersion known from few sizes is enlarged."""
_LEAST_RISE = 0.001
"""Half of a rise is at least this far above chance, as a share of the best score."""
_RISING: frozenset[Label] = frozenset({"emergent", "metric-artefact", "smooth"})


def onsets(
    members: Sequence[Member], decisions: Sequence[Decision], draws: int, rng: np.random.Generator
) -> list[Onset | None]:
    """Where each rising ability passes chance by the practical effect; None for one that does not rise.

    Args:
        members: the curves.
        decisions: what they show.
        draws: how many redrawn curves stand behind each interval; 0 leaves the intervals open.
        rng: source of chance for the redrawing.
    """
    found: list[Onset | None] = [None] * len(members)
    batches: dict[int, list[int]] = {}
    for place, (one, said) in enumerate(zip(members, decisions, strict=True)):
        # A form with two parameters needs four sizes to be weighed against another.
        if said.label in _RISING and one.tests.counts is not None and len(one.curve.points) >= FEWEST_TO_EXTRAPOLATE:
            batches.setdefault(len(one.curve.points), []).append(place)
    for places in batches.values():
        for place, onset in zip(places, _onsets([members[place] for place in places], draws, rng), strict=True):
            below = NOT_ABOVE_CHANCE in (decisions[place].qualifier or "").split()
            # what is not shown to pass chance at any size passes no level above it anywhere
            found[place] = onset._replace(at=None, low=None, high=None) if below else onset
    return found


def _onsets(members: Sequence[Member], draws: int, rng: np.random.Generator) -> list[Onset]:
    """Onsets of curves of equally many sizes."""
    counts = stacked([one for member in members if (one := member.counts)])
    level = counts.chance + np.array([one.tests.effect[one.index] for one in members])
    spread = np.array([[_spread(one.tests.dispersion[one.index], one.tests.freedom[one.index])] for one in members])
    wary = Counts(x=counts.x, k=counts.k / spread, n=counts.n / spread, chance=counts.chance)
    redrawn = _redrawn([one.curve for one in members], wary, draws, rng) if draws else None
    starts = {
        name: np.stack([one.tests.fits[name].theta[one.index] for one in members]) for name in members[0].tests.fits
    }
    levels = (level, np.array([_halfway(one) for one in members]))
    found = crossings(wary, levels, redrawn, rng, starts=starts)
    foot, half = (_with_points(crossed, counts, reached) for crossed, reached in zip(found, levels, strict=True))
    return [
        Onset(*_places(foot, index, one.curve.scale), foot.form[index], *_places(half, index, one.curve.scale))
        for index, one in enumerate(members)
    ]


def _halfway(one: Member) -> float:
    """The score halfway from the floor to the largest size, by the form that describes the curve best.

    The floor is chance, or the score of the smallest size where that is higher.
    """
    counts = one.counts
    assert counts is not None
    able = [fits for name, fits in one.tests.fits.items() if name in CANDIDATES]
    best = min(able, key=lambda fits: float(fits.aicc(counts.sizes)[one.index])).rows([one.index])
    smallest, largest = best.mean(best.ends)[0]
    floor = max(float(counts.chance[0]), float(smallest))
    # A curve that ends below its floor is not called rising; the level must be above chance all the same.
    return max(floor + (float(largest) - floor) / 2, float(counts.chance[0]) + _LEAST_RISE)


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


def _redrawn(curves: Sequence[Curve], counts: Counts, draws: int, rng: np.random.Generator) -> Array:
    """Successes of redrawn curves: drawn from documents and seeds where these are known, otherwise from the counts.

    Either way they scatter as widely as the (discounted) counts do, because what documents alone do not explain is
    noise between runs.
    """
    drawn = redrawn_counts(counts, draws, rng)
    for index, curve in enumerate(curves):
        best = curve.metric.best
        if curve.items is not None and best and curve.items.min() >= 0 and curve.items.max() <= best:
            of_documents = 1 / documents_of([curve])[0]
            run_sd = 0.5 * np.sqrt(np.maximum(1 / counts.n[index] - of_documents, 0.0))
            drawn[index] = redrawn_scores(curve.items / best, draws, rng, run_sd=run_sd) * counts.n[index]
    return drawn
