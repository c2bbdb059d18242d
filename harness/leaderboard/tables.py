"""The tables of a leaderboard: tidy for programs, wide for people, and ranked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from harness.analysis.compare import NoiseOf, RankModels, ReadDocuments, ranks
from harness.analysis.curves.frame import frame
from harness.analysis.stats import normalised
from harness.catalog.lm_eval_tasks.groups import TaskGroup
from harness.group_scores import group_scores
from harness.leaderboard.board import MODEL_COLUMNS, ModelRow, row_names, row_of, scoreboard
from harness.records import CellFailure, CellResult
from harness.wording import interval, places

AVERAGE = "mean_normalized"
"""Mean of scores centred on chance, in which each task counts once: 0 is guessing, 1 is perfect. `wide_table` explains
of which settings."""
SOURCE = "source"
"""Column with the programs whose files the scores of a model were read from; missing where all were evaluated here."""
_HERE = "evaluated here"
RANK_COLUMNS = ("rank_best", "rank_last")
"""Columns with the first and the last place that a model can hold, see `ranks`."""


def tidy_table(results: Iterable[CellResult], failures: Iterable[CellFailure] = ()) -> pd.DataFrame:
    """One row per cell and metric: the leaderboard contract, failed cells included with an empty value."""
    return frame(results, failures)


def wide_table(
    results: Iterable[CellResult],
    failures: Iterable[CellFailure] = (),
    groups: Sequence[TaskGroup] = (),
) -> pd.DataFrame:
    """One row per model, one column per setting with its headline score, few-shot seeds averaged.

    Averages can only be compared when they are over the same settings. They are therefore over the settings that most
    models share (see `averaged_settings`), and a model that lacks one of these, because it failed or never ran, has no
    average. A task that was asked in several settings counts once, by their mean.
    A setting that was tried with a few models, or a model that was evaluated in few settings, leaves the average of the
    others as it is. Some scores never enter the average: those of metrics without a chance level, of earlier versions
    of a task that was edited, of cells in which documents are missing, and of a limited number of documents where other
    cells have all. `left_out` names the settings that are not in the average.

    Args:
        results: in any order; headers are enough.
        failures: their models get a row even when nothing succeeded.
        groups: groups of tasks whose scores get columns behind those of the tasks, and are never averaged.
    """
    done = list(results)
    board = scoreboard(done, failures)
    of_groups: dict[str, dict[ModelRow, float]] = {}
    for score_of in group_scores(done, groups):
        of_groups.setdefault(score_of.column, {})[row_of(score_of.cell)] = score_of.value
    rows = [
        [
            *row,
            board.sources.get(row),
            board.average(row),
            *map(values.get, board.metrics),
            *(of.get(row) for of in of_groups.values()),
        ]
        for row, values in board.scores.items()
    ]
    numbers = (AVERAGE, *board.metrics, *of_groups)
    table = pd.DataFrame(rows, columns=[*MODEL_COLUMNS, SOURCE, *numbers])
    return table.astype({"params": "Int64", SOURCE: "string", **dict.fromkeys(numbers, "Float64")})


def ranked_table(
    results: Iterable[CellResult],
    failures: Iterable[CellFailure] = (),
    *,
    documents: ReadDocuments | None = None,
    noise: NoiseOf | None = None,
    rank: RankModels = ranks,
) -> pd.DataFrame:
    """The table of `ranked_board`, with the same arguments."""
    return ranked_board(results, failures, documents=documents, noise=noise, rank=rank).table


class RankedBoard(NamedTuple):
    """Models in the order of their means."""

    table: pd.DataFrame
    """One row per model, best first."""
    by_document: bool
    """True when they were compared on the documents that both answered; False when by their scores alone."""


def ranked_board(
    results: Iterable[CellResult],
    failures: Iterable[CellFailure] = (),
    *,
    documents: ReadDocuments | None = None,
    noise: NoiseOf | None = None,
    rank: RankModels = ranks,
) -> RankedBoard:
    """One row per model, best first: its places, its mean with the 95 % interval, and one score per task.

    A task's score is the mean over its settings, those that are averaged in `wide_table`. Models without a mean come
    last, and have no places.

    Args:
        results: in any order; headers are enough.
        failures: their models get a row even when nothing succeeded.
        documents: gives the scores of a cell's documents, on which models are compared; None compares their scores.
        noise: finds the noise between training runs; None counts none.
        rank: finds the places; `kept_ranks.ranks_once` for those of a whole results folder.
    """
    board = scoreboard(list(results), failures)
    of_rank, of_tasks = board.ranks(documents, noise, rank), board.tasks()
    means = {row: board.average(row) for row in board.scores}
    ordered = sorted(board.scores, key=lambda row: -math.inf if (mean := means[row]) is None else mean, reverse=True)
    rows = [
        [
            *((place.best, place.last) if (place := of_rank.get(row)) else (None, None)),
            *row,
            board.sources.get(row),
            means[row],
            *((place.low, place.high) if place else (None, None)),
            *(board.mean(row, columns) for columns in of_tasks.values()),
        ]
        for row in ordered
    ]
    numbers = (AVERAGE, "mean_low", "mean_high", *of_tasks)
    table = pd.DataFrame(rows, columns=[*RANK_COLUMNS, *MODEL_COLUMNS, SOURCE, *numbers])
    whole, shares = dict.fromkeys((*RANK_COLUMNS, "params"), "Int64"), dict.fromkeys(numbers, "Float64")
    by_document = any(one.paired for one in of_rank.values()) if of_rank else documents is not None
    return RankedBoard(table.astype({**whole, SOURCE: "string", **shares}), by_document)


def for_people(ranked: pd.DataFrame) -> pd.DataFrame:
    """A ranked table as a page shows it: `rank` such as 1–3, and the interval in one column.

    The source stands there when some scores were read from files of other programs.
    """
    table = ranked.drop(columns=[*RANK_COLUMNS, "mean_low", "mean_high"])
    table = with_sources(table)
    ranges = [
        "" if pd.isna(best) else places(int(best), int(last))
        for best, last in zip(*(ranked[name] for name in RANK_COLUMNS), strict=True)
    ]
    ends = zip(ranked["mean_low"], ranked["mean_high"], strict=True)
    intervals = ["" if pd.isna(low) else interval(float(low), float(high)) for low, high in ends]
    table.insert(0, "rank", pd.Series(ranges, dtype="string", index=table.index))
    table.insert(
        [*table.columns].index(AVERAGE) + 1, "95 % interval", pd.Series(intervals, dtype="string", index=table.index)
    )
    return table


def with_sources(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a source in every row, or without the column where all was evaluated here."""
    known = table[SOURCE].notna().any()
    return table.assign(**{SOURCE: table[SOURCE].fillna(_HERE)}) if known else table.drop(columns=SOURCE)


