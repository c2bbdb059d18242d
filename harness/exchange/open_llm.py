"""The table `contents` of the Open LLM Leaderboard, of version 1 or 2, as Parquet, CSV or JSON: a row per model.

A row says name, commit, number format and size of a model, and a score of each benchmark; `open_llm_columns` says what
these are. Files that were exported here have columns such as `arc_easy, 5-shot (acc) Raw` too.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from harness.bounded.documents import documents, kind_of_file
from harness.bounded.limits import UnreadableError
from harness.errors import HarnessError
from harness.exchange.fields import Fields, dtype_of, is_number, moment_of
from harness.exchange.open_llm_columns import OPEN_LLM_PARAMS, OPEN_LLM_V1, OPEN_LLM_V2, RAW, LeaderboardTask
from harness.exchange.types import Contents, ForeignFile, Published, PublishedScore, Remark
from harness.wording import as_written, quoted

TOOL = "open-llm-leaderboard"
_LINK = re.compile(r'href="https://huggingface\.co/(?P<name>[^"/\s]+/[^"/\s]+)"')
_OURS = re.compile(r"(?P<task>.+), (?P<shots>\d{1,6})-shot(?P<rest>, .+)? \((?P<metric>[^()]+)\) Raw")
_NO_MODEL = Remark("row", "left out, which names no model, such as a baseline")
_FLAGGED = Remark("result", "of models that the leaderboard has flagged")
_EMPTY = ("", "N/A", "nan", "NaN", "None", "null")


class _Column(NamedTuple):
    """A column of scores."""

    name: str
    benchmark: LeaderboardTask
    best: float
    """Score of a perfect answer, in the unit of the column."""
    version: str | None
    """Version of the leaderboard; None for a column that was exported here."""


def read_open_llm(file: ForeignFile) -> Contents | None:
    """The results in a table, one for each model and benchmark.

    Raises:
        HarnessError: a value is not what the leaderboard has there.
    """
    rows, columns = _rows(file), list[_Column]()
    results, remarks = list[Published](), Counter[Remark]()
    for row in rows:
        columns = columns or list(_columns(row.raw))
        if not columns or not {"fullname", "Model", "model_name_for_query"} & row.raw.keys():
            return None
        model = _model(row)
        if model is None:
            remarks[_NO_MODEL] += 1
            continue
        found = [_result(model, column, value) for column in columns if (value := _value(row, column)) is not None]
        results += found
        remarks[_FLAGGED] += len(found) if _is_true(row.get("Flagged")) else 0
    return Contents(results=tuple(results), remarks=remarks) if columns else None


def _rows(file: ForeignFile) -> Iterator[Fields]:
    """Rows by the names of their columns, without the invisible sign that makes an arrow or a heart a picture."""
    try:
        for number, row in enumerate(_documents(file), start=1):
            yield Fields({str(k).replace("\ufe0f", ""): v for k, v in row.items()}, f"{file.path}: row {number}")
    except UnreadableError as error:
        raise HarnessError(f"{file.path}: {error}") from error


def _documents(file: ForeignFile) -> Iterator[Mapping[str, Any]]:
    """The rows; none for JSON of another form, which is no damaged table but something else."""
    if file.path.suffix == ".json":
        value = file.json()
        if isinstance(value, list) and all(isinstance(row, dict) for row in value):
            yield from value
    else:
        for row in documents(file.path, kind_of_file(file.path.name, "json")):
            yield row.fields


def _columns(names: Iterable[str]) -> Iterator[_Column]:
    there = {as_written(name): name for name in names}
    of_v2 = [one for one in OPEN_LLM_V2 if one.column + RAW in there]
    of_v1 = [one for one in OPEN_LLM_V1 if one.column in there]
    for one in of_v2:
        yield _Column(there[one.column + RAW], one, 1.0, "2")
    if not of_v2 and len(of_v1) > 3:
        for one in of_v1:
            yield _Column(there[one.column], one, 100.0, "1")
    for name, column in there.items():
        if ours := _OURS.fullmatch(name):
            task = ours["task"] + (ours["rest"] or "")
            yield _Column(column, LeaderboardTask(name, task, int(ours["shots"]), ours["metric"]), 1.0, None)


def _model(row: Fields) -> Mapping[str, Any] | None:
    name = _name(row)
    if name is None:
        return None
    precision = str(row.get("Precision") or "")
    dtype, sha = dtype_of(precision), str(row.get("Model sha") or "")
    return {
        "model": name,
        "revision": sha if sha not in _EMPTY else "main",
        "dtype": dtype,
        # 4bit, 8bit, GPTQ
        "variant": precision if dtype is None and precision not in (*_EMPTY, "?") else None,
        "params": _params(row),
        "chat": "template" if _is_true(row.get("Chat Template")) else None,
        "date": moment_of(row.get("Submission Date") or row.get("date")),
    }


def _name(row: Fields) -> str | None:
    for key in ("fullname", "model_name_for_query"):
        name = as_written(str(row.get(key) or "").strip())
        if name not in _EMPTY:
            return name if "baseline" not in name else None
    shown = str(row.get("Model") or "").strip()
    linked = _LINK.search(shown)
    if linked is not None:
        return linked["name"]
    return None if shown in _EMPTY or shown.startswith("<") else as_written(shown)


def _params(row: Fields) -> int | None:
    """Parameters; the leaderboard writes 0 or -1 billion where it does not know them."""
    billions = _number(row, OPEN_LLM_PARAMS)
    return round(billions * 1e9) if billions is not None and billions * 1e9 >= 1 else None


def _number(row: Fields, name: str) -> float | None:
    value = row.get(name)
    if (
        value is None
        or (isinstance(value, str) and value in _EMPTY)
        or (isinstance(value, float) and math.isnan(value))
    ):
        return None
    try:
        number = float(value if isinstance(value, int | float) else str(value))
    except (ValueError, OverflowError):
        number = math.nan
    if not is_number(number):
        raise HarnessError(f"{row.place}: {name} is {quoted(value)}; expected a number")
    return number


def _value(row: Fields, column: _Column) -> float | None:
    value = _number(row, column.name)
    return None if value is None else value / column.best


def _is_true(value: object) -> bool:
    return value is True or str(value).lower() == "true"


def _result(model: Mapping[str, Any], column: _Column, value: float) -> Published:
    one = column.benchmark
    return Published(
        task=one.task,
        version=column.version,
        asked={} if column.version else {"column": column.name},
        shots=one.shots,
        scores=(PublishedScore(metric=one.metric, value=value, stderr=None),),
        n=None,
        tool=TOOL,
        tool_version=column.version,
        **model,
    )
