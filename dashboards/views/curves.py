"""Curves: all tasks of a family at a glance, or one task with the sharp metric beside the smooth one."""

from __future__ import annotations

import streamlit as st

from harness import figures
from harness.analysis.study import Study, headline, partner, row
from harness.analysis.trace import traces

ALL = "All tasks"

study: Study = st.session_state["study"]
st.title("Emergent-ability curves")
left, right = st.columns(2)
family = left.selectbox("Family", study.families, key="family")
tasks = sorted({c.task for c in study.of(family)})
task = right.selectbox("Task", [ALL, *tasks], key="task")

if task == ALL:
    figure = figures.overview(study.of(family), study.verdicts)
else:
    drawn = study.of(family, task)
    labels = list(dict.fromkeys(c.label for c in drawn))
    shown = st.pills("Settings", labels, selection_mode="multi", default=labels, key=f"settings {family} {task}")
    drawn = tuple(c for c in drawn if c.label in (shown or labels))
    sharp, smooth = headline(drawn), partner(drawn)
    both = (*sharp, *smooth)
    best = {curve: forms[:1] for curve, forms in zip(both, traces(both), strict=True)}
    figure = figures.sharp_and_smooth(sharp, smooth, study.verdicts, best)
st.plotly_chart(figure, key="figure")
st.caption(figures.caption(figure))
if task != ALL:
    for verdict in study.verdicts:
        if verdict.curve in drawn:
            found = row(verdict)
            st.markdown(f"**{found.setting}: {found.verdict}.**")
            st.text(found.why)
