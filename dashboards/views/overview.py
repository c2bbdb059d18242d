"""Overview: what was asked of whom, what came of it, and what changed last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

import pandas as pd
import streamlit as st
from harness.dashboards import charts, state

from harness import figures
from harness.analysis.reasons import PLAIN_WORDS
from harness.analysis.runs import finished_at
from harness.analysis.verdict import Verdict
from harness.analysis.wording import size
from harness.records import CellFailure

# Newest cells shown. A comment: Streamlit would print a text that stands alone here.
LAST = 10
GUIDE = (
    ("curves", "**Curves**: scores over scale, task by task, with error bars and chance."),
    ("verdicts", "**Verdicts**: which abilities emerge, grow smoothly or stay flat, and why."),
    ("leaderboard", "**Leaderboard**: every model on every task, and how sure the order is."),
)


def families(held: state.Outcomes) -> pd.DataFrame:
    """A row per family: models, tasks and cells."""
    rows = []
    for family in sorted({o.cell.model.family for o in (*held.results, *held.failures)}):
        done = [r.cell for r in held.results if r.cell.model.family == family]
        gone = [f.cell for f in held.failures if f.cell.model.family == family]
        params = [c.model.params for c in (*done, *gone)]
        rows.append(
            {
                "Family": family,
                "Models": len({c.model.name for c in (*done, *gone)}),
                "Parameters": f"{size(min(params))} to {size(max(params))}",
                "Suites": ", ".join(sorted({c.suite for c in (*done, *gone)})),
                "Tasks": len({c.task for c in (*done, *gone)}),
                "Cells done": len(done),
                "Cells failed": len(gone),
            }
        )
    return pd.DataFrame(rows)


def newest(held: state.Outcomes) -> pd.DataFrame:
    """The cells that ended last."""
    last = sorted((*held.results, *held.failures), key=finished_at, reverse=True)[:LAST]
    return pd.DataFrame(
        [
            {
                "When (UTC)": finished_at(o).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
                "Model": o.cell.model.name,
                "Task": o.cell.task,
                "Setting": f"{o.cell.shots}-shot {o.cell.prompt} seed {o.cell.seed}",
                "Outcome": f"{o.error}: {o.message}" if isinstance(o, CellFailure) else "done",
            }
            for o in last
        ]
    )


def counted(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """The verdicts behind the bars."""
    rows = [(v.curve.family, v.curve.task, v.curve.label, PLAIN_WORDS[v.label]) for v in verdicts]
    return pd.DataFrame(rows, columns=["family", "task", "setting", "verdict"])


st.title("Emergent abilities by model size")
everything: state.Outcomes = state.outcomes()
axis, wanted = state.scale(), state.filters(everything)
held = state.Outcomes(wanted.cells(everything.results), wanted.cells(everything.failures), everything.problems)
if held.results or held.failures:
    st.dataframe(families(held), hide_index=True, key="families", alt="Families of models and their cells")
for problem in held.problems:
    st.text(f"Skipped {problem}")
if held.results:
    for page, sentence in GUIDE:
        st.page_link(f"views/{page}.py", label=sentence)
# Judging takes longest: its place is kept, and filled when everything else can be seen.
judged = st.container()
if held.results or held.failures:
    st.subheader("What changed last")
    st.dataframe(newest(held), hide_index=True, key="newest", alt="Cells that ended last")
state.require_results(everything)
with judged:
    st.subheader("What the curves show")
    made = state.study(axis)
    verdicts = wanted.verdicts(made.verdicts)
    if verdicts:
        charts.show(figures.verdict_counts(verdicts), "verdict-counts", lambda: counted(verdicts))
    elif made.curves:
        st.info("No curve matches. Take away a filter in the sidebar.")
    else:
        st.info(f"None of the models has a known place on the axis of {axis}. Choose another scale axis.")
