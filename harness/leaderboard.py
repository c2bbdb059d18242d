"""Results as a leaderboard: tidy for programs, wide for people; as CSV, Markdown or JSON."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Real
from statistics import fmean
from typing import NamedTuple

import pandas as pd

from harness.analysis.compare import NoiseOf, Rank, RankModels, ReadDocuments, ranks
from harness.analysis.curves.frame import frame
from harness.analysis.stats import estimate, normalised
from harness.catalog.lm_eval_tasks.groups import TaskGroup
from harness.group_scores import group_scores
from harness.plan import AXES, MODEL_AXES, QUESTION_AXES, Cell, Value, axes
from harness.records import CellFailure, CellResult
from harness.specs import MetricSpec
from harness.wording import counted, defused, interval, markdown, number, places, score, visible_json

_WHO = axes(free=QUESTION_AXES, first=("family", "model", "revision", "variant", "engine"))
MODEL_COLUMNS = (*_WHO[:4], "params", *_WHO[4:])
"""What identifies a row of the wide table: every axis on which models differ, and the size."""
_NAMED_APART = MODEL_AXES | {"task", "task_digest", "shots", "seed"}
"""All axes but those that the head of a column names only where their value does not go without saying."""
ModelRow = tuple[Value, ...]
"""Values of `MODEL_COLUMNS`."""
AVERAGE = "mean_normalized"
"""Mean of scores centred on chance, in which each task counts once: 0 is guessing, 1 is perfect. `wide_table` explains
of which settings."""
SOURCE = "source"
"""Column with the programs whose files the scores of a model were read from; missing where all were evaluated here."""
_HERE = "evaluated here"
RANK_COLUMNS = ("rank_best", "rank_last")
"""Columns with the first and the last place that a model can hold, see `ranks`."""

_AMOUNTS = frozenset({"params", "params_non_embedding", "params_active", "tokens", "flops"})
"""Columns that people read as in names of models: 1.9M."""
_LONG_NUMBER = 10_000
_LARGEST_SCORE = 1000
"""From here on a number of a table is no score but FLOPs, seconds or tokens."""
_TEXT = ("object", "string", "str")
"""Types of the columns that hold names."""
_QUOTED_OR_LINE_END = re.compile('("(?:[^"]|"")*")|\r\n')


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
    models share (see `_averaged`), and a model that lacks one of these, because it failed or never ran, has no average.
    A task that was asked in several settings counts once, by their mean.
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
    board = _board(done, failures)
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
    board = _board(list(results), failures)
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
    table = _with_words(table)
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


def _with_words(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a source in every row, or without the column where all was evaluated here."""
    known = table[SOURCE].notna().any()
    return table.assign(**{SOURCE: table[SOURCE].fillna(_HERE)}) if known else table.drop(columns=SOURCE)


def left_out(results: Iterable[CellResult], failures: Iterable[CellFailure] = ()) -> str | None:
    """The settings that are not in the average of the wide table, in one sentence; None when all are.

    Args:
        results: as of `wide_table`.
        failures: as of `wide_table`.
    """
    board = _board(results, failures)
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
    board = _board(results, failures)
    rows = [
        [None if name not in values else normalised(values[name], metric) for name, metric in board.metrics.items()]
        for values in board.scores.values()
    ]
    index = pd.Index(_row_names(list(board.scores)), name="model")
    return pd.DataFrame(rows, index=index, columns=list(board.metrics)).astype("Float64")


def to_csv(table: pd.DataFrame) -> str:
    """Comma-separated, full precision, missing values empty, one line feed per row on every system.

    Names that a spreadsheet would take for formulas begin with an apostrophe; `--table` takes it away again.
    """
    safe = table.copy()
    for name in table.columns[[dtype in _TEXT for dtype in table.dtypes]]:
        texts = [text for text in table[name].unique() if isinstance(text, str)]  # few, in a column of many rows
        if any(defused(text) != text for text in texts):
            safe[name] = table[name].map(_defused, na_action="ignore")
    safe.columns = [defused(str(name)) for name in table.columns]
    # With this line end Python quotes a lone carriage return too, which readers would take for the end of a row.
    text = safe.to_csv(index=False, lineterminator="\r\n")
    if '"' not in text:
        return text.replace("\r\n", "\n")
    return _QUOTED_OR_LINE_END.sub(lambda found: found[1] or "\n", text)


