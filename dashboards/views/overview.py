"""Overview: what was asked of whom, what came of it, and what changed last."""

from __future__ import annotations

import streamlit as st
from harness.dashboards import charts, state, tables

from harness import figures

# Newest cells shown. A comment: Streamlit would print a text that stands alone here.
LAST = 10
GUIDE = (
    ("curves", "**Curves**: scores over scale, task by task, with error bars and chance."),
    ("verdicts", "**Verdicts**: which abilities emerge, grow smoothly or stay flat, and why."),
    ("leaderboard", "**Leaderboard**: every model on every task, and how sure the order is."),
)


st.title("Emergent abilities by model size")
everything: state.Outcomes = state.outcomes()
axis, wanted = state.scale(), state.filters(everything)
held = state.Outcomes(wanted.cells(everything.results), wanted.cells(everything.failures), everything.problems)
if held.results or held.failures:
    st.dataframe(
        tables.families(held.results, held.failures),
        hide_index=True,
        key="families",
        alt="Families of models and their cells",
    )
for problem in held.problems:
    st.text(f"Skipped {problem}")
if held.results:
    for page, sentence in GUIDE:
        st.page_link(f"views/{page}.py", label=sentence)
# Judging takes longest: its place is kept, and filled when everything else can be seen.
judged = st.container()
if held.results or held.failures:
    st.subheader("What changed last")
    st.dataframe(
        tables.newest([*held.results, *held.failures], LAST), hide_index=True, key="newest", alt="Cells that ended last"
    )
state.require_results(everything)
with judged:
    st.subheader("What the curves show")
    made = state.study(axis)
    verdicts = wanted.verdicts(made.verdicts)
    if verdicts:
        charts.show(figures.verdict_counts(verdicts), "verdict-counts", lambda: tables.counted(verdicts))
    elif made.curves:
        st.info("No curve matches. Take away a filter in the sidebar.")
    else:
        st.info(f"None of the models has a known place on the axis of {axis}. Choose another scale axis.")
