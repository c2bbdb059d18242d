"""Which tasks can show anything: signal, noise, and whether small models order recipes as large ones do.

    signal  = largest minus smallest score of the finished models
    noise   = standard deviation of the late checkpoints of one run, or of several runs of one size

(Heineman et al. 2025, "Signal and Noise: A Framework for Reducing Uncertainty in Language Model Evaluation",
arXiv:2508.13144). A task whose ratio of the two is small tells models apart by chance, however many documents it has.

RecipeOrder accuracy is the share of pairs of recipes that a small size orders as the largest one does (Magnusson et al.
2025, "DataDecide", arXiv:2504.11393); two that score the same count one half.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np

from harness.analysis.curves import Curve

LATE = 0.8
"""Checkpoints are late when they were trained on at least this share of the tokens of the last one."""
FEWEST_LATE = 3
"""Late checkpoints of a run that show its noise."""
SEPARATES = 1.96 * math.sqrt(2)
"""Smallest ratio at which the best and the worst model differ by more than noise makes them, at the 5 % level."""


class RecipeOrder(NamedTuple):
    """How well one size orders recipes."""

    params: float
    """Parameters of the size."""
    accuracy: float
    """Share of pairs of recipes that it orders as the largest size does, 0 to 1; one half is chance."""
    pairs: int
    """Pairs of recipes that both sizes have."""


class TaskQuality(NamedTuple):
    """What one metric of one task can show."""

    task: str
    """Task name."""
    shots: int
    """Demonstrations before the question."""
    metric: str
    """Metric name."""
    models: int
    """Finished models behind `signal`."""
    signal: float | None
    """Largest minus smallest score of these, in units of the metric; None for a single one."""
    noise: float | None
    """Standard deviation of one score that says nothing about the model, in units of the metric; None when it does not
    show."""
    source: Literal["late checkpoints", "training runs", "documents"] | None
    """What shows the noise. Documents alone are the least that it can be."""
    ratio: float | None
    """Signal over noise; None without either."""
    separates: bool | None
    """True when the best and the worst model differ by more than noise makes them; None without a ratio."""
    decisions: tuple[RecipeOrder, ...]
    """How well each size but the largest orders recipes, smallest size first; empty with fewer than two recipes."""


def task_qualities(finished: Iterable[Curve], stages: Iterable[Curve]) -> tuple[TaskQuality, ...]:
    """What every metric of every task can show, the clearest task first.

    Families, and settings that cannot be joined, are the recipes that are compared.

    Args:
        finished: curves over parameters.
        stages: the same scores over training tokens, where each size with several checkpoints has a curve of its own.
    """
    grouped: dict[tuple[str, int, str], list[Curve]] = {}
    for curve in finished:
        grouped.setdefault((curve.task, curve.shots, curve.metric.name), []).append(curve)
    trained: dict[tuple[str, int, str], list[Curve]] = {}
    for curve in stages:
        if curve.of_checkpoints:
            trained.setdefault((curve.task, curve.shots, curve.metric.name), []).append(curve)
    found = [_quality(key, curves, trained.get(key, [])) for key, curves in grouped.items()]
    return tuple(sorted(found, key=lambda one: (-(one.ratio or 0.0), one.task, one.shots, one.metric)))


def task_quality_json(quality: TaskQuality) -> dict[str, Any]:
    """The quality as plain data."""
    return {**quality._asdict(), "decisions": [one._asdict() for one in quality.decisions]}


def _quality(key: tuple[str, int, str], finished: Sequence[Curve], stages: Sequence[Curve]) -> TaskQuality:
    scores = [y for curve in finished for y in curve.y]
    signal = max(scores) - min(scores) if len(scores) > 1 else None
    noise, source = _noise(finished, stages)
    ratio = signal / noise if signal is not None and noise else None
    task, shots, metric = key
    return TaskQuality(
        task=task,
        shots=shots,
        metric=metric,
        models=len(scores),
        signal=signal,
        noise=noise,
        source=source,
        ratio=ratio,
        separates=None if ratio is None else ratio >= SEPARATES,
        decisions=_decisions(finished),
    )


def _noise(
    finished: Sequence[Curve], stages: Sequence[Curve]
) -> tuple[float | None, Literal["late checkpoints", "training runs", "documents"] | None]:
    """The noise of one score, and what shows it: the first of the three sources that is there."""
    late = [np.array([p.estimate.value for p in curve.points if p.x >= LATE * max(curve.x)]) for curve in stages]
    if variances := [float(values.var(ddof=1)) for values in late if len(values) >= FEWEST_LATE]:
        return math.sqrt(float(np.mean(variances))), "late checkpoints"
    runs = [[run.estimate.value for run in p.runs] for curve in finished for p in curve.points if len(p.runs) > 1]
    if runs:
        freedom = sum(len(values) - 1 for values in runs)
        return math.sqrt(sum(float(np.var(v)) * len(v) for v in runs) / freedom), "training runs"
    errors = [e.stderr for curve in finished for e in curve.estimates if e.stderr]
    return (math.sqrt(float(np.mean(np.square(errors)))), "documents") if errors else (None, None)


def _decisions(finished: Sequence[Curve]) -> tuple[RecipeOrder, ...]:
    """Of every size that recipes share with the largest one they share."""
    recipes = [{_size(p.x): p.estimate.value for p in curve.points} for curve in finished]
    shared = sorted(size for size in set().union(*recipes) if sum(size in one for one in recipes) > 1)
    if len(shared) < 2:
        return ()
    *smaller, largest = shared
    decisions = []
    for size in smaller:
        both = [one for one in recipes if size in one and largest in one]
        agree = [_agreement(a[size] - b[size], a[largest] - b[largest]) for a, b in combinations(both, 2)]
        if agree:
            decisions.append(RecipeOrder(size, float(np.mean(agree)), len(agree)))
    return tuple(decisions)


def _size(params: float) -> float:
    """Parameters to two digits: recipes count them a little differently."""
    return float(f"{params:.1e}")


def _agreement(small: float, large: float) -> float:
    return 0.5 if small == 0 or large == 0 else float((small > 0) == (large > 0))
