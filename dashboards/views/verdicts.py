"""Verdicts: one line per task and setting; choosing one shows its curve, its reasons and its evidence."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st
from harness.dashboards import charts, state

from harness import figures
from harness.analysis.study import Row, partner, row
from harness.analysis.verdict import EVIDENCE, Verdict, to_json

HEADINGS = {
    "family": "Family",
    "task": "Task",
    "setting": "Setting",
    "verdict": "Verdict",
    "threshold": "Threshold (95 %)",
    "above_chance_from": "Above chance from",
    "change": "Change",
    "q": "q",
    "deciding_sizes": "Deciding sizes",
    "why": "Why",
    "evidence": "Evidence",
}


def closely(verdict: Verdict) -> None:
    """The curve, its reasons and its evidence."""
    curve = verdict.curve
    st.subheader("The curve and its evidence")
    beside = partner(c for c in study.curves if c.setting == curve.setting)
    both = (curve, *beside)
    charts.show(figures.sharp_and_smooth([curve], beside, [verdict]), "verdict", lambda: charts.points(both))
    for reason in verdict.reasons:
        st.text(f"• {reason}")
    asked = {"family": curve.family, "task": curve.task, "shots": str(curve.shots), "prompt": curve.prompt}
    several = {name: value for name, value in asked.items() if name in st.session_state}
    st.page_link(
        "views/curves.py",
        label="Show it among the curves",
        icon=":material/show_chart:",
        query_params={"scale": study.scale, **several},
    )
    known = [(name, value, EVIDENCE[name]) for name, value in verdict.evidence.items() if value is not None]
    evidence = pd.DataFrame(known, columns=["Evidence", "Value", "What it is"])
    st.dataframe(evidence, hide_index=True, key="evidence", alt="Numbers behind the verdict")


st.title("Verdicts")
study, wanted = state.look()
st.caption(
    "Emergent: absent in the smaller sizes and not foreseen by extrapolating them; apparent, when a steep smooth curve "
    "fits as well. Threshold: where the curve passes chance by 5 points of 100. Above chance from: this size and all "
    "larger ones are. Change: fitted over the scale, smallest to largest size. q: trend test, corrected for all curves "
    "(Benjamini-Hochberg). Deciding sizes: how many there are without which the verdict would be another."
)
taken = {id(curve) for curve in wanted.curves(study.curves)}
judged = [(verdict, row(verdict)) for verdict in study.verdicts if id(verdict.curve) in taken]
words = sorted({said.verdict for _, said in judged})
only = st.multiselect("Verdict", words, key="verdict", bind="query-params", placeholder="all")
shown = [(verdict, said) for verdict, said in judged if not only or said.verdict in only]
if not shown:
    st.info("No verdict matches. Take away a filter.")
    st.stop()
st.text("Choose a line at its left edge to see the curve and the evidence.")
chosen = st.dataframe(
    pd.DataFrame([said for _, said in shown], columns=list(Row._fields)).rename(columns=HEADINGS),
    hide_index=True,
    # Another choice of lines is another table: a selection must not slip to a neighbour.
    key=f"verdicts {study.scale} {wanted} {only}",
    on_select="rerun",
    selection_mode="single-row",
    alt="One verdict per task and setting",
)
st.download_button(
    "All verdicts (JSON)",
    lambda: json.dumps([to_json(verdict) for verdict in study.verdicts], indent=1, ensure_ascii=False),
    file_name="verdicts.json",
    mime="application/json",
    key="json",
    on_click="ignore",
    icon=":material/download:",
)
if chosen.selection.rows:
    closely(shown[chosen.selection.rows[0]][0])
