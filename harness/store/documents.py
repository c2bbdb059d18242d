"""The Parquet file of a cell: one row per document, with the prompt, the answer and the scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.bounded import parquet_file
from harness.bounded.limits import UnreadableError
from harness.errors import StoreError
from harness.records import Sample
from harness.wording import cut

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCORE = "score:"
"""Beginning of the name of a column with scores; the metric's name follows."""


class DocumentScores(NamedTuple):
    """What each document of a cell scored, without what the model wrote."""

    doc_hash: tuple[str, ...]
    """Hash of each document, equal in every cell that asks it."""
    scores: Mapping[str, NDArray[np.float64]]
    """Metric name -> score of each document; metrics that only the whole cell has are left out."""


def samples_bytes(samples: Sequence[Sample], metrics: Sequence[str]) -> bytes:
    """The content of a cell's Parquet file.

    Args:
        samples: one per document; none for a result whose documents nobody has.
        metrics: names of the cell's metrics, each of which has a column even where no document has a score.
    """
    return _written(samples, metrics) if samples else _without_documents(tuple(metrics))


@cache
def _without_documents(metrics: tuple[str, ...]) -> bytes:
    return _written((), metrics)


def _written(samples: Sequence[Sample], metrics: Sequence[str]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    columns: dict[str, Any] = {
        field.name: [getattr(s, field.name) for s in samples] for field in fields(Sample) if field.name != "scores"
    }
    names = list(dict.fromkeys([*metrics, *(name for s in samples for name in s.scores)]))
    for name in names:
        columns[SCORE + name] = pa.array([s.scores.get(name) for s in samples], pa.float64())
    for name in ("options", "targets", "outputs"):
        columns[name] = pa.array([list(getattr(s, name)) for s in samples], pa.list_(pa.string()))
    columns["option_loglikelihoods"] = pa.array(
        [list(s.option_loglikelihoods) for s in samples], pa.list_(pa.float64())
    )
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), sink, compression="zstd")
    return bytes(sink.getvalue())


def read_samples(path: Path) -> tuple[Sample, ...]:
    """Every row of a cell's Parquet file.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        return tuple(sample(row) for row in _columns(path).to_pylist())
    except ValueError as error:
        raise StoreError(f"{path}: is damaged: {error}") from error


def read_scores(path: Path) -> DocumentScores:
    """The scores alone, a small part of a cell's Parquet file.

    Raises:
        StoreError: the file is missing or damaged.
    """
    import numpy as np

    columns = _columns(path, only=("doc_hash", SCORE))
    if "doc_hash" not in columns.column_names or columns["doc_hash"].null_count:
        raise StoreError(f"{path}: is damaged: column doc_hash is missing or empty")
    scores = {
        name.removeprefix(SCORE): columns[name].to_numpy().astype(float)
        for name in columns.column_names
        if name.startswith(SCORE) and not columns[name].null_count
    }
    for name, values in scores.items():
        if not np.isfinite(values).all():
            raise StoreError(f"{path}: is damaged: column {cut(SCORE + name)} has scores that are not finite")
    return DocumentScores(tuple(columns["doc_hash"].to_pylist()), scores)


def check_samples(path: Path) -> None:
    """Check that a cell's Parquet file has the columns it must have, and not more of them or more rows than is allowed.

    Raises:
        StoreError: the file is missing or damaged.
    """
    with _reported(path), parquet_file.opened_parquet(path, _types(), never=_OF_READERS):
        pass


def sample(row: Mapping[str, Any]) -> Sample:
    """The sample in one row, column name -> value.

    Raises:
        ValueError: a column is missing that every version wrote.
    """
    scores = {k.removeprefix(SCORE): v for k, v in row.items() if k.startswith(SCORE) and v is not None}
    # files from before a column was added leave its field at its default
    plain = {field.name: row[field.name] for field in fields(Sample) if row.get(field.name) is not None}
    for field in fields(Sample):
        if field.name != "scores" and field.name not in plain and field.default is MISSING:
            raise ValueError(f"column {field.name} is missing or empty")
    for name in ("options", "option_loglikelihoods", "targets", "outputs"):
        plain[name] = tuple(plain.get(name, ()))
    return Sample(scores=scores, **plain)


_OF_READERS = frozenset({"file_index", "file_row_number", "filename"})
"""Columns that DuckDB adds to those of a file; one of the file's own would stand in their place."""


def _columns(path: Path, only: tuple[str, ...] = ("",)) -> Any:
    """Our columns of a file whose names start with one of `only`, as a pyarrow table."""
    with _reported(path):
        return parquet_file.read_parquet(path, _types(), only, never=_OF_READERS)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except UnreadableError as error:
        raise StoreError(f"{path}: {error}") from error


@cache
def _types() -> Mapping[str, parquet_file.ColumnTest]:
    """What our columns may be; a file without rows has columns without a type."""
    from pyarrow import types

    def text(kind: Any) -> bool:
        return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind))

    def number(kind: Any) -> bool:
        return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind))

    def several(of: Callable[[Any], bool]) -> parquet_file.ColumnTest:
        return lambda kind: types.is_null(kind) or (types.is_list(kind) and of(kind.value_type))

    return {
        "doc_id": number,
        **dict.fromkeys(("doc_hash", "prompt_hash", "prompt", "target", "output"), text),
        **dict.fromkeys(("options", "outputs"), several(text)),
        "option_loglikelihoods": several(number),
        "truncated": lambda kind: types.is_boolean(kind) or types.is_null(kind),
        SCORE: number,
    }
