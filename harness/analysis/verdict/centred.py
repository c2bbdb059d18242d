"""Curves on a common scale: 0 is chance, 1 is perfect, so that metrics of different chance levels can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from harness.analysis.curves import Curve, Point
from harness.analysis.growth import Trace
from harness.analysis.stats import normalised
from harness.analysis.verdict.types import Verdict
from harness.specs import MetricSpec


class Centred(NamedTuple):
    """Curves on the common scale, with what belongs to them."""

    curves: tuple[Curve, ...]
    """Curves of metrics with a chance level and a best score; the others are left out."""
    verdicts: tuple[Verdict, ...]
    """Verdicts on them. What they say is of the raw curves and holds here: places on the axis do not change."""
    traces: Mapping[Curve, Sequence[Trace]]
    """Growth forms of them."""


def centred(
    curves: Sequence[Curve], verdicts: Sequence[Verdict] = (), traces: Mapping[Curve, Sequence[Trace]] | None = None
) -> Centred:
    """Scores, intervals and forms as (y - chance) / (best - chance); see `normalised`.

    Args:
        curves: any.
        verdicts: of these curves or of more.
        traces: growth forms of some of the curves.
    """
    pairs = [(curve, _curve(curve)) for curve in curves if _centre(0.0, curve.metric) is not None]
    forms = traces or {}
    # By identity: curves compare by all their points, which takes longer than all the rest here.
    of = {id(raw): made for raw, made in pairs}
    return Centred(
        tuple(made for _, made in pairs),
        tuple(replace(v, curve=of[id(v.curve)]) for v in verdicts if id(v.curve) in of),
        {
            made: [one._replace(y=tuple(_known(y, raw.metric) for y in one.y)) for one in forms[raw]]
            for raw, made in pairs
            if raw in forms
        },
    )


def _curve(curve: Curve) -> Curve:
    metric = MetricSpec(name=f"chance-centred {curve.metric.name}", chance=0.0, best=1.0, continuous=True)
    return replace(curve, metric=metric, points=tuple(_point(p, curve.metric) for p in curve.points), items=None)


def _point(point: Point, metric: MetricSpec) -> Point:
    ends = (_centre(point.low, metric), _centre(point.high, metric))
    # Where less is better the ends change places.
    low, high = ends if metric.higher_is_better else ends[::-1]
    made = point.estimate
    unit = _known(1.0, metric) - _known(0.0, metric)
    stderr = None if made.stderr is None else made.stderr * abs(unit)
    value = _known(made.value, metric)
    return replace(point, estimate=made._replace(value=value, stderr=stderr, proportion=False), low=low, high=high)


def _centre(value: float | None, metric: MetricSpec) -> float | None:
    return None if value is None else normalised(value, metric)


def _known(value: float, metric: MetricSpec) -> float:
    """As `normalised`, of a metric that can be centred."""
    found = normalised(value, metric)
    assert found is not None
    return found
