"""Verdicts: one line per task and setting; choosing one shows its curve, its reasons and its evidence."""

from __future__ import annotations

import streamlit as st
from harness.dashboards import address, charts, state, tables

from harness import figures
from harness.analysis.verdict import Judged, label_text, to_json
from harness.wording import visible_json


def show_verdict(row: Judged) -> None:
    """The curve, its reasons and its evidence."""
    curve, verdict = row.curve, row.verdict
    st.subheader("The curve and its evidence")
    charts.show(
        lambda: figures.sharp_and_smooth([row]),
        "verdict",
        lambda: tables.points([curve, row.partner.curve] if row.partner else [curve]),
        of=(study.scale, curve.setting),
    )
    for reason in verdict.reasons:
        st.text(f"• {reason}")
    asked = {"family": curve.family, "task": curve.task, "shots": str(curve.shots), "prompt": curve.prompt}
    st.page_link(
        "views/curves.py",
        label="Show it among the curves",
        icon=":material/show_chart:",
        query_params={"scale": study.scale, **{key: value for key, value in asked.items() if key in st.session_state}},
    )
    st.dataframe(
        tables.evidence(verdict.evidence),
        hide_index=True,
        key="evidence",
        alt="Numbers behind the verdict",
    )


st.title("Verdicts")
study, filters = state.look()
st.caption(
    "Emergent: absent in the smaller sizes and not foreseen by extrapolating them; apparent, when a steep smooth curve "
    "fits as well. Threshold: where the curve passes chance by 5 points of 100; < and + lie outside the sizes "
    "measured. Above chance from: this size and all larger ones are. Change: fitted over the scale, smallest to "
    "largest size. q: trend test, corrected for all curves (Benjamini-Hochberg). Deciding sizes: how many there are "
    "without which the verdict would be another."
)
state.say_basis(study)
judged = filters.judged(study.judged)
words = sorted({label_text(row.verdict) for row in judged})
only = address.several(st.multiselect, "Verdict", words, "verdict")
shown = [row for row in judged if not only or label_text(row.verdict) in only]
if not shown:
    st.info("No verdict matches. Take away a filter.")
    st.stop()
st.text("Choose a line at its left edge to see the curve and the evidence. Click a heading to sort.")
rows = tables.verdicts(shown)
chosen = st.dataframe(
    tables.written(rows, tables.VERDICT_NUMBERS),
    hide_index=True,
    column_config={
        "Verdict": st.column_config.TextColumn(width=150)  # the first lines may be shorter than the others
    },
    placeholder="",
    # Another choice of lines is another table: a selection must not slip to a neighbour.
    key=f"verdicts {study.scale} {sorted(only)} {len(shown)} {hash(filters)}",
    on_select="rerun",
    selection_mode="single-row",
    alt="One verdict per task and setting",
)
charts.download("These verdicts (CSV)", "verdicts", lambda: rows)
st.download_button(
    "All verdicts (JSON)",
    lambda: visible_json([to_json(row) for row in study.judged], indent=1),
    file_name="verdicts.json",
    mime="application/json",
    key="json",
    on_click="ignore",
    icon=":material/download:",
)
if chosen.selection.rows:
    show_verdict(shown[chosen.selection.rows[0]])
