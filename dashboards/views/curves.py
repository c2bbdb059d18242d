"""Curves: many tasks at a glance, or a few with the sharp metric beside the smooth one."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from harness.dashboards import address, charts, state, tables

from harness import figures
from harness.analysis.verdict import Judged, centred, partner_rows, table_row, with_traces

# Tasks that are shown with both metrics; of more there is a small panel each.
FEW = 3
# Small panels on one page: as many as a screen holds, and more would keep the browser busy for seconds.
PANELS = 8


def glance(judged: Sequence[Judged]) -> None:
    """A small panel for each task."""
    st.text("Choose a task in the sidebar to see both its metrics, its threshold and its growth forms.")
    tasks = sorted({row.curve.task for row in judged})
    pages = -(-len(tasks) // PANELS)
    page = address.choose_one(st.selectbox, "Page", range(1, pages + 1), "page") if pages > 1 else 1
    shown = set(tasks[(page - 1) * PANELS : page * PANELS])
    panels = [row for row in judged if row.curve.task in shown]
    charts.show(
        lambda: figures.overview(panels),
        "curves",
        lambda: tables.points(row.curve for row in panels),
        of=(study.scale, filters, scores, page),
    )


def show_task(task: str, judged: Sequence[Judged]) -> None:
    """Both metrics of one task, and the reasons for its verdicts."""
    shown = prepared(judged)
    if shown:
        charts.show(
            lambda: figures.sharp_and_smooth(prepared(with_traces(judged) if fits else judged)),
            task,
            lambda: tables.points(row.curve for row in (*shown, *partner_rows(shown))),
            of=(study.scale, filters, fits, scores),
        )
    else:
        st.text(f"{task}: the headline metric has no chance level, and cannot be centred.")
    for row in judged:
        words = table_row(row)
        st.text(f"{words.family}, {words.setting}: {words.verdict}. {words.why}")


def prepared(judged: Sequence[Judged]) -> Sequence[Judged]:
    """The rows with the scores that the reader chose."""
    return centred(judged) if scores == "centred" else judged


st.title("Emergent-ability curves")
study, filters = state.look()
state.say_basis(study)
left, right = st.columns(2)
about = "centred: 0 is chance, 1 is perfect, so that tasks can be compared. Metrics without a chance level drop out."
scores = address.choose_one(left.radio, "Scores", ["raw", "centred"], "y", horizontal=True, help=about)
fits = (
    address.choose_one(right.radio, "Growth forms of a few tasks", ["shown", "hidden"], "fits", horizontal=True)
    == "shown"
)
judged = filters.judged(study.judged)
tasks = sorted({row.curve.task for row in judged})
if not tasks:
    st.info("No curve matches. Take away a filter in the sidebar.")
elif len(tasks) <= FEW:
    for task in tasks:
        show_task(task, [row for row in judged if row.curve.task == task])
else:
    glance(prepared(judged))