def left_out(results: Iterable[CellResult], failures: Iterable[CellFailure] = ()) -> str | None:
    """The settings that are not in the average of the wide table, in one sentence; None when all are.

    Args:
        results: as of `wide_table`.
        failures: as of `wide_table`.
    """
    board = scoreboard(results, failures)
    without = sum(board.average(row) is None for row in board.scores)
    out = [name for name in board.metrics if name not in board.averaged]
    sentences = (
        [f"left out: {', '.join(out[:3])}" + (f" and {len(out) - 3} more" if len(out) > 3 else "")] if out else []
    )
    sentences += [f"{without} of {len(board.scores)} models lack some of these and have none"] if without else []
    over = f"{AVERAGE} is over {len(board.averaged)} of {len(board.metrics)} settings"
    return "; ".join([over, *sentences]) if board.metrics and sentences else None


def centred_table(results: Iterable[CellResult], failures: Iterable[CellFailure] = ()) -> pd.DataFrame:
    """Headline scores centred on chance, missing without a score: a row per model (the index), a column per setting."""
    board = scoreboard(results, failures)
    rows = [
        [None if name not in values else normalised(values[name], metric) for name, metric in board.metrics.items()]
        for values in board.scores.values()
    ]
    index = pd.Index(row_names(list(board.scores)), name="model")
    return pd.DataFrame(rows, index=index, columns=list(board.metrics)).astype("Float64")


def names_apart(table: pd.DataFrame) -> list[str]:
    """A name for each row of a table with `MODEL_COLUMNS`: that of its model, and what tells it from others like it."""
    rows = table[list(MODEL_COLUMNS)].astype(object).where(table[list(MODEL_COLUMNS)].notna(), None)
    return row_names(list(rows.itertuples(index=False, name=None)))