def to_json(table: pd.DataFrame) -> str:
    """A JSON list of one object per row, full precision, missing values null."""
    # Not pandas' own writer: it keeps 15 digits at most, and 17 are needed to read back the same number.
    rows = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    return visible_json(rows, indent=1) + "\n"


def to_markdown(table: pd.DataFrame) -> str:
    """A Markdown table with scores rounded to three decimals."""
    names = [str(name) for name in table.columns]
    lines = [_line(names), _line(["---"] * len(names))]
    lines += [
        _line([_text(value, name) for value, name in zip(row, names, strict=True)])
        for row in table.itertuples(index=False, name=None)
    ]
    return "\n".join(lines) + "\n"


def across(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a wide table with a line per setting and a column per model, as it fits a terminal."""
    head, table = ["", *names_apart(table)], _with_words(table)
    shown = ["params", AVERAGE, *(name for name in table.columns if name not in (*MODEL_COLUMNS, AVERAGE))]
    return head, [[str(name), *(_text(value, str(name)) for value in table[name])] for name in shown]


def as_text(ranked: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a ranked table as it fits a terminal: rank, model, size and mean, and no single tasks."""
    shown = for_people(ranked)
    head = ["rank", "model", "params", AVERAGE, "95 % interval", *([SOURCE] if SOURCE in shown else [])]
    shown["model"] = names_apart(shown)
    shown["params"] = [number(value) for value in shown["params"]]
    return head, [[_text(value) for value in row] for row in shown[head].itertuples(index=False, name=None)]


class _Board(NamedTuple):
    """The content of the wide table."""

    scores: Mapping[ModelRow, Mapping[str, float]]
    """Row -> column -> headline score over its seeds."""
    metrics: Mapping[str, MetricSpec]
    """Column -> headline metric, in the order of the columns."""
    averaged: Set[str]
    """Columns whose scores are averaged."""
    complete: Mapping[ModelRow, Set[str]]
    """Row -> columns in which it has a score that may be averaged."""
    results: Mapping[tuple[ModelRow, str], Sequence[CellResult]]
    """Row and column -> the results, one per few-shot seed."""
    task_of: Mapping[str, str]
    """Column -> name of the task, with the metric, as the head of a column."""
    sources: Mapping[ModelRow, str]
    """Row -> the programs whose files its scores were read from; rows that were evaluated here are not in it."""

    def average(self, row: ModelRow) -> float | None:
        """Mean of the chance-centred scores, each task once; None unless the row has every score that is averaged."""
        if not self.averaged or not self.averaged <= self.complete[row]:
            return None
        of_tasks: dict[str, list[float]] = {}
        # in the order of the columns: that of a set differs from run to run, and with it the last digit of the sum
        for name in self.metrics:
            if name in self.averaged:
                value = normalised(self.scores[row][name], self.metrics[name])
                of_tasks.setdefault(self.task_of[name], []).append(0.0 if value is None else value)
        return fmean(map(fmean, of_tasks.values()))

    def tasks(self) -> dict[str, tuple[str, ...]]:
        """Task -> its columns that are averaged; of a task without any, those that most models share."""
        columns: dict[str, list[str]] = {}
        for name in self.metrics:
            columns.setdefault(self.task_of[name], []).append(name)
        shared = {
            task: self.averaged & {*names} or _averaged({*scores} & {*names} for scores in self.scores.values())
            for task, names in columns.items()
        }
        return {task: tuple(name for name in names if name in shared[task]) for task, names in columns.items()}

    def mean(self, row: ModelRow, columns: Sequence[str]) -> float | None:
        """Mean of some scores of a model as they are; None where it lacks one."""
        values = [self.scores[row].get(name) for name in columns]
        known = [value for value in values if value is not None]
        return fmean(known) if known and len(known) == len(values) else None

    def ranks(self, documents: ReadDocuments | None, noise: NoiseOf | None, rank: RankModels) -> dict[ModelRow, Rank]:
        """The places of every model with an average."""
        ranked = [row for row in self.scores if self.average(row) is not None]
        columns = [name for name in self.metrics if name in self.averaged]
        models = [[one for name in columns for one in self.results[row, name]] for row in ranked]
        return dict(zip(ranked, rank(models, documents, noise=noise), strict=True))


def _board(results: Iterable[CellResult], failures: Iterable[CellFailure]) -> _Board:
    """Every headline score, and which of them are averaged; see `wide_table`."""
    done = sorted(results, key=lambda r: _place(r.cell))
    digests = _digests(done)
    columns: dict[str, Cell] = {}
    grouped: dict[tuple[ModelRow, str], list[CellResult]] = {}
    for result in done:
        column = _column(result.cell, digests[result.cell.task])
        columns.setdefault(column, result.cell)
        grouped.setdefault((row_of(result.cell), column), []).append(result)
    fit = _fit(columns, digests)
    succeeded = {r.cell.place for r in done}
    failed = [f.cell for f in failures if f.cell.place not in succeeded]
    scores: dict[ModelRow, dict[str, float]] = {row_of(cell): {} for cell in failed}
    complete: dict[ModelRow, set[str]] = {row: set() for row in scores}
    for (row, column), seeds in grouped.items():
        metric = columns[column].metrics[0]
        found = [(s, r.n_expected) for r in seeds for s in r.scores if s.metric == metric.name]
        if found:
            scores.setdefault(row, {})[column] = estimate([s for s, _ in found], metric).value
            whole = column in fit and all(s.n == n_expected for s, n_expected in found)
            complete.setdefault(row, set()).update([column] if whole else [])
    asked = {row: set(names) for row, names in complete.items()}
    for cell in failed:
        if cell.task_digest in digests.get(cell.task, ()):
            asked[row_of(cell)] |= {_column(cell, digests[cell.task])} & fit
    return _Board(
        dict(sorted(scores.items(), key=lambda item: _row_place(item[0]))),
        {name: cell.metrics[0] for name, cell in columns.items()},
        _averaged(asked.values()),
        complete,
        grouped,
        {name: task_column(cell) for name, cell in columns.items()},
        _sources(done),
    )


def _sources(results: Iterable[CellResult]) -> dict[ModelRow, str]:
    """Row -> program, version and number of files from which its scores were read."""
    files: dict[ModelRow, dict[str, set[str]]] = {}
    for result in results:
        if (source := result.provenance.source) is not None:
            files.setdefault(row_of(result.cell), {}).setdefault(source.program, set()).add(source.sha256)
    return {
        row: ", ".join(f"{program} ({counted(len(hashes), 'file')})" for program, hashes in sorted(programs.items()))
        for row, programs in files.items()
    }


def row_of(cell: Cell) -> ModelRow:
    """The values of `MODEL_COLUMNS` of a cell, which tell in which row of the wide table its scores stand."""
    values = cell.setting(free=QUESTION_AXES, first=_WHO).values
    return (*values[:4], cell.model.params, *values[4:])


def _row_place(row: ModelRow) -> tuple[str, int, tuple[str, ...]]:
    """Family by family, ascending by size."""
    of = dict(zip(MODEL_COLUMNS, row, strict=True))
    others = dict.fromkeys(("model", "variant", *_WHO))
    return (str(of["family"]), int(of["params"] or 0), tuple(str(of[name] or "") for name in others))


def _place(cell: Cell) -> tuple[str | int, ...]:
    """Order of the columns, and of the seeds in them."""
    others = cell.setting(free=_NAMED_APART | {"prompt", "limit"}).texts()
    return (cell.suite, cell.task, cell.prompt, cell.shots, cell.limit or 0, cell.task_digest, *others, cell.seed)


def _digests(results: Iterable[CellResult]) -> dict[str, list[str]]:
    """Task -> digests of its versions, the one that was evaluated last first."""
    versions: dict[str, dict[str, None]] = {}
    for result in sorted(results, key=lambda r: (r.provenance.started_at, r.cell.task_digest), reverse=True):
        versions.setdefault(result.cell.task, {}).setdefault(result.cell.task_digest)
    return {task: list(digests) for task, digests in versions.items()}


def _fit(columns: Mapping[str, Cell], digests: Mapping[str, Sequence[str]]) -> set[str]:
    """Columns that may be averaged: of a metric that can be centred, the newest version of a task, most documents."""
    # chosen documents are a trial, which nothing is averaged with
    whole = {name: cell for name, cell in columns.items() if cell.docs is None} or columns
    limits = [cell.limit for cell in whole.values()]
    widest = None if None in limits else max((limit for limit in limits if limit is not None), default=None)
    return {
        name
        for name, cell in whole.items()
        if normalised(0.0, cell.metrics[0]) is not None
        and cell.task_digest == digests[cell.task][0]
        and cell.limit == widest
    }


def _averaged(asked: Iterable[Set[str]]) -> Set[str]:
    """The set of settings that is averaged, so that as many models as possible are compared in as many settings.

    The candidates are the settings of each model and the settings that any two models share. A candidate of n settings
    that m models were all evaluated in counts n m², and the largest count wins; of equal counts that of more models.

    Args:
        asked: the settings of each model.

    >>> sorted(_averaged([{"a", "b"}, {"a", "b", "tried"}, {"a", "b"}, {"a"}]))
    ['a', 'b']
    """
    kinds = Counter(frozenset(one) for one in asked)

    def weight(shared: frozenset[str]) -> tuple[int, int, list[str]]:
        models = sum(n for settings, n in kinds.items() if shared <= settings)
        return (len(shared) * models**2, models, sorted(shared))

    return max({a & b for a in kinds for b in kinds}, key=weight, default=frozenset())


def task_column(cell: Cell) -> str:
    """Head of the column with the scores of a cell's task in `ranked_board`."""
    return f"{cell.task} ({cell.metrics[0].name})"


def names_apart(table: pd.DataFrame) -> list[str]:
    """A name for each row of a table with `MODEL_COLUMNS`: that of its model, and what tells it from others like it."""
    rows = table[list(MODEL_COLUMNS)].astype(object).where(table[list(MODEL_COLUMNS)].notna(), None)
    return _row_names(list(rows.itertuples(index=False, name=None)))


def _row_names(rows: Sequence[ModelRow]) -> list[str]:
    """The names of the models; where several rows have the same name, followed by the values in which they differ."""
    model, revision, run = (MODEL_COLUMNS.index(name) for name in ("model", "revision", "run"))
    alike: dict[Value, list[ModelRow]] = {}
    for row in rows:
        alike.setdefault(row[model], []).append(row)

    def name(row: ModelRow) -> str:
        columns = zip(*alike[row[model]], strict=True)
        differing = [i for i, seen in enumerate(columns) if row[i] not in (None, "") and len(set(seen)) > 1]
        texts = {i: str(row[i])[: 12 if i == revision else None] for i in differing}
        return " ".join([str(row[model]), *(f"run {text}" if i == run else text for i, text in texts.items())])

    return [name(row) for row in rows]


def _column(cell: Cell, digests: Sequence[str]) -> str:
    """Head of a cell's column: task, shots and headline metric, with the version of the task where there are several.

    Args:
        cell: the cell.
        digests: digests of the versions of its task, the one that was evaluated last first.
    """
    parts = [cell.task, f"{cell.shots}-shot"]
    asked = cell.setting(free=_NAMED_APART, first=("prompt", "limit"))
    named = zip(map(AXES.__getitem__, asked.names), asked.values, strict=True)
    parts += [axis.label_of(value) for axis, value in named if value != axis.default]
    if len(digests) > 1:
        parts += [cell.task_digest, "newest" if cell.task_digest == digests[0] else "older"]
    return f"{' '.join(parts)} ({cell.metrics[0].name})"


def _text(value: object, name: str = "") -> str:
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124  # how pandas misses a text beside others
        return ""
    if name in _AMOUNTS and isinstance(value, Real) and float(value) >= _LONG_NUMBER:
        return number(float(value))
    if not isinstance(value, float):
        return str(value)
    return score(value) if abs(value) < _LARGEST_SCORE else number(value)


def _line(values: Iterable[str]) -> str:
    return "| " + " | ".join(map(markdown, values)) + " |"


def _defused(value: object) -> object:
    return defused(value) if isinstance(value, str) else value
