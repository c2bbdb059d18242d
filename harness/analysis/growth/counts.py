"""Curves as numbers of right answers, to which growth forms are fitted, and the noise between training runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.growth.reruns import assumed_run_sd
from harness.analysis.growth.types import Counts
from harness.analysis.stats import Array, Estimate

FEWEST_TO_EXTRAPOLATE = 4
"""Fewest sizes of a curve for which a larger size can be predicted."""


def countable(curve: Curve) -> bool:
    """True when scores can be read as counts: from 0 to a best score, higher is better, and their errors are known."""
    metric = curve.metric
    best = metric.best
    if metric.chance is None or best is None or best <= 0 or not metric.higher_is_better:
        return False
    if not 0 <= metric.chance < best:
        return False
    return all(0 <= e.value <= best and (e.proportion or e.stderr is not None) for e in curve.estimates)


def counts_of(curves: Sequence[Curve], *, run_sd: float | None) -> Counts:
    """Curves of equally many sizes as (effective) counts.

    A mean of zeros and ones has its number of documents. Any other score has the number of yes-or-no documents that
    would be as precise, y (1 - y) / se² (quasi-binomial likelihood; McCullagh and Nelder 1989, section 4.5). Both
    numbers are then reduced for the noise between training runs: that of a mean over R runs is the R-th part.

    Args:
        curves: curves that are all `countable`.
        run_sd: as of `run_sds`.
    """
    y = np.array([[v / (c.metric.best or 1.0) for v in c.y] for c in curves], dtype=float)
    runs = np.array([c.runs for c in curves], dtype=float)
    n = effective_documents(documents_of(curves), run_sds(curves, run_sd)[:, None] / np.sqrt(runs))
    chance = np.array([(c.metric.chance or 0.0) / (c.metric.best or 1.0) for c in curves], dtype=float)
    return Counts(x=np.array([c.position for c in curves], dtype=float), k=y * n, n=n, chance=chance)


def documents_of(curves: Sequence[Curve]) -> Array:
    """How many yes-or-no documents each size of the curves is worth, noise between runs left out, (B, m)."""
    return np.array([[_documents(e, c.metric.best or 1.0) for e in c.estimates] for c in curves], dtype=float)


def run_sds(curves: Sequence[Curve], run_sd: float | None) -> Array:
    """Standard deviation between training runs at one half of the best score, as a share of it, (B,).

    It is estimated for curves whose sizes have several runs. Too few of these are no reason to believe in less noise
    than is assumed for any other curve.

    Args:
        curves: curves that are all `countable`.
        run_sd: what is assumed where no size has several runs, as a share of the best score; None assumes what
            published reruns say about the task, see `assumed_run_sd`.
    """

    def of(curve: Curve) -> float:
        assumed = assumed_run_sd(curve.task) if run_sd is None else run_sd
        if (noise := curve.noise) is None:
            return assumed
        estimated = noise.wary_sd / (curve.metric.best or 1.0)
        return estimated if noise.known else max(estimated, assumed)

    return np.array([of(curve) for curve in curves], dtype=float)


def _documents(of: Estimate, best: float) -> float:
    if of.proportion:
        return of.n_effective
    y = (of.n * of.value / best + 0.5) / (of.n + 1)
    return max(1.0, y * (1 - y) * best**2 / of.stderr**2) if of.stderr else float(of.n)


def stacked(parts: Sequence[Counts]) -> Counts:
    """The curves of several batches with equally many sizes, as one batch."""
    x, k, n, chance = (np.concatenate([getattr(p, name) for p in parts]) for name in ("x", "k", "n", "chance"))
    return Counts(x=x, k=k, n=n, chance=chance)


def run_correlation(run_sd: float | Array) -> float | Array:
    """Intraclass correlation rho of a beta-binomial score that has the standard deviation `run_sd` at one half."""
    return run_sd**2 / 0.25


def effective_documents(n: Array, run_sd: float | Array) -> Array:
    """How many documents a score is worth once the noise between training runs counts: n / (1 + (n - 1) rho).

    The beta-binomial variance mu (1 - mu) / n * (1 + (n - 1) rho) is the binomial variance of that many documents. One
    training run is never worth more than 1 / rho documents, however many it answers.

    Args:
        n: documents.
        run_sd: standard deviation between training runs at a score of one half, one for all or of the shape of `n`.
    """
    return np.where(n > 1, n / (1 + (n - 1) * run_correlation(run_sd)), n)
