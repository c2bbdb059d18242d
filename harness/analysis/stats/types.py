"""Arrays, intervals, estimates and trends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


Mask = NDArray[np.bool_]


Index = NDArray[np.intp]


CONFIDENCE = 0.95
"""Of every interval shown."""
FEWEST_SIZES_FOR_A_TREND = 3
"""Sizes below which a trend cannot be told from a difference between two models."""


class Interval(NamedTuple):
    """A two-sided confidence interval; both ends None when the spread is unknown (one document)."""

    low: float | None
    high: float | None


class Estimate(NamedTuple):
    """A score with its uncertainty, over all few-shot seeds of one cell."""

    value: float
    """Mean over seeds of the mean over documents."""
    stderr: float | None
    """Standard error of `value`; None when it is unknown (one document)."""
    n: int
    """Documents; repeated seeds ask the same documents and add none."""
    seeds: int
    """Few-shot seeds averaged."""
    proportion: bool
    """True when each document scored 0 or 1, so that binomial formulas hold."""

    @property
    def n_effective(self) -> float:
        """Documents an ordinary proportion of this standard error would rest on; at most `n`.

        The design-effect correction of survey statistics (Korn and Graubard 1998): variation between seeds
        costs documents. Equal to `n` for one seed.
        """
        if self.seeds == 1 or not self.stderr:
            return float(self.n)
        return min(float(self.n), 1 + self.value * (1 - self.value) / self.stderr**2)


class Repeated(NamedTuple):
    """A score from several sampled answers to every document."""

    value: float
    """Mean over documents of the mean over answers."""
    stderr: float | None
    """Standard error of `value`; None with one document."""
    between: float | None
    """Variance over documents of the expected score, at least 0; None when it cannot be told from `within`."""
    within: float | None
    """Variance of a single answer about its document's expected score, mean over documents; None with one answer."""
    n: int
    """Documents."""
    samples: int
    """Answers to each document."""


class Trend(NamedTuple):
    """A linear trend over scale."""

    z: float
    """Signed test statistic, positive when the score rises."""
    p: float
    """Two-sided p of "no trend"."""
    fitted_range: float
    """Rise of the weighted straight line from the smallest to the largest scale, in units of the score."""
    fitted_range_stderr: float
    """Standard error of `fitted_range`, from the spread of documents."""


class Trends(NamedTuple):
    """The same of B curves, (B,) each; NaN where there is nothing to test."""

    z: NDArray[np.float64]
    """Signed test statistics."""
    p: NDArray[np.float64]
    """Their two-sided p."""
    fitted_range: NDArray[np.float64]
    """Rise of each straight line over its scales."""
    fitted_range_stderr: NDArray[np.float64]
    """Standard error of that."""
