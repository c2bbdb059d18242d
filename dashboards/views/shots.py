"""Shots × scale: what demonstrations add at each size."""

from __future__ import annotations

import streamlit as st
from harness.dashboards import address, charts, state, tables

from harness import figures
from harness.analysis.curves import Curve

MOST = 6  # figures on one page

st.title("Shots × scale")
study, filters = state.look()
groups: dict[tuple[str, str, str, str], list[Curve]] = {}
for curve in filters.curves(study.curves):
    groups.setdefault((curve.task, curve.metric.name, curve.family, f"{curve.prompt} {curve.conditions}"), []).append(
        curve
    )
surfaces = {name: curves for name, curves in groups.items() if len({c.shots for c in curves}) > 1}
if not surfaces:
    st.info(
        "Nothing here was asked with several numbers of demonstrations. Take away a filter in the sidebar, "
        "or ask so: `emergence run --shots 0,2,5`."
    )
    state.end_page()
left, right = st.columns(2)
task = address.choose_one(left.selectbox, "Task", sorted({name[0] for name in surfaces}), "of")
metrics = list(dict.fromkeys(name[1] for name in surfaces if name[0] == task))
metric = address.choose_one(right.selectbox, "Metric", metrics, "metric")
found = [(name, curves) for name, curves in surfaces.items() if name[:2] == (task, metric)]
for number, ((_, _, family, condition), curves) in enumerate(found[:MOST], start=1):
    if len(found) > 1:
        st.text(f"{family}: {condition}")
    # families, prompts and engines can be called alike once they are joined, and each figure needs a name of its own
    which = f"shots-{number}" if len(found) > 1 else "shots"
    name = "-".join(filter(None, (which, family, task, curves[0].prompt)))
    charts.show(
        lambda curves=curves: figures.shots_by_scale(curves),
        name,
        lambda curves=curves: tables.points(curves),
        of=(study.scale, filters, metric, condition),
    )
if len(found) > MOST:
    st.text(f"{len(found) - MOST} more: choose a family or a prompt in the sidebar.")
