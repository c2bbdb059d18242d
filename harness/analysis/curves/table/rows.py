"""The rows of anybody's table in our own columns: names, sizes, scores, documents, and how each metric is read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from harness.analysis.curves.scale import SCALES, Scale
from harness.analysis.curves.table.columns import CONDITION_COLUMNS, IDENTITY_COLUMNS, SETTING_COLUMNS, Columns
from harness.analysis.curves.table.metrics import add_readings
from harness.errors import TableError
from harness.plan import AXES
from harness.plausible import AMOUNT, COUNT, INDEX, LARGEST_COUNT, SIZE_BOUNDS

_FOLLOWS: Mapping[Scale, tuple[str, ...]] = {"params_active": ("params",), "flops": ("params", "tokens")}
"""Axis -> columns that it follows from where the table has none of its own."""


def tidy_rows(frame: pd.DataFrame, scale: Scale, source: str) -> pd.DataFrame:
    """The table in our own columns, in its own order: names, sizes, scores, readings."""
    columns = Columns(frame, source)
    columns.check_has(("family",), ("model",), ("task",), ("metric",), ("n_shot", "shots"), ("k", "value"))
    rows = pd.DataFrame({name: columns.text(name) for name in ("family", "task", "metric")})
    parts = [name.partition("@") for name in columns.text("model")]
    rows["model"] = [name for name, _, _ in parts]
    shots = columns.one_of("n_shot", "shots")
    rows["shots"] = columns.numbers(shots, needed=True, whole=True, bound=INDEX).astype(int)
    rows["prompt"] = columns.text("prompt", "default")
    rows["suite"], rows["kind"] = columns.text("suite", ""), columns.text("kind", "")
    rows["run"] = _run_names(columns)
    rows["seed"] = columns.numbers("seed", whole=True, bound=INDEX).fillna(0).astype(int)
    rows["doc_id"] = columns.text("doc_id") if "doc_id" in columns else ""
    _add_conditions(rows, columns)
    _add_sizes(rows, columns, scale)
    revision = columns.text("revision", "") if "revision" in columns else [revision for _, _, revision in parts]
    sizes = rows[list(SCALES)].itertuples(index=False)
    rows["stage"] = list(revision)
    rows["checkpoint"] = [f"{known} {size}" for known, size in zip(revision, map(tuple, sizes), strict=True)]
    rows["date"] = _seconds(columns.text("date", ""))
    rows["metric_rank"] = columns.numbers("metric_rank", needed="metric_rank" in columns, whole=True)
    columns.check(rows["metric_rank"].isna() | rows["metric_rank"].between(0, 999), "metric_rank", "0 to 999")
    _add_scores(rows, columns)
    add_readings(rows, columns)
    _add_documents(rows)
    _check_repeats(rows, source)
    return rows


def _run_names(columns: Columns) -> pd.Series:
    """Name of each row's training run, empty where it has none; 1.0 is run 1, which a column with gaps makes of it."""
    return columns.text("run", "").str.replace(r"^(\d+)\.0+$", r"\1", regex=True)


def _add_conditions(rows: pd.DataFrame, columns: Columns) -> None:
    """What must be equal for two rows to lie on one curve; empty text where the table has no such column."""
    for name in CONDITION_COLUMNS:
        axis = AXES.get(name)
        added = axis is not None and axis.goes_without_saying(axis.default)
        rows[name] = columns.text(name, "plain" if name in columns and not added else "")
        if axis is not None and added:
            rows[name] = rows[name].map(lambda value, text=axis.text: text(value) if value else value)
    if "task_digest" in columns:
        rows["task_version"] = ""  # the digest tells them apart, also where the author forgot to count up
    if "limit" in columns:
        limit = columns.numbers("limit", whole=True, bound=INDEX)
        rows["limit"] = limit.map("first {:.0f}".format).where(limit.notna(), "all")


