"""F1 of every class over the sizes of a family, and the size from which on a class is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.analysis.classes.types import ClassReport, ClassScore, Scheme
from harness.analysis.curves import Curve, Measurement, Point, Scale, curves_of, measured_results
from harness.analysis.stats import ALPHA, PRACTICAL_EFFECT, above_chance_p
from harness.records import CellResult, Score
from harness.specs import MetricSpec

MACRO = "macro avg"
"""The curve beside those of the classes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassCurves:
    """The classes of one task in one setting over the sizes of one family."""

    scheme: Scheme
    """What counts as right."""
    f1: Mapping[str, Curve]
    """Class -> its F1; the last is that of `MACRO`."""
    support: Mapping[str, int]
    """Class -> how often it is right among the documents of one cell."""
    appears: Mapping[str, Point | None]
    """Class -> the size from which on it is there, see `class_curves`; None where it never is."""
    unnamed: Curve
    """Share of documents whose answer names no class; of entities and relations pieces per document."""

    @property
    def first(self) -> Curve:
        """One of the curves, for what all of them share."""
        return next(iter(self.f1.values()))


def class_curves(
    results: Iterable[CellResult], reports: Iterable[ClassReport], scale: Scale = "params"
) -> tuple[ClassCurves, ...]:
    """The curves of every task and setting that has classes, one for each scheme.

    Points, training runs, seeds and what can be joined are as in `harness.analysis.curves.curves`; the interval of a
    point is that of F1 over documents, by the delta method, and over training runs where there are several.

    A class is there from the smallest size on from which this and all larger sizes pass a one-sided test of 5 %
    divided by the number of sizes. A label is tested by its informedness, the share of its own documents that get it
    minus the share of the others that do, which is 0 for answers that know nothing of it, however often they name it
    (Powers 2011, Journal of Machine Learning Technologies 2:37). Entities and relations are tested by F1 against 0.05.

    Args:
        results: the cells of the reports, and others.
        reports: the reports of cells, in any order.
        scale: the x axis.
    """
    by_key = {result.cell.key: result for result in results}
    grouped: dict[tuple[object, ...], list[ClassReport]] = {}
    for report in reports:
        cell = report.cell
        grouped.setdefault((cell.model.family, cell.task, cell.shots, cell.prompt), []).append(report)
    made: list[ClassCurves] = []
    for alike in grouped.values():
        for scheme in alike[0].schemes:
            made += _of_setting([by_key[report.cell.key] for report in alike], alike, scheme, scale)
    return tuple(sorted(made, key=lambda one: one.first.setting))


def _of_setting(
    results: Sequence[CellResult], reports: Sequence[ClassReport], scheme: Scheme, scale: Scale
) -> list[ClassCurves]:
    names = list(dict.fromkeys(name for report in reports for name in report.names))
    metrics = _metrics(names, scheme)
    measured = [
        _measured(result, report, names, metrics, scheme) for result, report in zip(results, reports, strict=True)
    ]
    by_setting: dict[tuple[str | None, str], list[Curve]] = {}
    for curve in curves_of(measured, scale=scale):
        by_setting.setdefault((curve.split, curve.conditions), []).append(curve)
    support = {row.name: row.support for report in reports for row in report.rows if row.scheme == scheme}
    return [_joined(curves, names, support, scheme) for curves in by_setting.values()]


def _metrics(names: Sequence[str], scheme: Scheme) -> tuple[MetricSpec, ...]:
    """F1 of each class and their mean, the share without a class, then what tests whether a class is there."""
    level = None if scheme == "label" else PRACTICAL_EFFECT
    f1 = [MetricSpec(name=f"F1 of {name}", chance=level) for name in (*names, MACRO)]
    unnamed = MetricSpec(name="no class", chance=None, higher_is_better=False, best=0.0)
    informed = [MetricSpec(name=f"informedness of {name}", chance=0.0, continuous=True) for name in names]
    return (*f1, unnamed, *(informed if scheme == "label" else ()))


def _measured(
    result: CellResult, report: ClassReport, names: Sequence[str], metrics: Sequence[MetricSpec], scheme: Scheme
) -> Measurement:
    rows = {row.name: row for row in report.rows if row.scheme == scheme}
    macro = next(one for one in report.averages if one.scheme == scheme and one.name == MACRO)
    values: list[tuple[float, float | None, int] | None] = [
        (rows[name].f1, rows[name].stderr, rows[name].n) if name in rows and rows[name].n else None for name in names
    ]
    values += [(macro.f1, macro.stderr, report.n), _share(report)]
    if scheme == "label":
        values += [_informedness(rows[name], report.n) if name in rows else None for name in names]
    scores = {
        metric.name: Score(metric=metric.name, value=value[0], stderr=value[1], n=value[2])
        for metric, value in zip(metrics, values, strict=True)
        if value is not None
    }
    (measured,) = measured_results([result])
    return replace(measured, metrics=tuple(metrics), scores=scores)


def _share(report: ClassReport) -> tuple[float, float | None, int]:
    share = report.unnamed / report.n
    return share, None if share > 1 or report.n < 2 else (share * (1 - share) / (report.n - 1)) ** 0.5, report.n


def _informedness(row: ClassScore, n: int) -> tuple[float, float | None, int] | None:
    """Share of a label's own documents that get it minus that of the others, with the error of the two shares."""
    own, others = row.support, n - row.support
    if not own or not others:
        return None
    hit, false = row.right / own, (row.predicted - row.right) / others
    return hit - false, (hit * (1 - hit) / own + false * (1 - false) / others) ** 0.5, n


def _joined(curves: Sequence[Curve], names: Sequence[str], support: Mapping[str, int], scheme: Scheme) -> ClassCurves:
    by_name = {curve.metric.name: curve for curve in curves}
    f1 = {name: by_name[f"F1 of {name}"] for name in (*names, MACRO) if f"F1 of {name}" in by_name}
    tested = {
        name: by_name.get(f"informedness of {name}") if scheme == "label" else curve for name, curve in f1.items()
    }
    return ClassCurves(
        scheme=scheme,
        f1=f1,
        support={name: support.get(name, 0) for name in names},
        appears={
            name: None if (curve := tested[name]) is None else _first_there(curve) for name in names if name in f1
        },
        unnamed=by_name["no class"],
    )


def _first_there(curve: Curve) -> Point | None:
    """The first point from which on this and all later ones are above chance."""
    found: Point | None = None
    for point, estimate in zip(reversed(curve.points), reversed(curve.run_estimates), strict=True):
        p = above_chance_p(estimate, curve.metric)
        if p is None or p >= ALPHA / len(curve.points):
            break
        found = point
    return found
