"""`emergence classes`: precision, recall and F1 of every label, entity type or relation, and which appears when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.option_groups import Choices, Drawing, Printing, with_groups
from harness.cli.output import print_file, print_json, print_line, print_paragraph, say, table
from harness.cli.result_options import Results, ScaleAxis
from harness.cli.write import csv_text
from harness.errors import PlanError
from harness.reading import answer_reader, read_outcomes
from harness.store import Store
from harness.wording import counted, number, percent, score

if TYPE_CHECKING:
    from harness.analysis.classes import Average, ClassCurves, ClassReport, ClassScore
    from harness.analysis.curves import Scale

_SCHEMES = {"label": "", "strict": ", strict", "partial": ", partial"}
_OF_CELL = ("family", "model", "variant", "revision", "run", "params", "task", "shots", "prompt", "seed", "key")
_COLUMNS = (
    *_OF_CELL,
    "scheme",
    "class",
    "precision",
    "recall",
    "f1",
    "f1_stderr",
    "support",
    "predicted",
    "right",
    "documents",
)
_COUNTS = (*_OF_CELL, "expected", "answered", "documents")


@with_groups
def command(
    *,
    chosen: Choices,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Show the whole report of these models, with the confusion matrix."),
    ] = None,
    scale: ScaleAxis = "params",
    printing: Printing,
    confusion: Annotated[
        bool, typer.Option("--confusion", help="With --format csv: the confusion matrices, a row per pair of classes.")
    ] = False,
    drawing: Drawing,
    results: Results = Path("results"),
) -> None:
    """Report every class of tasks with labels, entities or relations, from the stored answers.

    Without --model: F1 of each class over the sizes, and from which size on the class is there. With it: precision,
    recall, F1 and support of each class, their averages, and which class was taken for which. Answers that name no
    class have a column of their own and are never left out.
    """
    drawing.check()
    if confusion and printing.output_format != "csv":
        raise PlanError("--confusion is for --format csv; the matrix is in the JSON, and in the table with --model")
    done = chosen.results(read_outcomes(results, say).results, model)
    from harness.analysis.classes import class_curves, class_reports

    refused: list[str] = []
    reports = list(class_reports(done, answer_reader(Store(results), say), refused.append))
    if not reports or chosen.task:
        for sentence in refused:
            say(sentence)
    if not reports:
        raise PlanError("no cell has answers with classes: labels, entities or relations")
    curves = class_curves(done, reports, scale)
    if drawing.figure is not None:
        _draw(drawing, reports if model else None, curves)
    if printing.form == "json":
        print_json({"reports": [_object(one) for one in reports], "classes": list(_appearances(curves, scale))})
    elif printing.form == "csv":
        print_file(csv_text(_COUNTS, _confusions(reports)) if confusion else csv_text(_COLUMNS, _rows(reports)))
    elif model:
        for report in reports:
            _show_report(report)
    else:
        for one in curves:
            _show_curves(one)


def _draw(drawing: Drawing, reports: Sequence[ClassReport] | None, curves: Sequence[ClassCurves]) -> None:
    from harness.figures import class_figure, confusion_map

    if reports is None:
        drawing.write([class_figure(one) for one in curves], "Classes over scale")
        return
    drawn = [confusion_map(report) for report in reports if report.matrix is not None]
    drawing.write(drawn, "Which class was taken for which")


def _show_curves(one: ClassCurves) -> None:
    first = one.first
    print_line(f"{first.family} {first.task}, {first.label}: F1 of each class{_SCHEMES[one.scheme]}")
    print_line()
    places = {point.x: point for curve in one.f1.values() for point in curve.points}
    rows = []
    for name, curve in one.f1.items():
        at = {point.x: point for point in curve.points}
        there = one.appears.get(name)
        begins = ("" if name not in one.appears else "never") if there is None else number(there.x)
        values = [score(at[x].estimate.value) if x in at else None for x in sorted(places)]
        rows.append((name, one.support.get(name), *values, begins))
    unnamed = {point.x: point.estimate.value for point in one.unnamed.points}
    if any(unnamed.values()):
        shares = [percent(unnamed[x], 1) if x in unnamed else None for x in sorted(places)]
        rows.append(("(no class)", None, *shares, ""))
    print(table(("class", "support", *(number(x) for x in sorted(places)), "there from"), rows))
    widths = [p.high - p.low for c in one.f1.values() for p in c.points if p.low is not None and p.high is not None]
    error = f" 95 % intervals reach {score(max(widths) / 2)} to both sides at most." if widths else ""
    print_line()
    print_paragraph(f"{first.sizes}, {one.unnamed.documents}.{error}")
    print_line()


def _show_report(report: ClassReport) -> None:
    cell = report.cell
    variant = f" {cell.model.variant}" if cell.model.variant else ""
    print_line(f"{cell.model.name}{variant} {cell.task}, {cell.shots}-shot {cell.prompt} seed {cell.seed}")
    print_line()
    for scheme in report.schemes:
        of_scheme = [row for row in report.rows if row.scheme == scheme]
        rows: list[tuple[object, ...]] = [
            (r.name, score(r.precision), score(r.recall), score(r.f1), r.support, r.predicted) for r in of_scheme
        ]
        if scheme == "label":
            rows.append(("accuracy", None, None, score(report.accuracy), report.n, None))
        rows += [
            (a.name, score(a.precision), score(a.recall), score(a.f1), a.support, None)
            for a in report.averages
            if a.scheme == scheme
        ]
        head = "class" if scheme == "label" else f"{scheme} match"
        print(table((head, "precision", "recall", "F1", "support", "named"), rows))
        print_line()
    if report.matrix is not None:
        columns = ("right \\ answered", *report.names, "(no class)")
        print(table(columns, [(name, *row) for name, row in zip(report.names, report.matrix, strict=True)]))
        print_line()
    elif report.unnamed:
        print_line(f"{counted(report.unnamed, 'piece')} of answers name no known type")
        print_line()
    if report.note:
        print_paragraph(report.note)
        print_line()


def _of_cell(report: ClassReport) -> dict[str, object]:
    cell = report.cell
    return {
        "family": cell.model.family,
        "model": cell.model.name,
        "variant": cell.model.variant,
        "revision": cell.model.revision,
        "run": cell.model.run,
        "params": cell.model.params,
        "task": cell.task,
        "shots": cell.shots,
        "prompt": cell.prompt,
        "seed": cell.seed,
        "key": cell.key,
    }


def _measured(one: ClassScore | Average) -> dict[str, object]:
    return {
        "precision": one.precision,
        "recall": one.recall,
        "f1": one.f1,
        "f1_stderr": one.stderr,
        "support": one.support,
    }


def _counted(row: ClassScore) -> dict[str, object]:
    return {**_measured(row), "predicted": row.predicted, "right": row.right}


def _object(report: ClassReport) -> dict[str, object]:
    return {
        **_of_cell(report),
        "documents": report.n,
        "accuracy": report.accuracy,
        "unnamed": report.unnamed,
        "note": report.note,
        "classes": [{"class": row.name, "scheme": row.scheme, **_counted(row)} for row in report.rows],
        "averages": [{"average": one.name, "scheme": one.scheme, **_measured(one)} for one in report.averages],
        "confusion": None
        if report.matrix is None
        else {
            "expected": list(report.names),
            "answered": [*report.names, None],
            "documents": [*map(list, report.matrix)],
        },
    }


def _appearances(curves: Sequence[ClassCurves], scale: Scale) -> Iterator[dict[str, object]]:
    for one in curves:
        for name, curve in one.f1.items():
            there = one.appears.get(name)
            yield {
                "family": curve.family,
                "task": curve.task,
                "setting": curve.label,
                "scheme": one.scheme,
                "class": name,
                "support": one.support.get(name),
                "scale": scale,
                "there_from": None if there is None else there.x,
                "there_from_model": None if there is None else there.name,
                "points": [
                    {"model": p.name, "x": p.x, "f1": p.estimate.value, "ci_low": p.low, "ci_high": p.high}
                    for p in curve.points
                ],
            }


def _rows(reports: Sequence[ClassReport]) -> Iterator[dict[str, object]]:
    for report in reports:
        of_cell = _of_cell(report)
        for row in report.rows:
            yield {
                **of_cell,
                "scheme": row.scheme,
                "class": row.name,
                **_counted(row),
                "documents": report.n,
            }
        for one in report.averages:
            yield {
                **of_cell,
                "scheme": one.scheme,
                "class": one.name,
                **_measured(one),
                "documents": report.n,
            }


def _confusions(reports: Sequence[ClassReport]) -> Iterator[dict[str, object]]:
    for report in reports:
        for expected, row in zip(report.names, report.matrix or (), strict=False):
            for answered, documents in zip((*report.names, None), row, strict=True):
                yield {**_of_cell(report), "expected": expected, "answered": answered, "documents": documents}
