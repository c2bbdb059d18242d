"""At which sizes is an ability there? The sizes above chance, and the first from which all larger ones are."""

from __future__ import annotations

import numpy as np

from harness.analysis.growth.types import Counts
from harness.analysis.stats import LUCKY_MATCHES, Index, Mask
from harness.analysis.stats.distributions import binom


def sizes_above_chance(counts: Counts, alpha: float = 0.05) -> Mask:
    """Sizes that are above chance, (B, m), by an exact one-sided binomial p below alpha / m (Bonferroni)."""
    k, n = np.floor(counts.k + 1e-6), np.floor(counts.n + 1e-9)
    floor = np.maximum(counts.chance, LUCKY_MATCHES)[:, None]
    return np.asarray(binom.sf(np.minimum(k, n) - 1, n, floor) < alpha / counts.sizes)


def first_persistent(above: Mask) -> Index:
    """Index of the size from which on all sizes are above chance, (B,); m when the largest size is not."""
    from_here = np.logical_and.accumulate(above[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.where(from_here.any(axis=1), from_here.argmax(axis=1), above.shape[1]))
