"""Three descriptive scores of a curve's shape: how much it improves, how suddenly, how evenly.

They describe a curve and test nothing. A flat noisy curve has a breakthroughness above 5 in one case out of fifteen, on
however many documents, and a smooth curve easily exceeds 10. Show it together with the linearity and a test.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness.analysis.stats import Array

SHOWN_UP_TO = 100.0
"""Breakthroughness at which figures end, because a single step has an infinite one."""
_ROUNDING = 1e-9
"""Steps smaller than this share of the range are rounding errors of equal scores."""


class Shape(NamedTuple):
    """Descriptive scores of B curves."""

    improvement: Array
    """I: range of the scores, negative when the largest score comes before the smallest, (B,)."""
    breakthroughness: Array
    """B: the range in units of the typical step; infinite when most steps are zero, (B,)."""
    linearity: Array
    """L: the range in units of the root mean square step, (B,)."""


def shape(y: Array) -> Shape:
    """Improvement, breakthroughness and linearity (Srivastava et al. 2022, BIG-bench, appendix B).

        I = sign(argmax y - argmin y) (max y - min y)
        B = I / sqrt(median step²),   L = I / sqrt(mean step²),   step_i = y_{i+1} - y_i

    B is the emergence score of Schaeffer et al. 2023. With m sizes an exactly linear curve has B = L = m - 1, and a
    single step has L = sqrt(m - 1) and an infinite B. A step therefore shows in an L near sqrt(m - 1) and not in B
    alone. Of equal scores the one of the smaller size counts. B is 0 where nothing changes.

    Args:
        y: scores, shape (B, m), ascending with scale along m; for a loss, its negative.

    >>> found = shape(np.array([[0.0, 0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.0, 0.0, 0.4]]))
    >>> found.breakthroughness.round(6).tolist(), found.linearity.round(6).tolist()
    ([4.0, inf], [4.0, 2.0])
    """
    reach = y.max(axis=1) - y.min(axis=1)
    improvement = np.sign(y.argmax(axis=1) - y.argmin(axis=1)) * reach
    steps = np.diff(y, axis=1)
    if not steps.size:
        return Shape(improvement, np.zeros_like(reach), np.zeros_like(reach))
    steps = np.where(np.abs(steps) <= _ROUNDING * reach[:, None], 0.0, steps)
    return Shape(
        improvement=improvement,
        breakthroughness=_in_steps(improvement, np.median(steps**2, axis=1)),
        linearity=_in_steps(improvement, np.mean(steps**2, axis=1)),
    )


def _in_steps(improvement: Array, squared_step: Array) -> Array:
    """The range divided by the typical step: infinite for a step of 0, and 0 where there is no improvement."""
    step = np.sqrt(squared_step)
    endless = np.where(improvement == 0, 0.0, np.copysign(np.inf, improvement))
    return np.divide(improvement, step, out=endless, where=step > 0)
