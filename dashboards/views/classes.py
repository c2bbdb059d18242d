"""Classes: F1 of each label, entity type or relation over scale, and the whole report of one model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import streamlit as st
from harness.dashboards import address, charts, state, tables

from harness import figures
from harness.analysis.classes import ClassCurves, ClassReport, class_curves, class_reports
from harness.analysis.curves import Scale
from harness.records import CellResult
from harness.wording import count, score

MOST = 4  # figures over scale on one page


class TaskClasses(NamedTuple):
    """What one task has of classes."""

    reports: Sequence[ClassReport]
    """The report of each cell."""
    curves: Sequence[ClassCurves]
    """F1 of each class over the sizes, by setting and scheme."""


@st.cache_resource(max_entries=2, show_spinner="Looking for classes")
def with_classes(version: state.Version, _results: Sequence[CellResult]) -> list[str]:
    """The tasks whose answers have classes, told by one cell of each."""
    first = {result.cell.task: result for result in reversed(_results)}
    return sorted({report.cell.task for report in class_reports(first.values(), state.stored_answers)})


@st.cache_resource(max_entries=20, show_spinner="Counting classes")
def of_task(
    version: state.Version, filters: state.Filters, task: str, scale: Scale, _results: Sequence[CellResult]
) -> TaskClasses:
    """The reports and curves of one task; `version` and `filters` are keys of the cache."""
    chosen = sorted((one for one in _results if one.cell.task == task), key=lambda one: one.cell.model.params or 0)
    reports = list(class_reports(chosen, state.stored_answers))
    return TaskClasses(reports, class_curves(chosen, reports, scale))


def class_points(one: ClassCurves) -> pd.DataFrame:
    """The numbers behind a figure over scale."""
    rows: pd.DataFrame = tables.points(one.f1.values()).assign(scheme=one.scheme)
    return rows.rename(columns={"metric": "class"}).drop(columns="chance")


def class_table(report: ClassReport) -> pd.DataFrame:
    """A row per class and average."""
    rows: list[tuple[object, ...]]
    rows = [(r.scheme, r.name, r.precision, r.recall, r.f1, r.support, r.predicted) for r in report.rows]
    rows += [(a.scheme, a.name, a.precision, a.recall, a.f1, a.support, None) for a in report.averages]
    table = pd.DataFrame(rows, columns=["Right", "Class", "Precision", "Recall", "F1", "Support", "Named"])
    return table.astype({"Support": "Int64", "Named": "Int64"}).drop(columns="Right" if report.matrix else [])


def name_of_cell(report: ClassReport) -> str:
    """What the reader calls a cell of the task."""
    cell = report.cell
    run = "" if cell.model.run is None else f"run {cell.model.run}"
    parts = (cell.model.name, run, cell.model.variant or "", f"{cell.shots}-shot", cell.prompt, f"seed {cell.seed}")
    return " ".join(part for part in parts if part and part != "default")


st.title("Classes")
st.caption(
    "Which label, entity type or relation does a model know, and from which size on? Computed from the stored answers. "
    "Answers that name no class are counted, never left out."
)
scale = state.scale()
outcomes = state.outcomes()
state.require_results(outcomes)
filters = state.filters(outcomes)
results = filters.cells(outcomes.results)
names = [name for name in with_classes(state.version(), outcomes.results) if name in {r.cell.task for r in results}]
if not names:
    st.info("No task here has classes: labels, entities or relations. Take away a filter in the sidebar.")
    state.end_page()
task = address.choose_one(st.selectbox, "Task", names, "of")
reports, curves = of_task(state.version(), filters, task, scale, results)
if not reports:
    st.info("None of these cells has answers with classes.")
    state.end_page()
for number, one in enumerate(curves[:MOST], start=1):
    charts.show(
        lambda one=one: figures.class_figure(one),
        f"classes-{number}-{task}",
        lambda one=one: class_points(one),
        of=(filters, task, scale, number),
    )
if len(curves) > MOST:
    st.text(f"{len(curves) - MOST} more: choose a family, a number of shots or a prompt in the sidebar.")
st.subheader("One model")
cells = [name_of_cell(report) for report in reports]
chosen = address.choose_one(st.selectbox, "Cell", cells, "cell", first=len(cells) - 1)
report = reports[cells.index(chosen)]
board = class_table(report)
st.dataframe(
    tables.written(board, tables.scores(board)), hide_index=True, placeholder="", alt="Scores, a row per class"
)
accuracy = "" if report.accuracy is None else f"; accuracy {score(report.accuracy)}"
st.text(f"{count(report.n)} documents, of which {count(report.unnamed)} answers name no class{accuracy}.")
if report.note:
    st.text(report.note)
charts.download("This table (CSV)", f"class-report-{task}", lambda: board)
if report.matrix is not None:
    matrix = pd.DataFrame(
        report.matrix, index=pd.Index(report.names, name="right"), columns=[*report.names, "(no class)"]
    )
    charts.show(
        lambda: figures.confusion_map(report), f"confusion-{task}", matrix.reset_index, of=(filters, task, chosen)
    )
