"""Verdicts: one line per task and setting, with the reasons."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from harness.analysis.study import Row, Study, row
from harness.analysis.verdict import to_json

HEADINGS = dict(
    zip(
        Row._fields,
        (
            "Family",
            "Task",
            "Setting",
            "Verdict",
            "Threshold (95 %)",
            "Above chance from",
            "Change",
            "q",
            "Deciding sizes",
            "Why",
            "Evidence",
        ),
        strict=True,
    )
)

study: Study = st.session_state["study"]
st.title("Verdicts")
st.caption(
    "Emergent: absent in the smaller sizes and not foreseen by extrapolating them; apparent, when a steep smooth curve "
    "fits as well. Threshold: where the curve passes chance by 5 points of 100. Above chance from: this size and all "
    "larger ones are. Change: fitted over the scale, smallest to largest size. q: trend test, corrected for all curves "
    "(Benjamini-Hochberg). Deciding sizes: how many there are without which the verdict would be another."
)
rows = [row(verdict) for verdict in study.verdicts]
words = sorted({found.verdict for found in rows})
wanted = st.pills("Show only", words, selection_mode="multi", key="labels")
table = pd.DataFrame([found for found in rows if not wanted or found.verdict in wanted], columns=list(Row._fields))
st.dataframe(table.rename(columns=HEADINGS), hide_index=True, key="verdicts")
st.download_button(
    "Download as JSON",
    json.dumps([to_json(verdict) for verdict in study.verdicts], indent=1, ensure_ascii=False),
    file_name="verdicts.json",
    mime="application/json",
    key="json",
)
