"""How much each growth form counts for a curve, and forms fitted again to redrawn curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness.analysis.growth.fitting import fit
from harness.analysis.growth.types import Counts, Fits, Refits
from harness.analysis.stats import Array

CANDIDATES = ("linear", "power", "error-power", "all-tokens", "logistic", "logistic-top", "hinge", "step")
"""Forms that may say from which scale on an ability is there."""
_NEAR = 1e-3
"""A redrawn curve is fitted until a step promises less gain in log-likelihood than this. That moves a parameter by less
than a twentieth of its standard error; chance moves it by a whole one from draw to draw."""


def akaike_weights(fits: Sequence[Fits], sizes: int) -> Array:
    """Akaike weights of several forms, (forms, B): exp(-delta AICc / 2), normalised (Burnham and Anderson 2002)."""
    criteria = np.stack([f.aicc(sizes) for f in fits])
    share = np.exp(-(criteria - criteria.min(axis=0)) / 2)
    return np.asarray(share / share.sum(axis=0))


def refitted(
    fits: Sequence[Fits], share: Array, counts: Counts, redrawn: Array, rng: np.random.Generator
) -> Iterator[Refits]:
    """One form fitted to every redrawn curve; which form is decided at random, by the Akaike weights.

    This is the model-averaged bootstrap of Buckland, Burnham and Augustin 1997. Each step of the iterator gives the
    redrawn curves of one form.

    Args:
        fits: each form fitted to all curves.
        share: Akaike weights of the forms, (forms, B).
        counts: the curves.
        redrawn: successes of R redrawn curves for each curve, (B, R, m).
        rng: source of randomness.
    """
    # One uniform number for each redrawn curve picks its form from the cumulated weights.
    drawn = (rng.random((1, *redrawn.shape[:2])) > np.cumsum(share, axis=0)[:-1, :, None]).sum(axis=0)
    for index, fitted in enumerate(fits):
        row, column = np.nonzero(drawn == index)
        if len(row):
            some = replace(counts.rows(row), k=redrawn[row, column])
            again = fit(fitted.form, some, start=fitted.theta[row], coefficients=False, promise=_NEAR)
            yield Refits(row, column, some, again)
