"""Leaderboard: headline scores by model, and the whole table for download."""

from __future__ import annotations

import streamlit as st

from harness import figures
from harness.analysis.study import Study
from harness.leaderboard import centred, tidy, to_csv, wide

study: Study = st.session_state["study"]
st.title("Leaderboard")
st.caption(
    "Headline scores, few-shot seeds averaged; empty means no score. mean_normalized is the unweighted mean of "
    "chance-centred scores, given only for models that have every score."
)
board = wide(study.results, study.failures)
st.dataframe(board, hide_index=True, key="board")
left, right = st.columns(2)
left.download_button(
    "Download every score (tidy CSV)",
    to_csv(tidy(study.results, study.failures)),
    file_name="leaderboard.csv",
    mime="text/csv",
    key="tidy",
)
right.download_button(
    "Download this table (CSV)", to_csv(board), file_name="leaderboard-wide.csv", mime="text/csv", key="wide"
)
figure = figures.heat_map(centred(study.results, study.failures))
st.plotly_chart(figure, key="heat")
st.caption(figures.caption(figure))
