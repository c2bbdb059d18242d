"""How sure the order of a ranking is: each model compared with the next one, on the documents that both answered."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from harness.analysis.compare.differences import compare_pairs
from harness.analysis.compare.run_noise import NoiseOf
from harness.analysis.compare.types import CellPair, Comparison, Lead
from harness.analysis.stats import benjamini_hochberg, normalised
from harness.analysis.stats.distributions import norm
from harness.plan import MODEL_AXES, Cell, Setting
from harness.records import CellResult
from harness.store import DocumentScores


def leads(
    ranked: Sequence[Sequence[CellResult]],
    documents: Callable[[Cell], DocumentScores | None],
    *,
    noise: NoiseOf | None = None,
) -> tuple[Lead, ...]:
    """The lead of each model over the next one; one lead fewer than models.

    A lead is the mean over K settings of paired differences, each divided by best - chance. Settings of one task ask
    the same documents, and their errors are added up as if they were fully correlated, which makes the error slightly
    too large. Tasks are independent:

        SE = sqrt(sum over tasks of (sum over the task's settings of SE)²) / K

    The p value is that of a normal test; for K = 1 it is the one of `compare_pairs`.

    Args:
        ranked: the results of each model, best model first; headers are enough.
        documents: returns the scores of a cell's documents; called twice for all but the first and the last model.
        noise: finds the noise between training runs, as in `compare_pairs`; None counts none.
    """
    found = [_lead(_pairs(better, worse), documents, noise) for better, worse in pairwise(ranked)]
    adjusted = benjamini_hochberg([one.p for one in found])
    return tuple(one._replace(q=q) for one, q in zip(found, adjusted, strict=True))


def _pairs(better: Iterable[CellResult], worse: Iterable[CellResult]) -> list[CellPair]:
    """Settings and seeds that both models have; the worse model comes first, so that a lead is positive."""
    sides = [_by_setting(side) for side in (worse, better)]
    made = []
    for setting in sorted(sides[0].keys() & sides[1].keys(), key=lambda s: str(s.values)):
        a, b = (side[setting] for side in sides)
        seeds = sorted(a.keys() & b.keys())
        if seeds:
            task, shots = setting.text("task"), setting.text("shots")
            made.append(CellPair(task, f"{shots}-shot", tuple(a[s] for s in seeds), tuple(b[s] for s in seeds)))
    return made


def _by_setting(results: Iterable[CellResult]) -> dict[Setting, dict[int, CellResult]]:
    """The results of one model by what was asked, and by few-shot seed."""
    grouped: dict[Setting, dict[int, CellResult]] = {}
    for one in results:
        grouped.setdefault(one.cell.setting(free=MODEL_AXES | {"seed"}), {})[one.cell.seed] = one
    return grouped


def _lead(pairs: Sequence[CellPair], documents: Callable[[Cell], DocumentScores | None], noise: NoiseOf | None) -> Lead:
    found = [(one, _unit(one)) for one in compare_pairs(pairs, documents, noise=noise).comparisons]
    known = [(one, unit) for one, unit in found if unit is not None]
    if not known:
        return Lead(None, None, None, 0)
    difference = sum(one.scores.difference / unit for one, unit in known) / len(known)
    if len(known) == 1:
        return Lead(difference, known[0][0].scores.p, None, 1)
    errors: dict[str, float] = defaultdict(float)
    for one, unit in known:
        if one.scores.stderr is None:
            return Lead(difference, None, None, len(known))
        errors[one.task] += one.scores.stderr / abs(unit)
    spread = math.hypot(*errors.values()) / len(known)
    p = float(2 * norm.sf(abs(difference) / spread)) if spread else None
    return Lead(difference, p, None, len(known))


def _unit(one: Comparison) -> float | None:
    """Best score minus chance, negative for a loss; None when the metric has no such scale."""
    metric = one.metric
    return None if normalised(0.0, metric) is None else (metric.best or 0.0) - (metric.chance or 0.0)
