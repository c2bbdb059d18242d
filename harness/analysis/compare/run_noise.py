"""Would other training runs of the same two sizes differ as much? The noise between runs, in a paired difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from harness.analysis.compare.types import CellPair, PairedScores
from harness.analysis.curves import curves
from harness.analysis.stats import CONFIDENCE, POWER, RunNoise
from harness.analysis.stats.distributions import t
from harness.plan import Cell, Setting
from harness.records import CellResult
from harness.specs import MetricSpec

_ALONG = ("model", "revision", "run", "seed")
"""Axes on which the results of one curve differ."""
NoiseOf = Callable[[Cell, MetricSpec], RunNoise | None]
"""Finds the noise between training runs of a cell's family in its setting; None where no size has several runs."""


def noise_from(results: Iterable[CellResult]) -> NoiseOf:
    """What finds the noise between training runs in these results, see `run_noise`; headers are enough."""
    grouped: dict[Setting, list[CellResult]] = {}
    for one in results:
        grouped.setdefault(one.cell.setting(free=_ALONG), []).append(one)

    @cache
    def found(setting: Setting) -> dict[str, RunNoise | None]:
        return {curve.metric.name: curve.noise for curve in curves(grouped.get(setting, ()))}

    return lambda cell, metric: found(cell.setting(free=_ALONG)).get(metric.name)


class Between(NamedTuple):
    """The noise between training runs that a comparison counts."""

    sd: float
    """Standard deviation between training runs of one size, at a score of one half."""
    freedom: float | None
    """Degrees of freedom of the estimate; None where it was assumed."""
    variance: float
    """Variance of the difference that is due to it."""

    def counted(self, found: PairedScores) -> PairedScores:
        """The difference with this noise in its error.

        An estimate holds all that makes two runs of one size differ on the same documents, and so does part of the
        error over documents: the larger of the two variances counts. What is assumed comes on top of documents.
        """
        if found.stderr is None:
            return found
        over_documents = found.stderr**2
        if self.freedom is not None and over_documents >= self.variance:
            return found
        estimated = self.freedom is not None
        error = math.sqrt(self.variance if estimated else over_documents + self.variance)
        if error == 0.0:
            return found
        freedom = self.freedom or math.inf
        sure, likely = t.ppf((0.5 + CONFIDENCE / 2, POWER), freedom).tolist()
        return replace(
            found,
            stderr=error,
            low=found.difference - sure * error,
            high=found.difference + sure * error,
            p=float(2 * t.sf(abs(found.difference) / error, freedom)),
            detectable=(sure + likely) * error,
        )


def between_runs(
    pair: CellPair, metric: MetricSpec, found: PairedScores, noise: NoiseOf | None, run_sd: float | None
) -> Between | None:
    """The noise between training runs in one comparison; None where none counts.

    Settings of one and the same model share its training, and differ by nothing that happened in it.

    Args:
        pair: the cells of both sides.
        metric: the metric that is compared.
        found: the scores of both sides.
        noise: finds the noise estimated from several runs; None does not look for it.
        run_sd: standard deviation between runs at a score of one half, for what is not estimated; None for none.
    """
    sides = (pair.a[0].cell, pair.b[0].cell)
    if len({(cell.model.name, cell.model.revision, cell.model.run) for cell in sides}) == 1:
        return None
    # Half a document right and half a document wrong more: no side is so sure that its runs could not differ.
    means = [(found.n * mean + 0.5 * (metric.best or 0.0)) / (found.n + 1) for mean in (found.mean_a, found.mean_b)]
    runs = (pair.runs_a, pair.runs_b)
    each = [None if noise is None else noise(cell, metric) for cell in sides]
    known = [one for one in each if one is not None]
    if known:
        # Where one side has single runs only, it is taken to be as noisy as the other.
        of_sides = [one or known[0] for one in each]
        shares = [
            one.between * one.share(mean) / number for one, mean, number in zip(of_sides, means, runs, strict=True)
        ]
        return Between(math.sqrt(known[0].between), _freedom(of_sides, shares), sum(shares))
    if run_sd is None or not metric.best or not metric.higher_is_better:
        return None
    assumed = RunNoise(run_sd**2 * metric.best**2, 0.0, math.inf, metric.best)
    return Between(
        run_sd,
        None,
        sum(assumed.between * assumed.share(mean) / number for mean, number in zip(means, runs, strict=True)),
    )


def _freedom(of: list[RunNoise], variances: list[float]) -> float:
    """Degrees of freedom of the sum of the variances (Satterthwaite 1946); one estimate for both keeps its own."""
    if of[0] == of[1]:
        return of[0].freedom
    parts = sum(variance**2 / one.freedom for one, variance in zip(of, variances, strict=True))
    return sum(variances) ** 2 / parts if parts else of[0].freedom