def _seconds(dates: pd.Series) -> pd.Series:
    """Time in seconds; 0 where there is no date, or none that can be read."""
    read = pd.to_datetime(dates, errors="coerce", utc=True, format="ISO8601")
    # not as a difference of times, whose nanoseconds reach from 1677 to 2262 alone
    return (read.dt.as_unit("us").astype("int64") / 1e6).where(read.notna(), 0.0)


def _add_sizes(rows: pd.DataFrame, columns: Columns, scale: Scale) -> None:
    """Where each row stands on every axis, NaN where that is not known.

    All parameters are active where the table does not say otherwise, and `flops` follows from these and the tokens.
    """
    sources = _FOLLOWS.get(scale, ())
    if not sources or any(name not in columns for name in sources):
        columns.one_of(scale)
    for name in SCALES:
        rows[name] = columns.numbers(name, needed=name == scale == "params", bound=SIZE_BOUNDS[name])
    rows["params_active"] = rows["params_active"].fillna(rows["params"])
    rows["flops"] = rows["flops"].fillna(6.0 * rows["params_active"] * rows["tokens"])
    if rows[scale].isna().all():
        raise TableError(f"{columns.source}: column {scale}: is empty in every row; expected the x axis")


def _add_scores(rows: pd.DataFrame, columns: Columns) -> None:
    """Value, standard error (NaN unknown) and documents (NaN unknown) of every row."""
    columns.one_of("k", "value")
    rows["failed"] = columns.text("status", "").str.lower() == "failed"
    counted = columns.numbers("k", whole=True, bound=INDEX)
    n_column = "n" if "n" in columns or "n_items" not in columns else "n_items"
    n = columns.numbers(n_column, whole=True, bound=COUNT)
    value, stderr = columns.numbers("value"), columns.numbers("stderr", bound=AMOUNT)
    if counted.notna().any():
        columns.check(counted.isna() | n.notna(), columns.one_of(n_column), "the number of documents that k is of")
        columns.check(counted.isna() | (counted <= n), "k", n.map("at most n = {:g}".format))
    rows["value"] = (counted / n).where(counted.notna(), value)
    there = rows["value"].notna() | rows["failed"]
    columns.check(there, "value" if "value" in columns else "k", "a number")
    if "doc_id" not in columns:
        sure = n.notna() | stderr.notna() | rows["failed"]
        if not sure.any():
            columns.one_of("stderr", "n", "n_items")
        columns.check(sure, "stderr" if "stderr" in columns else n_column, "a number here or as n")
    rows["stderr"] = stderr.where(counted.isna())
    rows["n"] = n
    for name in ("n_expected", "n_truncated"):
        rows[name] = columns.numbers(name, whole=True, bound=INDEX)


def _add_documents(rows: pd.DataFrame) -> None:
    """How many documents each score rests on, where the table does not say; see `table_curves`."""
    best = rows["best"].where(rows["best"] > 0, 1.0)
    share, stderr = rows["value"] / best, rows["stderr"] / best
    spread = (share * (1 - share)).where(share.between(0, 1, inclusive="neither"))
    implied = (spread / stderr.where(stderr > 0) ** 2 + 1).round()
    implied = implied.where(implied <= LARGEST_COUNT)  # nobody has so many: an error of nearly 0 tells nothing
    known = rows["n"].fillna(implied.where(~rows["continuous"]))
    usual = known.groupby([rows[name] for name in SETTING_COLUMNS[1:]]).transform("median").round()
    rows["n"] = known.fillna(usual).fillna(implied).fillna(1.0)


def _check_repeats(rows: pd.DataFrame, source: str) -> None:
    """Refuse a table with the same score in two rows, which would count twice."""
    identity = list(IDENTITY_COLUMNS)
    again = rows.duplicated(identity)
    if again.any():
        row = int(np.argmax(again.to_numpy()))
        this = rows.iloc[row]
        first = int(np.argmax((rows[identity] == this[identity]).all(axis=1).to_numpy()))
        raise TableError(
            f"{source}: row {row + 1} is of the same score as row {first + 1} (model {this['model']}, task "
            f"{this['task']}, metric {this['metric']}); expected each score once, or a column that tells them apart: "
            "run, seed, prompt, revision, condition, doc_id"
        )
