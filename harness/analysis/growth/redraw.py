"""Curves as they might have come out with other documents, other seeds and another training run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.analysis.growth.reruns import RUN_SD
from harness.analysis.growth.types import Counts
from harness.analysis.stats import Array


def redrawn_counts(counts: Counts, draws: int, rng: np.random.Generator) -> Array:
    """Successes as they might have come out, (B, draws, m), drawn for each size by itself.

    A fractional number of documents is rounded for the drawing, and the result is scaled back.
    """
    whole = np.maximum(np.rint(counts.n), 1)
    shares = counts.k / np.maximum(counts.n, 1e-300)
    drawn = rng.binomial(whole[:, None].astype(int), shares[:, None], size=(len(counts), draws, counts.sizes))
    return np.asarray(drawn * (counts.n / whole)[:, None])


def redrawn_scores(
    items: NDArray[np.float64], draws: int, rng: np.random.Generator, *, run_sd: float | Array = RUN_SD
) -> Array:
    """Scores as they might have come out, (draws, m), with the same documents for all sizes and new seeds for each.

    The bootstrap has two levels (Davison and Hinkley 1997, section 3.8). Documents are drawn with replacement, the same
    for all sizes, because all sizes answered the same documents. Then seeds are drawn with replacement. Few-shot seeds
    say nothing about another training run, so that noise of `run_sd`, scaled like that of a binomial, is added to each
    size.

    Args:
        items: scores in [0, 1], (m, seeds, documents).
        draws: number of redrawn curves.
        rng: source of randomness.
        run_sd: standard deviation between training runs at a score of one half; one for all sizes, or (m,).
    """
    sizes, seeds, documents = items.shape
    weights = rng.multinomial(documents, np.full(documents, 1 / documents), size=draws) / documents
    scores = np.einsum("msd,rd->rms", items, weights, optimize=True)
    chosen = rng.integers(seeds, size=(draws, sizes, seeds))
    y = np.take_along_axis(scores, chosen, axis=2).mean(axis=2)
    noise = rng.normal(size=y.shape) * 2 * run_sd * np.sqrt(np.clip(y * (1 - y), 0.0, None))
    return np.asarray(np.clip(y + noise, 0.0, 1.0))
