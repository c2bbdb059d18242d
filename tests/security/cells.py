"""The provider of stored cells that break readers or lie: each beside good ones, to every verb that reads results."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from pydantic import TypeAdapter, ValidationError

from harness.analysis.curves import curves
from harness.errors import HarnessError
from harness.leaderboard import tidy_table, wide_table
from harness.reading import document_reader
from harness.records import CellResult
from harness.store import HEADER, SAMPLES, Store
from harness.store.samples import Query, page
from harness.wording import visible
from tests.builders import grown
from tests.builders.cells import sample
from tests.security import Case

KIND = "cells that break readers or lie"
_GOOD = tuple(
    replace(
        one,
        samples=tuple(sample(i, scores={"acc": float(i < 5), "prob_correct": 0.25}) for i in range(10)),
        n_expected=200,
    )
    for one in grown((60, 90, 120, 150))
)


def cases() -> Iterator[Case]:
    """Each value at each place of a header, and other columns in the samples."""
    for place, values in LIES.items():
        for value in values:
            yield Case(KIND, f"{place} = {str(value)[:40]}", "in a header", partial(_in_header, place, value))
    for name, change in COLUMNS.items():
        yield Case(KIND, name, "in the samples", partial(_in_samples, change))


def _store(folder: Path) -> Store:
    store = Store(folder / "results")
    for one in _GOOD:
        store.write(one)
    return store


def _in_header(place: str, value: Any) -> str | None:
    with tempfile.TemporaryDirectory() as made:
        store = _store(Path(made))
        path = store.path(_GOOD[0].cell) / HEADER
        raw = json.loads(path.read_text())
        at: Any = raw
        *steps, last = [int(part) if part.isdigit() else part for part in place.split(".")]
        for step in steps:
            at = at[step]
        at[last] = value
        raw = raw if place == "key" else _keyed(raw)
        path.write_bytes(json.dumps(raw, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        results, _, problems = store.outcomes()
        if len(results) != len(_GOOD) - 1 or len(problems) != 1:
            return "it was taken for a result"
        return _told(map(str, problems))


def _keyed(raw: dict[str, Any]) -> dict[str, Any]:
    """The header with the key of what it says, so that nothing else is wrong with it."""
    body = {name: value for name, value in raw.items() if name not in ("schema", "key", "harness_version")}
    try:
        return raw | {"key": TypeAdapter(CellResult).validate_python(body).cell.key}
    except (ValidationError, HarnessError, ValueError, TypeError):
        return raw


def _in_samples(change: Callable[[dict[str, Any]], Any]) -> str | None:
    with tempfile.TemporaryDirectory() as made:
        store = _store(Path(made))
        path = store.path(_GOOD[0].cell) / SAMPLES
        columns = parquet.read_table(path).to_pydict()
        parquet.write_table(pa.table(change(columns)), path)
        results, _, _ = store.outcomes()
        found = page(store, [one.cell for one in results], Query(metric="acc", at_least=0.5), limit=1_000)
        told = [str(problem) for problem in found.problems]
        document_reader(store, told.append)(_GOOD[0].cell)
        if not told:
            return "its answers were taken"
        if {row.cell for row in found.rows} != {one.cell for one in _GOOD[1:]}:
            return "answers of other cells are missing"
        return _told(told) or _read_by_all(store, results)


def _told(messages: Any) -> str | None:
    for message in messages:
        if visible(message) != message or len(message) > 3_000:
            return f"no printable line: {message[:200]!r}"
    return None


def _read_by_all(store: Store, results: Any) -> str | None:
    """What a reader of all results says that cannot be."""
    tables = tidy_table(results), wide_table(results)
    points = [p for c in curves(results, items=document_reader(store, lambda _: None)) for p in c.points]
    numbers = [number for point in points for number in (point.x, point.estimate.value)]
    if not tables[0]["value"].between(0, 1).all() or not all(map(math.isfinite, numbers)):
        return "a score or a size that cannot be was shown"
    return None


_DEEP: Any = "deep"
for _ in range(150):
    _DEEP = [_DEEP]
_TEXTS = (3, None, [], "\ud800", "x" * 5_000, _DEEP)
_COUNTS = (-5, 10**30, "many", None, [], 1.5, float("nan"), _DEEP)
_TIMES = ("2026-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", -(10**20), "yesterday", None, _DEEP)
LIES: Mapping[str, tuple[Any, ...]] = {
    "cell.model.params": (*_COUNTS, 0),
    "cell.model.params_active": tuple(value for value in _COUNTS if value is not None),
    "cell.model.tokens": tuple(value for value in _COUNTS if value is not None),
    "cell.model.loss": (-0.5, 10**400, float("inf"), "low", _DEEP),
    "cell.model.gpus": (-1, float("nan"), "all", _DEEP),
    "cell.model.name": _TEXTS,
    "cell.model.family": _TEXTS,
    "cell.model.revision": _TEXTS,
    "cell.task": _TEXTS,
    "cell.prompt": _TEXTS,
    "cell.engine": _TEXTS,
    "cell.shots": _COUNTS,
    "cell.seed": _COUNTS,
    "cell.limit": tuple(value for value in _COUNTS if value is not None),
    "cell.metrics": ([], {}, None, "acc", [None], _DEEP),
    "cell.metrics.0.name": (*_TEXTS, "prob_correct"),
    "cell.metrics.0.chance": (2, -0.25, float("nan"), "half", _DEEP),
    "cell.metrics.0.best": (0.1, -1, float("inf"), "most", _DEEP),
    "scores": ([], {}, None, [None], _DEEP),
    "scores.0.metric": (*_TEXTS, "prob_correct", "theirs"),
    "scores.0.value": (5, -0.1, 10**400, float("nan"), float("-inf"), "good", None, _DEEP),
    "scores.0.stderr": (-1, 7, float("nan"), "small", _DEEP),
    "scores.0.n": (*_COUNTS, 0),
    "n_expected": (*_COUNTS, 0),
    "n_truncated": (*_COUNTS, 10**6),
    "shots_effective": _COUNTS,
    "provenance": (None, [], "mine", _DEEP),
    "provenance.started_at": _TIMES,
    "provenance.seconds": (-1, float("nan"), 10**400, "long", None, _DEEP),
    "provenance.energy_wh": (-1, float("inf"), "much", _DEEP),
    "provenance.versions": ([], {"a": 1}, {"x" * 5_000: "1"}, _DEEP),
    "key": ("0" * 16, "", None, 3, "k" * 1_999),
    "schema": (10**300, -1, "1", None, 1.5),
}
"""Place in a header -> what is put there."""


def _column(name: str, values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda columns: columns | {name: values}


COLUMNS: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "a column of a reader, file_index": _column("file_index", [0] * 10),
    "a column of a reader, filename": _column("filename", ["x"] * 10),
    "a column of a reader, file_row_number": _column("file_row_number", [0] * 10),
    "scores that are no numbers": _column("score:acc", ["1"] * 10),
    "scores that are not finite": _column("score:acc", [float("nan")] * 10),
    "scores that are lists": _column("score:acc", [[1.0]] * 10),
    "hashes that are numbers": _column("doc_hash", list(range(10))),
    "hashes that are structures": _column("doc_hash", [{"a": 1}] * 10),
    "no hashes": lambda columns: {name: values for name, values in columns.items() if name != "doc_hash"},
    "texts that are bytes": _column("prompt", [b"\xff"] * 10),
    "1,200 columns": lambda columns: columns | {f"c{i}": [0] * 10 for i in range(1_200)},
}
"""What is tried -> how the columns of the samples are changed."""
