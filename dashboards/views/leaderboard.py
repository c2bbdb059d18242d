"""Leaderboard: the places that each model can hold, its mean with its interval, and its score on each task."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import streamlit as st
from harness.dashboards import address, charts, state, tables
from harness.dashboards.tooltips import tooltips

from harness import figures
from harness.analysis.compare import ReadDocuments, noise_from, ranks
from harness.kept_ranks import ranks_once
from harness.leaderboard import (
    MODEL_COLUMNS,
    RankedBoard,
    centred_table,
    for_people,
    names_apart,
    ranked_board,
    task_column,
    tidy_table,
    wide_table,
)
from harness.plan import Cell
from harness.records import CellResult
from harness.store import DocumentScores, Outcomes
from harness.wording import number

# Models or settings side by side in the heat map, settings below each other, and models below each other.
SIDE_BY_SIDE, SETTINGS, MODELS = 12, 30, 60
KEPT = ("model", "params")
BY_SCORES, BY_DOCUMENTS = "by their scores", "document by document"


@st.cache_resource(max_entries=20, show_spinner="Comparing models")
def order(
    version: state.Version, filters: state.Filters, paired: bool, kept: frozenset[str], _outcomes: Outcomes
) -> RankedBoard:
    """The filtered cells, ranked; `paired` compares models document by document.

    `version` is here to be a key of the cache, because it is computed again when the folder changes, and so is
    `kept`, because the command line may have compared what the dashboard does not.
    """
    results, failures = filters.cells(_outcomes.results), filters.cells(_outcomes.failures)
    return ranked_board(
        results,
        failures,
        documents=_reader(results) if paired else None,
        noise=noise_from(results) if paired else None,
        rank=ranks_once(state.store(), _outcomes) if filters == state.Filters() else ranks,
    )


def _reader(results: Sequence[CellResult]) -> ReadDocuments:
    """What gives the scores of documents by cell.

    All are read at the first question, because several threads read these hundreds of small files in half the time.
    """
    cells = [result.cell for result in results]

    @cache
    def every() -> dict[Cell, DocumentScores | None]:
        with ThreadPoolExecutor() as pool:
            return dict(zip(cells, pool.map(state.document_scores(), cells), strict=True))

    return lambda cell: every()[cell]


def tasks_by_column() -> dict[str, str]:
    """Column of the leaderboard -> the task that it has the scores of."""
    every = [*filters.cells(outcomes.results), *filters.cells(outcomes.failures)]
    return {task_column(one.cell): one.cell.task for one in every}


def draw_board(**choice: Any) -> Any:
    """The leaderboard as a table in which a cell can be chosen."""
    return st.dataframe(
        tables.written(board, {"params": number, **tables.scores(board)}),
        hide_index=True,
        # What is equal in all rows says nothing here; the menu of the table brings it back.
        column_order=[str(c) for c in board if c in KEPT or c not in MODEL_COLUMNS or board[c].nunique() > 1],
        column_config=tooltips(map(str, board)),
        placeholder="",
        on_select="rerun",
        selection_mode="single-cell",
        alt="Ranks, means and scores, a row per model",
        **choice,
    )


st.title("Leaderboard")
outcomes = state.outcomes()
state.require_results(outcomes)
filters = state.filters(outcomes)
st.caption(
    "Rank: the places that a model can hold. Models that cannot be told apart share theirs: every pair is compared on "
    "the documents that both answered, and all pairs are corrected together (Holm), so that all ranges hold with 95 %. "
    "mean_normalized is the mean of chance-centred headline scores over the settings shown that most models share, in "
    "which each task counts once; a model that lacks one of these has none. Tasks: headline scores, the mean over "
    "these settings, few-shot seeds averaged; empty means no score."
)
few = state.by_document(filters.cells(outcomes.results))
paired = few or (
    address.choose_one(
        st.radio,
        "Compare models",
        [BY_SCORES, BY_DOCUMENTS],
        "compared",
        horizontal=True,
        help="By scores ranges are wider, because documents that are hard for all models then count as luck of each. "
        "With so many answers the comparison of documents takes a while.",
    )
    == BY_DOCUMENTS
)
ranked, by_document = order(state.version(), filters, paired, state.kept_by_others(), outcomes)
board = for_people(ranked)
if not by_document:
    st.text("So many answers: ranks rest on the errors of scores alone, and their ranges are wider than they need be.")
st.text("Choose a score to see its verdict, its curve and its documents.")
of_columns = tasks_by_column()
chosen = address.pick_cell(
    draw_board, names_apart(board), [c for c in map(str, board) if c in of_columns], "score", "board"
)
if chosen is not None:
    task = of_columns[chosen[1]]
    st.text(f"{task}:")
    state.links_to({"task": task}, ("verdicts", "curves", "metric", "samples"))
charts.download("This table with numbers of ranks and intervals (CSV)", "leaderboard-ranked", lambda: ranked)
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
    # Few models stand side by side, and settings below each other; many models the other way round.
    many = len(scores) > SIDE_BY_SIDE
    at_once = SIDE_BY_SIDE if many else SETTINGS
    place = st.container()
    page = address.turn_page(-(-scores.shape[1] // at_once), "map-page")
    deep = address.turn_page(-(-len(scores) // MODELS), "models-page")
    part = scores.iloc[(deep - 1) * MODELS : deep * MODELS, (page - 1) * at_once : page * at_once]
    with place:
        charts.show(
            lambda: figures.heat_map(part, models_down=many),
            "leaderboard-map",
            scores.reset_index,
            of=(filters, page, deep),
        )
else:
    st.info("No result matches. Take away a filter in the sidebar.")
