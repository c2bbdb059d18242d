"""Curves: many tasks at a glance, or a few with the sharp metric beside the smooth one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
from harness.dashboards import charts, state, tables

from harness import figures
from harness.analysis.curves import Curve
from harness.analysis.growth import traces
from harness.analysis.verdict import Centred, Verdict, centred, headline, partner, row

# Tasks that are shown with both metrics; of more there is a small panel each.
FEW = 3
# Small panels on one page: as many as a screen holds, and more would keep the browser busy for seconds.
PANELS = 8


def glance(drawn: Sequence[Curve], verdicts: Sequence[Verdict], tasks: Sequence[str]) -> None:
    """A small panel for each task."""
    st.text("Choose a task in the sidebar to see both its metrics, its threshold and its growth forms.")
    pages = -(-len(tasks) // PANELS)
    page = state.one(st.selectbox, "Page", range(1, pages + 1), "page") if pages > 1 else 1
    shown = set(tasks[(page - 1) * PANELS : page * PANELS])
    panels = [c for c in headline(drawn) if c.task in shown]
    charts.show(
        lambda: figures.overview(panels, verdicts),
        "curves",
        lambda: tables.points(panels),
        of=(study.scale, wanted, scores, page),
    )


def closely(drawn: Sequence[Curve], *, with_fits: bool, on_chance: bool) -> None:
    """Both metrics of one task, and the reasons for its verdicts."""
    task, verdicts = drawn[0].task, [v for v in study.verdicts if v.curve in drawn]
    both = [*headline(drawn), *partner(drawn)]
    shown = centred(both).curves if on_chance else both

    def draw() -> Any:
        found = zip(both, traces(both), strict=True) if with_fits else ()
        made = Centred(tuple(both), tuple(verdicts), {curve: forms[:1] for curve, forms in found})
        of, marks, forms = centred(*made) if on_chance else made
        return figures.sharp_and_smooth(headline(of), [c for c in of if c.rank > 0], marks, forms)

    if headline(shown):
        of = (study.scale, wanted, with_fits, on_chance)
        charts.show(draw, task, lambda: tables.points(shown), of=of)
    else:
        st.text(f"{task}: the headline metric has no chance level, and cannot be centred.")
    for verdict in verdicts:
        said = row(verdict)
        st.text(f"{said.family}, {said.setting}: {said.verdict}. {said.why}")


st.title("Emergent-ability curves")
study, wanted = state.look()
state.say_basis(state.outcomes())
left, right = st.columns(2)
about = "centred: 0 is chance, 1 is perfect, so that tasks can be compared. Metrics without a chance level drop out."
scores = state.one(left.radio, "Scores", ["raw", "centred"], "y", horizontal=True, help=about)
fits = state.one(right.radio, "Growth forms of a few tasks", ["shown", "hidden"], "fits", horizontal=True) == "shown"
drawn = wanted.curves(study.curves)
tasks = sorted({c.task for c in drawn})
if not tasks:
    st.info("No curve matches. Take away a filter in the sidebar.")
elif len(tasks) <= FEW:
    for task in tasks:
        closely([c for c in drawn if c.task == task], with_fits=fits, on_chance=scores == "centred")
elif scores == "raw":
    glance(drawn, study.verdicts, tasks)
else:
    curves, verdicts, _ = centred(headline(drawn), study.verdicts)
    glance(curves, verdicts, sorted({c.task for c in curves}))
