"""Many tests at once: p values corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.stats.arrays import Array


def benjamini_hochberg(p: Sequence[float | None]) -> tuple[float | None, ...]:
    """P values adjusted for their number (Benjamini and Hochberg 1995); None stays None and is not counted.

    An adjusted value is the smallest false-discovery rate at which the test would be called significant.

    >>> benjamini_hochberg([0.01, None, 0.04, 0.03])
    (0.03, None, 0.04, 0.04)
    """
    known = [value for value in p if value is not None]
    adjusted = iter(_adjusted(np.array(known)).tolist() if known else ())
    return tuple(None if value is None else next(adjusted) for value in p)


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """P values adjusted for their number by Holm's step-down procedure (1979), whatever the tests have in common.

    An adjusted value is the smallest probability of even one false call at which the test would be called significant.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    order = np.argsort(p)
    stepped = np.maximum.accumulate(np.asarray(p, dtype=float)[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return tuple(adjusted.tolist())


def _adjusted(p: Array) -> Array:
    order = np.argsort(p)
    ranked = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return adjusted
