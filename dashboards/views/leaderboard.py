"""Leaderboard: headline scores by model, how sure the order is, and the whole table for download."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import streamlit as st
from harness.dashboards import charts, state, tables

from harness import figures
from harness.analysis.compare import leads, noise_from
from harness.leaderboard import AVERAGE, MODEL_COLUMNS, ModelRow, centred_table, row_of, tidy_table, wide_table
from harness.plan import Cell
from harness.records import CellResult
from harness.store import DocumentScores, Outcomes
from harness.wording import number, probability

KEPT = ("model", "params")


@st.cache_resource(max_entries=20, show_spinner="Comparing neighbours")
def order(version: state.Version, filters: state.Filters, _outcomes: Outcomes) -> pd.DataFrame:
    """The wide table of the filtered cells, best model first, each model compared with the next.

    `version` is here to be a key of the cache: it is computed again when the folder changes.
    """
    results, failures = filters.cells(_outcomes.results), filters.cells(_outcomes.failures)
    board = wide_table(results, failures)
    board = board.sort_values(AVERAGE, ascending=False, na_position="last", kind="stable").reset_index(drop=True)
    ranked = int(board[AVERAGE].notna().sum())
    of: dict[ModelRow, list[CellResult]] = {}
    for one in results:
        of.setdefault(row_of(one.cell), []).append(one)
    rows = board[list(MODEL_COLUMNS)].astype(object).where(board[list(MODEL_COLUMNS)].notna(), None)
    models = [of[tuple(row)] for row in rows.head(ranked).itertuples(index=False, name=None)]
    read = _read(results) if state.by_document(results) else None
    found = leads(models, read.__getitem__, noise=noise_from(results)) if read is not None else ()
    words = [f"tied, q {probability(lead.q)}" if lead.tied else f"yes, q {probability(lead.q)}" for lead in found]
    board.insert(0, "clearly ahead of the next", pd.Series(words, dtype="string").reindex(board.index))
    board.insert(0, "rank", pd.Series(range(1, ranked + 1), dtype="Int64").reindex(board.index))
    return board


def _read(results: Sequence[CellResult]) -> dict[Cell, DocumentScores | None]:
    """The score of each document, by cell. Several threads read these hundreds of small files in half the time."""
    cells = [result.cell for result in results]
    with ThreadPoolExecutor() as pool:
        return dict(zip(cells, pool.map(state.document_scores(), cells), strict=True))


st.title("Leaderboard")
outcomes = state.outcomes()
state.require_results(outcomes)
filters = state.filters(outcomes)
st.caption(
    "Headline scores, few-shot seeds averaged; empty means no score. mean_normalized is the unweighted mean of "
    "chance-centred scores over the settings shown that most models share, and ranks them; a model that lacks one of "
    "these has none. "
    "Clearly ahead: paired differences to the next model on the same documents, corrected for the number of neighbours "
    "(Benjamini-Hochberg), q below 0.05; otherwise the two are tied."
)
board = order(state.version(), filters, outcomes)
if not state.by_document(filters.cells(outcomes.results)):
    st.text("Too many answers to compare neighbours at once: choose some tasks in the sidebar.")
st.dataframe(
    tables.written(board, {"params": number, **tables.scores(board)}),
    hide_index=True,
    # What is equal in all rows says nothing here; the menu of the table brings it back.
    column_order=[str(c) for c in board if c in KEPT or c not in MODEL_COLUMNS or board[c].nunique() > 1],
    placeholder="",
    key="board",
    alt="Headline scores, a row per model",
)
left, right = st.columns(2)
with left:
    charts.download(
        "Every score of the store, tidy (CSV)", "leaderboard", lambda: tidy_table(outcomes.results, outcomes.failures)
    )
with right:
    charts.download(
        "Every model of the store, wide (CSV)",
        "leaderboard-wide",
        lambda: wide_table(outcomes.results, outcomes.failures),
    )
scores = centred_table(filters.cells(outcomes.results), filters.cells(outcomes.failures))
if scores.size:
    charts.show(lambda: figures.heat_map(scores), "leaderboard-map", scores.reset_index, of=filters)
else:
    st.info("No result matches. Take away a filter in the sidebar.")
