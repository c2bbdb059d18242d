"""A curve of many checkpoints as a curve of fewer points, so that it can be judged in the time of a few."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from harness.analysis.curves.replicates import mean_estimate
from harness.analysis.curves.scale import scale_value
from harness.analysis.curves.types import Curve, Point
from harness.analysis.stats import interval_over_runs

MOST_POINTS = 48
"""Points of a curve that are judged one by one. More are joined in at most so many groups."""


def neighbours_joined(curve: Curve, most: int = MOST_POINTS) -> Curve:
    """The curve with neighbouring points joined, in groups of equal width along the axis; itself with few points.

    A group has the mean score of its points, and the documents and the error of one of them: neighbouring checkpoints
    answer the same documents, and share most of their training, so that many of them are worth hardly more than one.

    Args:
        curve: any curve.
        most: how many points it may keep.
    """
    if len(curve.points) <= most:
        return curve
    at = np.array(curve.position)
    if at[0] == at[-1]:
        return curve
    cell = np.minimum(((at - at[0]) / (at[-1] - at[0]) * most).astype(int), most - 1)
    edges = [0, *(np.flatnonzero(np.diff(cell)) + 1).tolist(), len(at)]
    groups = [slice(first, last) for first, last in pairwise(edges)]
    return replace(
        curve,
        joined_from=len(curve.points),
        points=tuple(_joined(curve, group) for group in groups),
        items=None if curve.items is None else np.stack([curve.items[group].mean(axis=0) for group in groups]),
    )


def _joined(curve: Curve, group: slice) -> Point:
    points = curve.points[group]
    first = points[0]
    if len(points) == 1:
        return first
    pooled = mean_estimate([point.estimate for point in points])
    # As many runs as the neighbours share: they are stages of the same ones.
    runs = min((point.runs for point in points), key=len)
    low, high = interval_over_runs(pooled, curve.noise, max(len(runs), 1))
    return Point(
        model=first.model,
        x=scale_value(curve.scale, float(np.mean(curve.position[group]))),
        estimate=pooled,
        low=low,
        high=high,
        n_expected=min(point.n_expected for point in points),
        n_truncated=sum(point.n_truncated for point in points),
        runs=runs,
        checkpoint=f"{first.name} (and the next {len(points) - 1})",
    )
