"""Intervals, estimates, differences, resolutions and trends. Loads nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from harness.analysis.stats.arrays import Array


class Interval(NamedTuple):
    """A two-sided confidence interval."""

    low: float | None
    """Lower end; None when the spread is unknown (one document)."""
    high: float | None
    """Upper end; None when the spread is unknown (one document)."""


class Estimate(NamedTuple):
    """A score with its uncertainty, over all few-shot seeds of one cell."""

    value: float
    """Mean over seeds of the mean over documents."""
    stderr: float | None
    """Standard error of `value`; None when it is unknown (one document)."""
    n: int
    """Number of documents; several seeds ask the same documents and do not add to it."""
    seeds: int
    """Number of few-shot seeds."""
    proportion: bool
    """True when each document scored 0 or 1, so that binomial formulas hold."""

    @property
    def n_known(self) -> int | None:
        """Number of documents; None where a table gives a standard error alone, which one document cannot have."""
        return None if self.n == 1 and self.stderr else self.n

    @property
    def n_effective(self) -> float:
        """How many documents a simple proportion with this standard error would have; at most `n`.

        This is the design-effect correction of survey statistics (Korn and Graubard 1998): the more a score varies
        between seeds, the fewer documents it is worth. Equal to `n` for one seed.
        """
        if self.seeds == 1 or not self.stderr:
            return float(self.n)
        return min(float(self.n), 1 + self.value * (1 - self.value) / self.stderr**2)


class RepeatedScore(NamedTuple):
    """A score from several sampled answers to every document."""

    value: float
    """Mean over documents of the mean over answers."""
    stderr: float | None
    """Standard error of `value`; None with one document."""
    between: float | None
    """Variance over documents of the expected score, at least 0; None when it cannot be separated from `within`."""
    within: float | None
    """Variance of a single answer about its document's expected score, mean over documents; None with one answer."""
    n: int
    """Documents."""
    samples: int
    """Number of answers to each document."""


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
    """Linear trends of B curves; NaN where there is nothing to test."""

    z: Array
    """Signed test statistics, positive when the score rises, (B,)."""
    p: Array
    """Two-sided p of "no trend", (B,)."""
    fitted_range: Array
    """Rise of each straight line from the smallest to the largest scale, (B,)."""
    fitted_range_stderr: Array
    """Standard error of `fitted_range`, (B,)."""


class Difference(NamedTuple):
    """What one model or setting scores above another on the documents both answered."""

    value: float
    """Mean of the first minus mean of the second, in units of the score."""
    stderr: float | None
    """Standard error of `value` over documents; None when it is unknown (one document or one cluster)."""
    correlation: float | None
    """Correlation of the two scores over documents; None when one of them does not vary."""
    z: float | None
    """`value` divided by `stderr`; None when that does not exist."""
    p: float | None
    """Two-sided p of "no difference" by the normal distribution; None without `z`. With few documents use `p_exact`."""
    p_exact: float | None
    """Two-sided exact p of McNemar's test; None unless every score is 0 or 1."""
    n: int
    """Documents."""


class Resolution(NamedTuple):
    """What the documents of a task can show on its headline metric, whatever the number of models and seeds."""

    documents: int | None
    """Documents that each model answers; None when their number is known only on the hub."""
    chance: float | None
    """Score without the ability; None when there is no such level."""
    mde: float | None
    """Minimum detectable effect over chance, in units of the score; None when no effect is, or when it is not known."""
    documents_needed: int | None
    """Documents that would show `PRACTICAL_EFFECT`; None when there are enough already, or when it is not known."""
