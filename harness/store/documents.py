"""The Parquet file of a cell: one row per document, with the prompt, the answer and the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.errors import StoreError
from harness.records import Sample

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
        samples: one per document.
        metrics: names of the cell's metrics, each of which has a column even where no document has a score.
    """
    import pyarrow as pa
    from pyarrow import parquet

    columns: dict[str, Any] = {
        field.name: [getattr(s, field.name) for s in samples] for field in fields(Sample) if field.name != "scores"
    }
    names = list(dict.fromkeys([*metrics, *(name for s in samples for name in s.scores)]))
    for name in names:
        columns[SCORE + name] = pa.array([s.scores.get(name) for s in samples], pa.float64())
    for name in ("options", "outputs"):
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
    columns = _columns(path, only=("doc_hash", SCORE))
    scores = {
        name.removeprefix(SCORE): columns[name].to_numpy()
        for name in columns.column_names
        if name.startswith(SCORE) and not columns[name].null_count
    }
    return DocumentScores(tuple(columns["doc_hash"].to_pylist()), scores)


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
    for name in ("options", "option_loglikelihoods", "outputs"):
        plain[name] = tuple(plain.get(name, ()))
    return Sample(scores=scores, **plain)


def _columns(path: Path, only: tuple[str, ...] = ("",)) -> Any:
    """The columns of a file whose names start with one of `only`, as a pyarrow table."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            return file.read(columns=[name for name in file.schema_arrow.names if name.startswith(only)])
    except (OSError, pyarrow.ArrowException) as error:
        raise StoreError(f"{path}: cannot be read: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
