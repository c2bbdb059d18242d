"""The leaderboard of a report: tables of text in parts that are as wide as a sheet of paper."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from harness.analysis.compare import RankModels, ReadDocuments, noise_from
from harness.analysis.verdict import Study
from harness.leaderboard import MODEL_COLUMNS, SOURCE, for_people, ranked_board
from harness.wording import number, score

_SCORES_ON_A_SHEET = 6
"""Columns of scores of one part."""


class TextTable(NamedTuple):
    """Some columns of the leaderboard as text."""

    columns: list[str]
    """Headings."""
    names: int
    """How many of the first columns are text."""
    rows: list[list[str]]
    """A row per model, best first."""


class Board(NamedTuple):
    """The leaderboard of a report."""

    tables: list[TextTable]
    """The ranked table in parts."""
    by_document: bool
    """True when models were compared on the documents that both answered; False when by their scores."""


def board_of(study: Study, documents: ReadDocuments | None, rank: RankModels) -> Board:
    """The leaderboard of the results of a study.

    Args:
        study: has the results.
        documents: gives the scores of a cell's documents; None compares scores alone, or what `rank` knows already.
        rank: finds the places of the models.
    """
    noise = None if documents is None else noise_from(study.results)
    board = ranked_board(study.results, study.failures, documents=documents, noise=noise, rank=rank)
    return Board(text_tables(board.table), board.by_document)


def text_tables(ranked: pd.DataFrame) -> list[TextTable]:
    """A ranked table as people read it: each part begins with rank, model and size.

    Scores are rounded. Of what identifies a model only its name is shown, and what it takes to tell models apart.
    """
    table = for_people(ranked)
    others = [c for c in MODEL_COLUMNS if c not in {"family", "model", "params"}]
    alike = table.groupby("model")[others].nunique()
    kept = [
        *(["family"] if table["family"].nunique() > 1 else []),
        "model",
        *(c for c in others if (alike[c] > 1).any()),
        *([SOURCE] if SOURCE in table else []),
    ]
    scores = [c for c in table.columns if c not in {*MODEL_COLUMNS, "rank", SOURCE}]
    names = [
        [*(_name(row[c]) for c in ("rank", *kept)), "" if pd.isna(row["params"]) else number(row["params"])]
        for _, row in table.iterrows()
    ]
    texts = {c: [_score(value) for value in table[c]] for c in scores}
    parts = [scores[at : at + _SCORES_ON_A_SHEET] for at in range(0, len(scores), _SCORES_ON_A_SHEET)] or [[]]
    return [
        TextTable(
            ["rank", *kept, "params", *part],
            len(kept) + 1,
            [[*who, *(texts[c][row] for c in part)] for row, who in enumerate(names)],
        )
        for part in parts
    ]


def _name(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _score(value: Any) -> str:
    return value if isinstance(value, str) else "" if pd.isna(value) else score(float(value))
