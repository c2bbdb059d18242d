"""Overview: what was asked of whom, what came of it, and what changed last.

From the top down in the order in which it is known: numbers at once, verdicts when they are judged, the figure last.
"""

from __future__ import annotations

import streamlit as st
from harness.dashboards import charts, state, summary

from harness.store import Outcomes
from harness.wording import count

# Newest cells shown. A comment: Streamlit would print a text that stands alone here.
LAST = 10
GUIDE = (
    ("curves", "**Curves**: scores over scale, task by task, with error bars and chance."),
    ("verdicts", "**Verdicts**: which abilities emerge, grow smoothly or stay flat, and why."),
    ("leaderboard", "**Leaderboard**: every model on every task, and how sure the order is."),
)


def show_numbers(of: dict[str, int], key: str) -> None:
    """A row of numbers, each below its name."""
    with st.container(horizontal=True, gap="large", key=key):
        for name, value in of.items():
            st.metric(name, count(value), width="content")


st.title("Emergent abilities by model size")
everything: Outcomes = state.outcomes()
axis, filters = state.scale(), state.filters(everything)
outcomes = Outcomes(filters.cells(everything.results), filters.cells(everything.failures), everything.problems)
if outcomes.results or outcomes.failures:
    families = summary.families(outcomes.results, outcomes.failures)
    show_numbers({"Families": len(families), **summary.counts(outcomes.results, outcomes.failures)}, "counts")
for problem in outcomes.problems:
    st.text(f"Skipped {problem}")
# Judging takes longest: its place is kept, and filled when everything else can be seen.
verdicts = st.container()
if outcomes.results or outcomes.failures:
    st.subheader("Families")
    st.html(summary.html(families, "Families of models and their cells"))
    st.subheader("What changed last")
    st.html(summary.html(summary.newest([*outcomes.results, *outcomes.failures], LAST), "Cells that ended last"))
state.require_results(everything)
with verdicts:
    st.subheader("What the curves show")
    study = state.current_study(axis)
    judged = filters.judged(study.judged)
    if judged:
        show_numbers(summary.curves_by_verdict(judged), "verdicts")
        st.caption("Curves by verdict: each is the headline metric of one task in one setting.")
        state.say_basis(study)
    elif study.curves:
        st.info("No curve matches. Take away a filter in the sidebar.")
    else:
        st.info(f"None of the models has a known place on the axis of {axis}. Choose another scale axis.")
    for page, sentence in GUIDE:
        st.page_link(f"views/{page}.py", label=sentence)
if judged:
    charts.let_draw()
    # Loaded only now: plotly and pandas take half a second, and everything above needs neither.
    from harness.dashboards import tables

    from harness import figures

    st.subheader("Verdicts by family")
    charts.show(
        lambda: figures.verdict_counts(judged),
        "verdict-counts",
        lambda: tables.verdict_bars(judged),
        of=(axis, filters),
    )
