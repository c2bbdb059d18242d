"""Growth forms weighed against one another, and refitted to redrawn curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness.analysis.growth.fitting import fit
from harness.analysis.growth.types import Counts, Fits, Refits
from harness.analysis.stats import Array

CANDIDATES = ("linear", "power", "error-power", "all-tokens", "logistic", "logistic-top", "hinge", "step")
"""Forms that may say where an ability sets in."""


def akaike_weights(fits: Sequence[Fits], sizes: int) -> Array:
    """Akaike weights of several forms, (forms, B): exp(-delta AICc / 2), normalised (Burnham and Anderson 2002)."""
    criteria = np.stack([f.aicc(sizes) for f in fits])
    share = np.exp(-(criteria - criteria.min(axis=0)) / 2)
    return np.asarray(share / share.sum(axis=0))


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
