"""Curves: many tasks at a glance, or a few with the sharp metric beside the smooth one."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from harness.dashboards import address, cards, charts, state, tables

from harness import figures
from harness.analysis.verdict import CurveRow, Judged, centred, partner_rows, table_row, with_traces

# Tasks that are shown with both metrics; of more there is a small panel each.
FEW = 3
# Of these, as many on a page as are still near each other on a narrow screen.
TALL, MOST_SETTINGS = 2, 5
# Small panels on one page: as many as a screen holds, and more would keep the browser busy for seconds.
PANELS = 8
# Verdicts below the figures of a task; more are folded up.
LINES = 6


def glance(judged: Sequence[Judged]) -> None:
    """A small panel for each task, side by side as far as there is room."""
    st.text("Choose a task in the sidebar to see both its metrics, its threshold and its growth forms.")
    tasks = sorted({row.curve.task for row in judged})
    place = st.container()
    page = address.turn_page(-(-len(tasks) // PANELS), "page")
    lines = figures.lines_of([row.curve for row in judged])
    shown = tasks[(page - 1) * PANELS : page * PANELS]
    panels = [[row for row in judged if row.curve.task == task] for task in shown]
    drawn = charts.drawn_once(
        "curves", lambda: figures.task_panels(panels, lines), of=(study.scale, filters, scores, page)
    )
    with place:
        charts.legend(lines.values())
    with place.grid(4, min_column_width=230, gap="small") as grid:
        for number, (panel, figure) in enumerate(zip(panels, drawn, strict=True), start=1):
            with grid.cell():
                charts.show(
                    lambda figure=figure: figure,
                    f"curves-{number}",
                    lambda panel=panel: tables.points(row.curve for row in panel),
                    of=(study.scale, filters, scores, page),
                )
    st.caption(figures.panels_caption([row.curve for row in judged], centred=scores == "centred"))


def show_task(task: str, judged: Sequence[Judged]) -> None:
    """Both metrics of one task, and the reasons for its verdicts."""
    shown = prepared(judged)
    if shown:
        grid = st.grid(2, min_column_width=340, gap="small")
        for number, metric in enumerate((shown, partner_rows(shown))):
            if metric:
                with grid.cell():
                    charts.show(
                        lambda number=number: figures.curve_figure(both(judged)[number], look=figures.CELL_LOOK),
                        task if number == 0 else f"{task}-{metric[0].curve.metric.name}",
                        lambda metric=metric: tables.points(row.curve for row in metric),
                        of=(study.scale, filters, fits, scores),
                    )
    else:
        st.text(f"{task}: the headline metric has no chance level, and cannot be centred.")
    cards.offer(task)
    for row in judged[:LINES]:
        say_verdict(row)
    if len(judged) > LINES:
        with st.expander(f"{len(judged) - LINES} more settings"):
            for row in judged[LINES:]:
                say_verdict(row)


def say_verdict(row: Judged) -> None:
    """A verdict in one line, with all its reasons and what other pages show of it folded up."""
    words, (first, *others) = table_row(row), row.verdict.reasons
    st.text(f"{words.family}, {words.setting}: {words.verdict}. {first}")
    with st.expander("All reasons, and more on this curve"):
        st.text(" ".join(others))
        state.links(row, study.scale, leave_out="curves")


def both(judged: Sequence[Judged]) -> tuple[Sequence[CurveRow], Sequence[CurveRow]]:
    """The headline metric and the continuous one as they are drawn, with growth forms if the reader wants them."""
    rows = prepared(with_traces(judged) if fits else judged)
    return rows, partner_rows(rows)


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
    # Captions and legends name every setting, so that tasks of many settings are tall.
    at_once = TALL if len(judged) <= MOST_SETTINGS * len(tasks) else 1
    place = st.container()
    page = address.turn_page(-(-len(tasks) // at_once), "page")
    with place:
        for task in tasks[(page - 1) * at_once : page * at_once]:
            show_task(task, [row for row in judged if row.curve.task == task])
else:
    glance(prepared(judged))
