"""How much training runs of one size differ: one variance, pooled over all sizes of a curve that have several runs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from harness.analysis.stats.conventions import ALPHA, CONFIDENCE
from harness.analysis.stats.distributions import chi2, norm
from harness.analysis.stats.distributions import t as student
from harness.analysis.stats.estimates import confidence_interval, normal_interval, wilson
from harness.analysis.stats.types import Estimate, Interval

_FEWEST_FREEDOM = 2.5
"""With fewer degrees of freedom an estimate may be near 0 by chance, and does not stand alone: about 3 are enough."""
_MOST_WIDENED = 3.0
"""Largest factor by which a variance known from few runs is enlarged."""


class RunNoise(NamedTuple):
    """The noise between training runs of one size, from sizes with several runs.

    Scores from 0 to a best one vary less near the ends, as a binomial does: the variance at a score of y best is
    4 y (1 - y) times that at one half. Of other scores it is the same everywhere.
    """

    between: float
    """Variance of the scores of the runs of one size, at a score of one half, in units of the score squared."""
    documents: float
    """Part of `between` that documents would make if each run had answered documents of its own."""
    freedom: float
    """Degrees of freedom of `between` (Satterthwaite 1946)."""
    best: float | None
    """Best score, at which runs no longer differ; None for a score without ends."""

    @property
    def sd(self) -> float:
        """Standard deviation between runs beyond what documents make, at a score of one half."""
        return math.sqrt(max(self.between - self.documents, 0.0))

    @property
    def known(self) -> bool:
        """True when the runs are enough for the estimate to stand alone."""
        return self.freedom >= _FEWEST_FREEDOM

    @property
    def shows(self) -> bool:
        """True when runs differ significantly by more than documents of their own would make them (chi-squared)."""
        if self.documents == 0.0:
            return self.between > 0.0
        return bool(chi2.sf(self.freedom * self.between / self.documents, self.freedom) < ALPHA)

    @property
    def wary_sd(self) -> float:
        """`sd` as tests and intervals use it: larger, the fewer degrees of freedom there are.

        See `widened`.
        """
        return math.sqrt(max(widened(self.freedom) * self.between - self.documents, 0.0))

    def share(self, value: float) -> float:
        """The variance at a score as a share of that at one half."""
        return _share(value, self.best)


def widened(freedom: float) -> float:
    """The factor by which a variance from so many degrees of freedom is enlarged, because it is uncertain itself.

    An interval takes the t quantile instead of the normal one for this; the factor is the square of their ratio. It is
    bounded, because with one degree of freedom nothing would be left.

    >>> round(widened(5), 2), round(widened(21), 2), widened(1)
    (1.72, 1.13, 3.0)
    """
    sure = (1 + CONFIDENCE) / 2
    return min(float(student.ppf(sure, freedom) / norm.ppf(sure)) ** 2, _MOST_WIDENED)


def run_noise(
    sizes: Sequence[Sequence[Estimate]], best: float | None, trainings: Sequence[Hashable] | None = None
) -> RunNoise | None:
    """The noise between training runs, pooled over sizes; None when no size has several runs that could differ.

    With v = 4 y (1 - y), R_i runs at size i and w_i = (R_i - 1) v_i,

        between = sum of squares within sizes / sum w_i
        freedom = (sum w_i)² / sum w_i² / (R_i - 1)

    Checkpoints of the same runs are no new runs: one that is good early may be good all the way. They add nothing to
    the freedom of their runs, so that the w_i of one training are summed before they are squared.

    Runs that answer the same documents have good and bad luck with them together, and then `documents` is more than
    documents added to `between`: `sd` is a lower estimate. It is never too small for the scatter of points, because
    every point keeps the variance of the documents whole, however many runs it is a mean of.

    Args:
        sizes: the score of every run of each size.
        best: best score of a metric whose scores run from 0 to it; None for any other metric.
        trainings: what is the same for sizes that are checkpoints of the same runs; None when none are.

    >>> runs = [[Estimate(y, 0.01, 2500, 1, True) for y in pair] for pair in ((0.45, 0.55), (0.52, 0.48))]
    >>> found = run_noise(runs, 1.0)
    >>> round(found.between**0.5, 3), round(found.sd, 3), round(found.freedom, 3)
    (0.054, 0.053, 2.0)
    >>> round(run_noise(runs, 1.0, ["7b", "7b"]).freedom, 3)
    1.0
    """
    squares = documents = 0.0
    weights: dict[Hashable, float] = {}
    most: dict[Hashable, int] = {}
    for place, runs in enumerate(sizes):
        mean, free = sum(run.value for run in runs) / len(runs), len(runs) - 1
        share = _share(mean, best)
        squares += sum((run.value - mean) ** 2 for run in runs)
        documents += free * sum((run.stderr or 0.0) ** 2 for run in runs) / len(runs)
        training = place if trainings is None else trainings[place]
        weights[training] = weights.get(training, 0.0) + free * share
        most[training] = max(most.get(training, 0), free)
    weight = sum(weights.values())
    if weight <= 0.0:
        return None
    squared = sum(weights[training] ** 2 / free for training, free in most.items() if free)
    return RunNoise(squares / weight, documents / weight, weight**2 / squared, best)


def interval_over_runs(of: Estimate, noise: RunNoise | None, runs: int) -> Interval:
    """The interval of a mean over training runs: as `confidence_interval`, with the noise between runs added.

    Args:
        of: the mean, with the error that documents leave.
        noise: the noise between runs; None adds nothing.
        runs: how many runs the mean is of.
    """
    if noise is None:
        return confidence_interval(of)
    at_half = noise.wary_sd**2 / runs
    if of.proportion:
        return wilson(of.value, 1 / (1 / of.n_effective + 4 * at_half))
    stderr = None if of.stderr is None else math.sqrt(of.stderr**2 + at_half * noise.share(of.value))
    return normal_interval(of.value, stderr)


def _share(value: float, best: float | None) -> float:
    if best is None:
        return 1.0
    y = min(max(value / best, 0.0), 1.0)
    return 4 * y * (1 - y)
