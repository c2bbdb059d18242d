"""Overview: the answer first, family by family; then what was asked of whom, and what changed last.

Numbers are known at once, verdicts when they are judged, the figure comes last: the place of the answer is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st
from harness.dashboards import address, charts, state, summary

from harness.analysis.verdict import FamilyFindings, Judged, findings
from harness.runs.progress import cells_to_come
from harness.store import Outcomes
from harness.wording import count, counted

# Newest cells shown; families on a page, and findings of each, which are as many as fit a screen or two. Comments:
# Streamlit would print a text that stands alone here.
LAST = 8
# Files that cannot be read and are named here.
PROBLEMS = 1
FAMILIES = 4
FINDINGS, FEWER = 6, 1
GUIDE = (
    ("curves", "Curves", "Scores over scale, task by task, with error bars and chance."),
    ("verdicts", "Verdicts", "Which abilities emerge, grow smoothly or stay flat, and why."),
    ("metric", "Metric or ability", "The sharp and the smooth metric of the same answers on one axis."),
    ("leaderboard", "Leaderboard", "Every model on every task, and how sure the order is."),
)
CELL = (
    "A cell is one model asked all documents of one task in one setting: a number of demonstrations (shots), a prompt "
    "and a seed. Each curve is made of the cells of one setting, one for each size."
)


def show_numbers(of: dict[str, int], key: str) -> None:
    """A row of numbers, each below its name."""
    with st.container(horizontal=True, gap="large", key=key):
        for name, value in of.items():
            st.metric(name, count(value), width="content")


def show_answer(judged: Sequence[Judged]) -> None:
    """What each family shows: one sentence, and the curves that matter."""
    done, failed, _ = everything
    to_come = cells_to_come(done, failed, state.store().runs()[0], datetime.now(UTC))
    answers = findings(judged, to_come=to_come)
    place = st.container()
    page = address.turn_page(-(-len(answers) // FAMILIES), "families-page")
    with place:
        for answer in answers[(page - 1) * FAMILIES : page * FAMILIES]:
            show_family(answer, FINDINGS if len(answers) <= 2 else FEWER)


def show_family(answer: FamilyFindings, most: int) -> None:
    """The answer for one family, and what a reader should look at first."""
    st.html(summary.answer(answer))
    if not answer.matters:
        return
    # Not too narrow for a small curve with a sentence beside it, and two side by side where there is room.
    grid = st.grid(2, min_column_width=330, gap="small")
    for finding in answer.matters[:most]:
        with grid.cell():
            st.html(summary.finding(finding))
            st.page_link(
                "views/verdicts.py",
                label="Verdict and evidence",
                icon=":material/gavel:",
                query_params=state.address_of(finding.judged.curve, axis) | {"row": state.row_name(finding.judged)},
            )
    if len(answer.matters) > most:
        st.caption(f"{counted(len(answer.matters) - most, 'more task')} that do more than stay flat: see Verdicts.")


st.title("Emergent abilities by model size")
everything: Outcomes = state.outcomes()
axis, filters = state.scale(), state.filters(everything)
outcomes = Outcomes(filters.cells(everything.results), filters.cells(everything.failures), everything.problems)
# Judging takes longest: its place is kept, and filled when everything else can be seen.
verdicts = st.container()
if outcomes.results or outcomes.failures:
    families = summary.families(outcomes.results, outcomes.failures)
    show_numbers({"Families": len(families), **summary.counts(outcomes.results, outcomes.failures)}, "counts")
for problem in outcomes.problems[:PROBLEMS]:
    st.text(f"Skipped {problem}")
if len(outcomes.problems) > PROBLEMS:
    st.text(f"Skipped {counted(len(outcomes.problems) - PROBLEMS, 'more file')}, which Runs lists.")
if outcomes.results or outcomes.failures:
    st.caption(CELL)
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
        show_answer(judged)
        state.say_basis(study)
    elif study.curves:
        st.info("No curve matches. Take away a filter in the sidebar.")
    else:
        st.info(f"None of the models has a known place on the axis of {axis}. Choose another scale axis.")
with st.grid(4, min_column_width=150, gap="small") as guide:
    for page, label, sentence in GUIDE:
        with guide.cell():
            st.page_link(f"views/{page}.py", label=label)
            st.caption(sentence)
if judged:
    charts.let_draw()
    # Loaded only now: plotly and pandas take half a second, and everything above needs neither.
    from harness.dashboards import tables

    from harness import figures

    st.subheader("Verdicts by family")
    show_numbers(summary.curves_by_verdict(judged), "verdicts")
    st.caption("Curves by verdict: each is the headline metric of one task in one setting.")
    charts.show(
        lambda: figures.verdict_counts(judged),
        "verdict-counts",
        lambda: tables.verdict_bars(judged),
        of=(axis, filters),
    )
