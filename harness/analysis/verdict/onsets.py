"""From which scale on each rising ability is there, with an interval as wide as the curve scatters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.analysis.curves import Curve, scale_value
from harness.analysis.growth import FEWEST_TO_EXTRAPOLATE, Counts, counts_of, redrawn_counts, redrawn_scores, stacked
from harness.analysis.stats import Array
from harness.analysis.stats.distributions import norm
from harness.analysis.stats.distributions import t as student
from harness.analysis.verdict.batches import Case
from harness.analysis.verdict.thresholds import bracketed, onsets
from harness.analysis.verdict.types import Answer, Label, Place

_MOST_WIDENED = 3.0
"""Largest factor for a dispersion known from few sizes."""
_RISING: frozenset[Label] = frozenset({"emergent", "metric-artefact", "smooth"})


def places(
    cases: Sequence[Case], answers: Sequence[Answer], draws: int, rng: np.random.Generator
) -> list[Place | None]:
    """Where each rising ability passes chance by the practical effect; None for one that does not rise.

    Args:
        cases: the curves.
        answers: what they show.
        draws: redrawn curves behind each interval; 0 gives none.
        rng: of the redrawing.
    """
    found: list[Place | None] = [None] * len(cases)
    batches: dict[int, list[int]] = {}
    for at, (case, said) in enumerate(zip(cases, answers, strict=True)):
        # A form with two parameters needs four sizes to be weighed against another.
        if said.label in _RISING and case.of.counts is not None and len(case.curve.points) >= FEWEST_TO_EXTRAPOLATE:
            batches.setdefault(len(case.curve.points), []).append(at)
    for members in batches.values():
        counts = stacked([c for at in members if (c := cases[at].counts)])
        effect = np.array([cases[at].of.effect[cases[at].row] for at in members])
        batch = [(cases[at].of, cases[at].row) for at in members]
        spread = np.array([[_spread(of.dispersion[row], of.freedom[row])] for of, row in batch])
        wary = Counts(x=counts.x, k=counts.k / spread, n=counts.n / spread, chance=counts.chance)
        redrawn = _redrawn([cases[at].curve for at in members], wary, draws, rng) if draws else None
        starts = {name: np.stack([of.fits[name].theta[row] for of, row in batch]) for name in batch[0][0].fits}
        onset = onsets(wary, counts.chance + effect, redrawn, rng, starts=starts)
        middles = bracketed(onset.at, counts, counts.chance + effect)
        lows, highs = np.minimum(onset.low, middles), np.maximum(onset.high, middles)
        for row, at in enumerate(members):
            scale = cases[at].curve.scale
            # On a loss the smaller end is that of the larger models.
            ends = (highs[row], lows[row]) if scale == "loss" else (lows[row], highs[row])
            middle, low, high = (scale_value(scale, v) if math.isfinite(v) else None for v in (middles[row], *ends))
            found[at] = Place(middle, low, high, onset.form[row])
    return found


def _spread(dispersion: float, freedom: int) -> float:
    """How much wider than binomial to redraw: the dispersion seen, and more the fewer sizes it was seen in.

    A dispersion from few degrees of freedom is as uncertain as a variance is, for which an interval takes the t
    quantile instead of the normal one; the factor is bounded, because with one degree nothing would be left.
    """
    if dispersion <= 1.0:
        return 1.0
    return float(dispersion * min((student.ppf(0.975, freedom) / norm.ppf(0.975)) ** 2, _MOST_WIDENED))


def _redrawn(curves: Sequence[Curve], counts: Counts, draws: int, rng: np.random.Generator) -> Array:
    """Redrawn successes: over documents and seeds where they are known, else from the counts.

    Either way as wide as the (discounted) counts: what documents alone do not explain is noise between runs.
    """
    drawn = redrawn_counts(counts, draws, rng)
    for row, curve in enumerate(curves):
        best = curve.metric.best
        if curve.items is not None and best and curve.items.min() >= 0 and curve.items.max() <= best:
            of_documents = 1 / counts_of([curve], run_sd=0.0).n[0]
            run_sd = 0.5 * np.sqrt(np.maximum(1 / counts.n[row] - of_documents, 0.0))
            drawn[row] = redrawn_scores(curve.items / best, draws, rng, run_sd=run_sd) * counts.n[row]
    return drawn
