"""Training runs of one size: which models they are, and the one point they make."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import takewhile

import numpy as np

from harness.analysis.curves.scale import Scale, position
from harness.analysis.curves.types import Curve, Point, TrainingRun
from harness.analysis.stats import Estimate, RunNoise, interval_over_runs, run_noise
from harness.specs import MetricSpec
from harness.wording import natural_order

_STEP = re.compile(r"(?:checkpoint|ckpt|step|iter)[-_]?\d+$")
"""How names of checkpoints end."""
_WORD = re.compile(r"[-_. /@]*[^-_. /@]+")
"""A word of a name, with what stands before it."""
_NAMED = 3
"""How many models one sentence names."""


def sizes(
    runs: Sequence[TrainingRun], measures: Sequence[Mapping[Scale, float | None]], scale: Scale
) -> list[list[int]]:
    """Which runs belong to each size of a curve, as indices; sizes ascending, losses descending, runs by name.

    Runs with the same parameters and the same training tokens are runs of one size: trained alike, they differ by
    chance. Where an axis other than the loss is known alone, its value is all there is to go by. Tokens that are not
    known set nothing apart, unless the others at that place differ in theirs or names say after which step of training
    a checkpoint was made.

    Args:
        runs: the runs of one curve.
        measures: how large the model of each run is, by each measure of size; None where it is not known.
        scale: the x axis.
    """
    places: dict[tuple[float | None, ...], list[int]] = {}
    for index, (run, size) in enumerate(zip(runs, measures, strict=True)):
        # Two runs of one size end at different losses.
        there = None if scale == "loss" and size["params"] is not None else run.x
        places.setdefault((there, size["params"]), []).append(index)
    grouped = []
    for members in places.values():
        if len(members) == 1:
            grouped.append(members)
            continue
        trained = [_trained(runs[i], measures[i]["tokens"]) for i in members]
        if len({*trained} - {None}) < 2 and (scale != "loss" or _are_different(runs[i] for i in members)):
            grouped.append(members)
            continue
        # At several losses, and nothing says how long each was trained: stages of one training, each for itself.
        alone = [i for i, one in zip(members, trained, strict=True) if one is None and scale == "loss"]
        grouped += [[i] for i in alone]
        left = [(i, one) for i, one in zip(members, trained, strict=True) if i not in alone]
        grouped += [[i for i, one in left if one == stage] for stage in {one for _, one in left}]
    ordered = [
        sorted(members, key=lambda i: _name_order(runs[i])) if len(members) > 1 else members for members in grouped
    ]
    return sorted(ordered, key=lambda members: (position(scale, _place(runs, members)), runs[members[0]].model))


def noise_between(
    grouped: Sequence[Sequence[TrainingRun]], metric: MetricSpec, trainings: Sequence[Hashable] | None = None
) -> RunNoise | None:
    """The noise between training runs, from the sizes of one curve that have several; None when none has.

    Args:
        grouped: the runs of each size.
        metric: how their scores are read.
        trainings: what is the same for points that are checkpoints of the same runs; None when none are.
    """
    if all(len(runs) == 1 for runs in grouped):
        return None
    values = [run.estimate.value for runs in grouped for run in runs]
    best = metric.best if metric.higher_is_better and metric.best and metric.best > 0 else None
    within = best is not None and min(values) >= 0 and max(values) <= best
    return run_noise([[run.estimate for run in runs] for runs in grouped], best if within else None, trainings)


def point_of(runs: Sequence[TrainingRun], noise: RunNoise | None = None) -> Point:
    """The point of one size: the mean over its training runs.

    Args:
        runs: at least one, in the order of their names.
        noise: the noise between training runs; None leaves it out of the interval.
    """
    pooled = mean_estimate([run.estimate for run in runs])
    alone = len(runs) == 1 and noise is None
    low, high = (runs[0].low, runs[0].high) if alone else interval_over_runs(pooled, noise, len(runs))
    return Point(
        model=runs[0].model,
        x=_place(runs, range(len(runs))),
        estimate=pooled,
        low=low,
        high=high,
        n_expected=min([run.n_expected for run in runs]),
        n_truncated=sum([run.n_truncated for run in runs]),
        runs=tuple(runs),
    )


def _are_different(runs: Iterable[TrainingRun]) -> bool:
    """True when no run is there twice, as the stages of one training are."""
    named = [(run.model, run.run) for run in runs]
    return len({*named}) == len(named)


def _trained(run: TrainingRun, tokens: float | None) -> float | str | None:
    """How long a model was trained: its tokens, or else the step in its name; None where nothing says."""
    found = _STEP.search(run.model)
    return tokens if tokens is not None or found is None else found[0]


def named_apart(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points of a curve, sizes of several models called by what the names of these share, if that tells them apart.

    `pythia-70m-seed1` and `pythia-70m-seed2` are runs of `pythia-70m`.
    """
    if all(len(point.runs) == 1 for point in points):
        return tuple(points)
    shared = [_shared(tuple(run.model for run in point.runs)) for point in points]
    named = [one if one.model == name else replace(one, model=name) for one, name in zip(points, shared, strict=True)]
    as_many = len({point.model for point in named}) == len({point.model for point in points})
    return tuple(named if as_many else points)


@lru_cache(maxsize=10_000)  # hundreds of curves have the same sizes
def _shared(names: tuple[str, ...]) -> str:
    """The words that all the names begin with; the first name where there are none."""
    words = zip(*map(_WORD.findall, names), strict=False)
    return "".join(word[0] for word in takewhile(lambda word: len({*word}) == 1, words)) or names[0]


def numbered_runs(drawn: Iterable[Curve]) -> tuple[str, ...]:
    """One sentence for each family in which models were taken for training runs of one size without saying they are.

    Args:
        drawn: curves of any families.
    """
    found: dict[str, dict[float, Point]] = {}
    for curve in drawn:
        for point in curve.points:
            if len(point.runs) > 1 and any(one.run is None for one in point.runs):
                found.setdefault(curve.family, {}).setdefault(point.x, point)
    return tuple(_said(family, list(points.values())) for family, points in found.items())


def _said(family: str, points: Sequence[Point]) -> str:
    names = list(dict.fromkeys(one.model for one in points[0].runs))
    listed = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    where = f"{len(points)} sizes have" if len(points) > 1 else "a size has"
    return (
        f"{family}: {where} several models with the same parameters and tokens ({listed}): taken for its training runs "
        "and numbered by name; `run` gives them names of their own"
    )


def mean_estimate(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of several scores on the same documents, with the error that these leave: more scores leave it."""
    if len(estimates) == 1:
        return estimates[0]
    errors = [one.stderr for one in estimates if one.stderr is not None]
    known = len(errors) == len(estimates)
    return Estimate(
        value=float(np.mean([one.value for one in estimates])),
        stderr=math.sqrt(float(np.mean(np.square(errors)))) if known else None,
        n=min(one.n for one in estimates),
        seeds=max(one.seeds for one in estimates),
        proportion=all(one.proportion for one in estimates),
    )


def _place(runs: Sequence[TrainingRun], members: Sequence[int]) -> float:
    """Where a size lies on the axis: at the value of its runs, or the mean of their losses."""
    if len(members) == 1:
        return runs[members[0]].x
    values = {runs[i].x for i in members}
    return values.pop() if len(values) == 1 else float(np.mean([runs[i].x for i in members]))


def _name_order(run: TrainingRun) -> tuple[object, ...]:
    return (natural_order(run.model), natural_order(run.run or ""))
