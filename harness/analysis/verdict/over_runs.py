"""How an ability is spread over the training runs of each size: how many have it, and how good those are.

Near the scale at which an ability sets in, runs that differ in their seed alone fall into two groups, some with the
ability and some without (Zhao et al. 2025, arXiv:2502.17356). Their mean then describes none of them: it rises because
more runs have the ability, not because the ability gets better. Both are told apart here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from harness.analysis.curves import Curve, Point, TrainingRun, position, scale_value
from harness.analysis.stats import ALPHA, CONFIDENCE, Interval, above_chance_p, wilson
from harness.analysis.stats.distributions import t as student
from harness.analysis.verdict.types import Presence, PresenceAtSize

FEWEST_RUNS = 5
"""Training runs of a size from which on their distribution is told."""
_HALF = 0.5


def presence(curve: Curve, effect: float) -> Presence | None:
    """How many runs of each size have the ability; None without a chance level or a size of `FEWEST_RUNS` runs.

    A run has the ability when its score passes chance by `effect`, as at the threshold of a verdict, and does so
    significantly, so that a run without it seldom has it by luck.

    Args:
        curve: any curve.
        effect: smallest change that matters, in units of the score.
    """
    metric = curve.metric
    several = [point for point in curve.points if len(point.runs) >= FEWEST_RUNS]
    if metric.chance is None or not several or curve.joined_from is not None:
        return None
    direction = 1 if metric.higher_is_better else -1
    level = metric.chance + direction * effect

    def has_it(run: TrainingRun) -> bool:
        p = above_chance_p(run.estimate, metric)
        return direction * (run.estimate.value - level) >= 0 and (p is None or p < ALPHA)

    sizes = tuple(_at(point, has_it) for point in several)
    return Presence(level=level, half=_half(curve, sizes), sizes=sizes)


def _at(point: Point, has_it: Callable[[TrainingRun], bool]) -> PresenceAtSize:
    runs = len(point.runs)
    there = [run.estimate.value for run in point.runs if has_it(run)]
    absent = [run.estimate.value for run in point.runs if not has_it(run)]
    share = len(there) / runs
    low, high = wilson(share, runs)
    among = _mean_interval(there)
    return PresenceAtSize(
        model=point.name,
        x=point.x,
        runs=runs,
        present=len(there),
        share=share,
        share_low=low,
        share_high=high,
        score=float(np.mean(there)) if there else None,
        score_low=among.low,
        score_high=among.high,
        score_absent=float(np.mean(absent)) if absent else None,
        gap=min(abs(one - other) for one in there for other in absent) if there and absent else None,
    )


def _mean_interval(scores: list[float]) -> Interval:
    """The interval of a mean by Student's t; open with one score or none."""
    if len(scores) < 2:
        return Interval(None, None)
    half = float(student.ppf((1 + CONFIDENCE) / 2, len(scores) - 1)) * float(np.std(scores, ddof=1))
    middle, half = float(np.mean(scores)), half / math.sqrt(len(scores))
    return Interval(middle - half, middle + half)


def _half(curve: Curve, sizes: tuple[PresenceAtSize, ...]) -> float | None:
    """Where the share of runs with the ability passes one half for good, on the straight line between two sizes."""
    if sizes[0].share >= _HALF or sizes[-1].share < _HALF:
        return None
    below, above = [pair for pair in pairwise(sizes) if pair[0].share < _HALF <= pair[1].share][-1]
    ends = [position(curve.scale, one.x) for one in (below, above)]
    part = (_HALF - below.share) / (above.share - below.share)
    return scale_value(curve.scale, ends[0] + part * (ends[1] - ends[0]))
