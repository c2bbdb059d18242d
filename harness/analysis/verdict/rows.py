"""Judged rows made ready for a picture: with growth forms, or with scores on the common scale from chance to best."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.analysis.curves import Curve, Point, TrainingRun
from harness.analysis.growth import Trace, traces
from harness.analysis.stats import Estimate, normalised
from harness.analysis.verdict.types import CurveRow, Judged
from harness.specs import MetricSpec


def partner_rows(judged: Iterable[Judged]) -> tuple[CurveRow, ...]:
    """The continuous metric of the same answers, of every row that has it, to be drawn in one panel.

    All rows returned are of one metric: of several it is the one that the task lists first.

    Args:
        judged: rows of one task.
    """
    partners = sorted((row.partner for row in judged if row.partner), key=lambda partner: partner.curve.rank)
    return tuple(p for p in partners if p.curve.metric.name == partners[0].curve.metric.name)


def with_traces(judged: Iterable[Judged], *, most: int = 1) -> tuple[Judged, ...]:
    """The rows with growth forms fitted to their curves and partners, all of them at once.

    Fitting takes about as long as drawing, so ask for it only for the rows that are drawn.

    Args:
        judged: any rows.
        most: how many forms to keep of each curve, beginning with the best.
    """
    rows = tuple(judged)
    partners = [row.partner.curve for row in rows if row.partner]
    forms = iter(traces([*(row.curve for row in rows), *partners]))
    traced = [replace(row, traces=next(forms)[:most]) for row in rows]
    return tuple(
        replace(row, partner=replace(row.partner, traces=next(forms)[:most])) if row.partner else row for row in traced
    )


def centred(judged: Iterable[Judged]) -> tuple[Judged, ...]:
    """The rows with scores, intervals and growth forms as (y - chance) / (best - chance); see `normalised`.

    So curves of metrics with different chance levels can be compared. Verdicts stay as they are: they were reached on
    the scores as measured, and thresholds are places on the x axis, which does not change.

    Args:
        judged: any rows; those whose metric has no chance level or no best score are left out, and so are partners
            without them.
    """
    return tuple(
        replace(row, curve=_curve(row.curve), traces=_traces(row), partner=_partner(row.partner))
        for row in judged
        if _can_be_centred(row.curve.metric)
    )


def _partner(row: CurveRow | None) -> CurveRow | None:
    if row is None or not _can_be_centred(row.curve.metric):
        return None
    return CurveRow(curve=_curve(row.curve), traces=_traces(row))


def _curve(curve: Curve) -> Curve:
    metric = MetricSpec(name=f"chance-centred {curve.metric.name}", chance=0.0, best=1.0, continuous=True)
    return replace(
        curve, metric=metric, points=tuple(_point(p, curve.metric) for p in curve.points), noise=None, items=None
    )


def _traces(row: CurveRow) -> tuple[Trace, ...]:
    return tuple(form._replace(y=tuple(_centred(y, row.curve.metric) for y in form.y)) for form in row.traces)


def _point(point: Point, metric: MetricSpec) -> Point:
    estimate, low, high = _score(point, metric)
    runs = []
    for run in point.runs:
        of_run, from_, to = _score(run, metric)
        of_seeds = tuple(_centred(value, metric) for value in run.of_seeds)
        runs.append(run._replace(estimate=of_run, low=from_, high=to, of_seeds=of_seeds))
    return replace(point, estimate=estimate, low=low, high=high, runs=tuple(runs))


def _score(of: Point | TrainingRun, metric: MetricSpec) -> tuple[Estimate, float | None, float | None]:
    """A score and the ends of its interval."""
    low, high = (None if end is None else _centred(end, metric) for end in (of.low, of.high))
    if not metric.higher_is_better:  # the ends change places
        low, high = high, low
    unit = _centred(1.0, metric) - _centred(0.0, metric)
    raw = of.estimate
    stderr = None if raw.stderr is None else raw.stderr * abs(unit)
    return raw._replace(value=_centred(raw.value, metric), stderr=stderr, proportion=False), low, high


def _can_be_centred(metric: MetricSpec) -> bool:
    return normalised(0.0, metric) is not None


def _centred(value: float, metric: MetricSpec) -> float:
    """As `normalised`, of a metric that can be centred."""
    found = normalised(value, metric)
    assert found is not None
    return found
