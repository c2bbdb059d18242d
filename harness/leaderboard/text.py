"""A leaderboard as CSV, JSON, Markdown, or as it fits a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from numbers import Real

import numpy as np
import pandas as pd

from harness.leaderboard.board import MODEL_COLUMNS
from harness.leaderboard.tables import AVERAGE, SOURCE, for_people, names_apart, with_sources
from harness.wording import defused, markdown, number, score, visible_json

_AMOUNTS = frozenset({"params", "params_non_embedding", "params_active", "tokens", "flops"})
"""Columns that people read as in names of models: 1.9M."""
_OF_A_TRAINING = frozenset({"model", "revision", "run"})
"""Columns in which the training runs of one size differ."""
_TRAININGS = "trainings"
_LONG_NUMBER = 10_000
_LARGEST_SCORE = 1000
"""From here on a number of a table is no score but FLOPs, seconds or tokens."""
_TEXT = ("object", "string", "str")
"""Types of the columns that hold names."""
_QUOTED_OR_LINE_END = re.compile('("(?:[^"]|"")*")|\r\n')


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
    """Head and rows of a wide table with a line per setting and a column per model, as it fits a terminal.

    Training runs of one size share a column, with the means of their scores.
    """
    table = _over_trainings(with_sources(table))
    head = ["", *names_apart(table)]
    shown = ["params", *({_TRAININGS} & {*table.columns}), AVERAGE]
    shown += [name for name in table.columns if name not in (*MODEL_COLUMNS, *shown)]
    return head, [[str(name), *(_text(value, str(name)) for value in table[name])] for name in shown]


def _over_trainings(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each size, under the name of its first training, and how many trainings it has, if one has several.

    A setting that some trainings lack is averaged over the others. The average over settings is missing where one
    training has none.
    """
    alike = [*(name for name in MODEL_COLUMNS if name not in _OF_A_TRAINING), *({SOURCE} & {*table.columns})]
    scores = [name for name in table.columns if name not in (*MODEL_COLUMNS, *alike)]
    of_size = table.groupby(alike, dropna=False, sort=False).ngroup()
    runs = table.groupby(of_size)["run"]
    told_apart = runs.transform("nunique") == runs.transform("size")
    sizes = table.groupby(np.where(told_apart, of_size, -1 - np.arange(len(table))), sort=False)
    trainings = sizes.size().to_numpy()
    if not (trainings > 1).any():
        return table
    means = sizes[scores].mean()
    means[AVERAGE] = sizes[AVERAGE].agg(lambda values: values.mean(skipna=False))
    shown = sizes.head(1).copy()
    shown[scores] = means[scores].to_numpy()
    shown["run"] = shown["run"].where(trainings == 1)
    shown[_TRAININGS] = trainings
    return shown


def as_text(ranked: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a ranked table as it fits a terminal: rank, model, size and mean, and no single tasks."""
    shown = for_people(ranked)
    head = ["rank", "model", "params", AVERAGE, "95 % interval", *([SOURCE] if SOURCE in shown else [])]
    shown["model"] = names_apart(shown)
    shown["params"] = [number(value) for value in shown["params"]]
    return head, [[_text(value) for value in row] for row in shown[head].itertuples(index=False, name=None)]


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
