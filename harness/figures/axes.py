"""Axes of curves: scale with ticks as in names of models, scores on one range that does not blow up noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from harness.analysis.curves import AXIS_TITLES, Curve
from harness.analysis.verdict import CurveRow
from harness.glossary import metric_of
from harness.wording import number

_ROOM = 0.04
"""Part of the axis that is left free at each end."""
_INTERVALS = 4.0
"""An axis is at least so many times as long as a typical 95 % interval, so that noise looks like noise."""


def score_title(curve: Curve) -> str:
    """What the y axis shows and in which unit; says so when lower is better."""
    metric = curve.metric
    direction = "" if metric.higher_is_better else ", lower is better"
    return f"{metric.name} ({_unit(curve)}{direction})"


def _unit(curve: Curve) -> str:
    """The unit of the scores: that of a metric that is known, and otherwise what their errors tell."""
    known = metric_of(curve.metric.name)
    if known is not None:
        return known.unit
    counted = curve.metric.best == 1.0 and all(estimate.proportion for estimate in curve.estimates)
    return "share of documents" if counted and not curve.metric.continuous else "mean"


def counts_documents(curve: Curve) -> bool:
    """True for scores between 0 and 1 that mean the same in every task, such as the share of right answers."""
    return curve.metric.best == 1.0 and curve.metric.higher_is_better and not curve.metric.continuous


def score_range(rows: Sequence[CurveRow], *, tight: bool = False) -> tuple[float, float]:
    """The range of a y axis: all points with their intervals, chance, and the best score; of shares, 0 to 1.

    Args:
        rows: all that is drawn on axes of this range; at least one.
        tight: leave out the best score, so that the axis ends with the points.
    """
    curves = [row.curve for row in rows]
    ends = [end for curve in curves for end in _ends(curve)]
    ends += [curve.metric.chance for curve in curves if curve.metric.chance is not None]
    if not tight:
        ends += [curve.metric.best for curve in curves if curve.metric.best is not None]
        ends += [0.0 for curve in curves if counts_documents(curve)]
    low, high = min(ends), max(ends)
    points = [point for curve in curves for point in curve.points]
    widths = [p.high - p.low for p in points if p.low is not None and p.high is not None]
    missing = (_INTERVALS * statistics.median(widths) if widths else 0.0) - (high - low)
    if missing > 0 and not all(counts_documents(curve) for curve in curves):
        low, high = low - missing / 2, high + missing / 2
    elif missing > 0:  # noise does not look like a drama on an axis from 0 to 1, and there are no scores beyond
        low, high = min(low, max(0.0, low - missing / 2)), max(high, min(1.0, high + missing / 2))
    room = _ROOM * (high - low) or 0.5
    return low - room, high + room


def _ends(curve: Curve) -> Iterator[float]:
    for point in curve.points:
        value = point.estimate.value
        yield value if point.low is None else point.low
        yield value if point.high is None else point.high
        yield from (run.estimate.value for run in point.runs)


def axis_name(letter: str, panel: int) -> str:
    """How plotly calls an axis of a panel: `x`, `x2`, ...

    >>> axis_name("x", 1), axis_name("y", 2)
    ('x', 'y2')
    """
    return letter if panel == 1 else f"{letter}{panel}"


def same_place(curve: Curve) -> bool:
    """True for a curve whose models all have the same scale, such as one amount of training: there is no curve."""
    return len(curve.points) > 1 and len(set(curve.x)) == 1


def scale_axis(curves: Sequence[Curve], *, titled: bool, also: Sequence[float] = ()) -> dict[str, Any]:
    """A logarithmic axis with ticks written as in names of models (100k, 1M, 10M); or a loss that falls to the right.

    Args:
        curves: the curves that are drawn on it.
        titled: the axis gets a title; panels without one are small, and get fewer ticks.
        also: further places that must lie on the axis, in its unit.
    """
    places = [*also, *(x for curve in curves for x in curve.x)]
    low, high = min(places), max(places)
    title = {"title_text": AXIS_TITLES[curves[0].scale]} if titled else {}
    if curves[0].scale == "loss":
        room = 0.04 * (high - low or 1.0)
        return {"type": "linear", "range": [high + room, low - room], **title}
    return logarithmic_axis(low, high, small=not titled) | title


def logarithmic_axis(low: float, high: float, *, small: bool = False) -> dict[str, Any]:
    """A logarithmic axis with ticks written as in names of models (100k, 1M, 10M).

    Args:
        low: the smallest number on it.
        high: the largest one.
        small: the panel has room for few ticks.
    """
    steps = (1, 2, 5) if high / low < (30 if small else 1e3) else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**d for d in decades for step in steps if low / 1.5 <= step * 10.0**d <= high * 1.5]
    return {
        "type": "log",
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [*map(number, ticks)],
        # Room on both sides, so that no marker is cut at the edge of the panel.
        "range": [math.log10(low) - 0.12, math.log10(high) + 0.12],
    }
