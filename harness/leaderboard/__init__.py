"""Results as a leaderboard: tidy for programs, wide for people; as CSV, Markdown or JSON."""

from harness.leaderboard.board import MODEL_COLUMNS, ModelRow, row_of, task_column
from harness.leaderboard.tables import (
    AVERAGE,
    RANK_COLUMNS,
    SOURCE,
    RankedBoard,
    centred_table,
    for_people,
    left_out,
    names_apart,
    ranked_board,
    ranked_table,
    tidy_table,
    wide_table,
)
from harness.leaderboard.text import across, as_text, to_csv, to_json, to_markdown

__all__ = [
    "AVERAGE",
    "MODEL_COLUMNS",
    "RANK_COLUMNS",
    "SOURCE",
    "ModelRow",
    "RankedBoard",
    "across",
    "as_text",
    "centred_table",
    "for_people",
    "left_out",
    "names_apart",
    "ranked_board",
    "ranked_table",
    "row_of",
    "task_column",
    "tidy_table",
    "to_csv",
    "to_json",
    "to_markdown",
    "wide_table",
]
