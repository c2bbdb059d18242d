"""Curves as successes of trials: what growth forms are fitted to, and the noise between training runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.growth.types import Counts
from harness.analysis.stats import Array, Estimate

FEWEST_TO_EXTRAPOLATE = 4
"""Sizes below which a law fitted to the smaller ones foretells nothing."""
RUN_SD = 0.006
"""Spread of a score between two trainings of one configuration, where nothing better is known: what reruns of one
family with other data order differ by on common tasks (OLMo ladder, 190M to 3B); up to 0.034 on the noisiest."""


def countable(curve: Curve) -> bool:
    """True when the curve reads as successes of trials: from 0 to a best score, more is better, errors known."""
    metric = curve.metric
    best = metric.best
    if metric.chance is None or best is None or best <= 0 or not metric.higher_is_better:
        return False
    if not 0 <= metric.chance < best:
        return False
    return all(0 <= e.value <= best and (e.proportion or e.stderr is not None) for e in curve.estimates)


def counts_of(curves: Sequence[Curve], *, run_sd: float) -> Counts:
    """Curves of equally many sizes as (effective) counts.

    A mean of zeros and ones counts its documents. Any other score of variance s^2 / n counts as the number of yes-or-no
    documents that would be as precise, y (1 - y) / se^2 (quasi-binomial likelihood; McCullagh and Nelder 1989, section
    4.5). Both are then discounted for the noise between training runs.

    Args:
        curves: all `countable`.
        run_sd: standard deviation between training runs at a score of one half.
    """
    y = np.array([[v / (c.metric.best or 1.0) for v in c.y] for c in curves], dtype=float)
    n = np.array([[_documents(e, c.metric.best or 1.0) for e in c.estimates] for c in curves], dtype=float)
    n = effective_documents(n, run_sd)
    chance = np.array([(c.metric.chance or 0.0) / (c.metric.best or 1.0) for c in curves], dtype=float)
    return Counts(x=np.array([c.position for c in curves], dtype=float), k=y * n, n=n, chance=chance)


def _documents(of: Estimate, best: float) -> float:
    if of.proportion:
        return of.n_effective
    y = (of.n * of.value / best + 0.5) / (of.n + 1)
    return max(1.0, y * (1 - y) * best**2 / of.stderr**2) if of.stderr else float(of.n)


def stacked(parts: Sequence[Counts]) -> Counts:
    """The curves of several batches with equally many sizes as one."""
    x, k, n, chance = (np.concatenate([getattr(p, name) for p in parts]) for name in ("x", "k", "n", "chance"))
    return Counts(x=x, k=k, n=n, chance=chance)


def run_correlation(run_sd: float) -> float:
    """Intraclass correlation rho of a beta-binomial whose score has the standard deviation `run_sd` at 1/2."""
    return run_sd**2 / 0.25


def effective_documents(n: Array, run_sd: float) -> Array:
    """Documents left when the noise between training runs is counted: n / (1 + (n - 1) rho).

    The beta-binomial variance mu (1 - mu) / n * (1 + (n - 1) rho) is the binomial one of that many documents. However
    many documents are asked, a single run is never worth more than 1 / rho of them.
    """
    return np.where(n > 1, n / (1 + (n - 1) * run_correlation(run_sd)), n)
