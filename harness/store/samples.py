"""Search in the answers of many cells without loading them: DuckDB reads the Parquet files below `results/`.

A store has one file per cell: thousands of files with millions of rows. A search reads only the columns that it needs,
and whole rows only for the page that is shown. Words to search for are bound as parameters and never written into SQL.
Files that cannot be read are named beside the answer, which lacks only their rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import duckdb

from harness.errors import StoreError
from harness.plan import Cell
from harness.records import Sample
from harness.store import SAMPLES, SCORE, Problem, Store, sample
from harness.store.documents import check_samples
from harness.wording import cut

RIGHT = 0.5
"""Score from which an answer counts as right: half of what is possible, for metrics that give more than 0 and 1."""
PATIENCE = 0.7
"""Seconds after which a search reads no further files; with those it is reading, it takes about one second."""
_BATCH = 100
"""Number of files of one query. Opening files is most of its cost, and a search can stop between two queries."""
# Nothing is ever fetched from a network, and Parquet is built in.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "memory_limit": "1GB",  # of texts that few bytes stand for; a search needs far less
}
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """Which samples are wanted; a field at its default excludes none."""

    text: str = ""
    """Text that occurs in the prompt, the target or the output, in upper or lower case; empty for any."""
    metric: str | None = None
    """Name of the metric to which the two bounds apply; None for no bounds."""
    at_least: float | None = None
    """Lowest score, in the unit of the metric; `RIGHT` gives right answers, None any."""
    below: float | None = None
    """Bound below which the score is; `RIGHT` gives wrong answers, None any."""
    documents: tuple[str, ...] = ()
    """Hashes of the documents that are wanted; empty for any."""


class StoredSample(NamedTuple):
    """One sample with the cell it belongs to."""

    cell: Cell
    """The cell."""
    sample: Sample
    """The sample, with all its texts."""


class Page(NamedTuple):
    """One page of the samples that match a query."""

    rows: tuple[StoredSample, ...]
    """The samples, in the order of the cells and then of their documents."""
    total: int
    """Number of samples on all pages, as far as cells were searched."""
    searched: int
    """Number of cells that were searched; less than all when the time was up."""
    problems: tuple[Problem, ...]
    """Files that could not be read and were left out."""


class Step(NamedTuple):
    """How answers change from one size to the next."""

    smaller: Cell
    """The cell of the smaller model."""
    larger: Cell
    """The cell of the larger model."""
    gained: int
    """Number of documents that only the larger model answered right."""
    lost: int
    """Number of documents that only the smaller model answered right."""
    n: int
    """Number of documents that both answered."""


class ChangingDocument(NamedTuple):
    """One document, and which sizes answered it right."""

    doc_hash: str
    """Hash of the document."""
    right: tuple[bool | None, ...]
    """One per cell; None where the document was not asked."""
    changes: int
    """How often the answer changes between right and wrong from one size to the next."""


class AnswerChanges(NamedTuple):
    """Documents whose answers change between neighbouring sizes."""

    cells: tuple[Cell, ...]
    """The cells that could be read, smallest model first."""
    steps: tuple[Step, ...]
    """One per pair of neighbouring cells."""
    items: tuple[ChangingDocument, ...]
    """Documents whose answers change at least once, those with most changes first."""
    problems: tuple[Problem, ...]
    """Files that could not be read and were left out."""


def page(
    store: Store,
    cells: Sequence[Cell],
    query: Query | None = None,
    *,
    offset: int = 0,
    limit: int = 50,
    patience: float | None = PATIENCE,
) -> Page:
    """One page of the samples that match a query.

    Args:
        store: the results folder.
        cells: complete cells, in the order in which their samples are wanted.
        query: which of their samples are wanted; None for all.
        offset: number of samples before the page.
        limit: largest number of samples on the page.
        patience: seconds after which no further cells are searched; None searches all.
    """
    asked = query or Query()
    files = [(cell, store.path(cell) / SAMPLES) for cell in cells if asked.metric in {None, *_metrics(cell)}]
    until = None if patience is None else time.monotonic() + patience
    hits: list[_Hits] = []
    problems: list[Problem] = []
    searched = len(cells) - len(files)  # a cell without the metric holds no such samples
    with duckdb.connect(config=_CONFIG) as connection:
        for first in range(0, len(files), _BATCH):
            batch = files[first : first + _BATCH]
            found, damaged = _ask(batch, lambda some: _count(connection, some, asked))
            hits += found
            problems += damaged
            searched += len(batch)
            if until is not None and time.monotonic() > until:
                break
        skip, shown = _shown(hits, offset, limit)
        first_shown = shown[:1]

        def read(some: Sequence[_SampleFile]) -> list[StoredSample]:
            return _rows(connection, some, asked, offset=skip if some[:1] == first_shown else 0, limit=limit)

        rows, damaged = _ask(shown, read)
    return Page(tuple(rows[:limit]), sum(hit.n for hit in hits), searched, (*problems, *damaged))


def sample_of(store: Store, cell: Cell, doc_hash: str) -> Sample | None:
    """What one cell answered to one document; None when it was not asked.

    Raises:
        StoreError: the file is missing or damaged.
    """
    found = page(store, [cell], Query(documents=(doc_hash,)), limit=1)
    for problem in found.problems:
        raise StoreError(str(problem))
    return found.rows[0].sample if found.rows else None


def answer_changes(store: Store, cells: Sequence[Cell], metric: str, *, right_from: float = RIGHT) -> AnswerChanges:
    """The documents that are answered right by one size and wrong by the next, or the other way round.

    Args:
        store: the results folder.
        cells: one complete cell per size of one task and setting, ascending; the same seed in each.
        metric: name of the metric by which answers are right or wrong.
        right_from: lowest score of a right answer.
    """
    there: list[Cell] = []
    answers: list[dict[str, bool]] = []
    problems: list[Problem] = []
    for cell in cells:
        try:
            read = store.scores(cell)
        except StoreError as error:
            path = store.path(cell) / SAMPLES
            problems.append(Problem(path=path, message=str(error).removeprefix(f"{path}: ")))
            continue
        if metric in read.scores:
            there.append(cell)
            answers.append(dict(zip(read.doc_hash, (read.scores[metric] >= right_from).tolist(), strict=True)))
    steps = tuple(_step(*two, *right) for two, right in zip(pairwise(there), pairwise(answers), strict=True))
    documents = dict.fromkeys(doc for answered in answers for doc in answered)
    items = (_item(doc, tuple(answered.get(doc) for answered in answers)) for doc in documents)
    changing = sorted((item for item in items if item.changes), key=lambda item: -item.changes)
    return AnswerChanges(tuple(there), steps, tuple(changing), tuple(problems))


_SampleFile = tuple[Cell, Path]
"""A cell and its samples."""


class _Hits(NamedTuple):
    """Number of samples of one file that match a query."""

    file: _SampleFile
    n: int


def _metrics(cell: Cell) -> tuple[str, ...]:
    return tuple(metric.name for metric in cell.metrics)


def _ask(
    files: Sequence[_SampleFile], question: Callable[[Sequence[_SampleFile]], list[_Answer]]
) -> tuple[list[_Answer], list[Problem]]:
    """The answers of all files that can be read. When a query fails, halves of its files are tried, down to the one."""
    if not files:
        return [], []
    try:
        return question(files), []
    except (duckdb.Error, StoreError, ValueError) as error:
        if len(files) == 1:
            first_line, _, _ = str(error).partition("\n")
            return [], [
                Problem(path=files[0][1], message=f"cannot be read: {cut(first_line.removeprefix('cannot be read: '))}")
            ]
    middle = len(files) // 2
    left, right = _ask(files[:middle], question), _ask(files[middle:], question)
    return left[0] + right[0], left[1] + right[1]


def _count(connection: duckdb.DuckDBPyConnection, files: Sequence[_SampleFile], query: Query) -> list[_Hits]:
    """Number of samples in each file that match, for files that have any."""
    condition, values = _condition(query)
    sql = f"SELECT file_index, count(*) FROM {_TABLE} WHERE {condition} GROUP BY file_index ORDER BY file_index"
    found = connection.execute(sql, {**values, "files": _patterns(files)}).fetchall()
    return [_Hits(files[index], count) for index, count in found]


def _shown(hits: Sequence[_Hits], offset: int, limit: int) -> tuple[int, list[_SampleFile]]:
    """The files that a page shows, and how many matching samples of the first of them come before the page."""
    before, skip = 0, 0
    files: list[_SampleFile] = []
    for hit in hits:
        if before < offset + limit and before + hit.n > offset:
            skip = skip if files else offset - before
            files.append(hit.file)
        before += hit.n
    return max(skip, 0), files


def _rows(
    connection: duckdb.DuckDBPyConnection, files: Sequence[_SampleFile], query: Query, *, offset: int, limit: int
) -> list[StoredSample]:
    """Whole rows, in order."""
    condition, values = _condition(query)
    sql = (
        f"SELECT file_index, * FROM {_TABLE} WHERE {condition} "
        "ORDER BY file_index, file_row_number LIMIT $limit OFFSET $offset"
    )
    done = connection.execute(sql, {**values, "files": _patterns(files), "limit": limit, "offset": offset})
    names = [column[0] for column in done.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in done.fetchall()]
    return [StoredSample(files[row["file_index"]][0], sample(row)) for row in rows]


# Columns by name, because later versions add some; no columns from names of folders, which may hold `=`.
_TABLE = "read_parquet($files, union_by_name = true, hive_partitioning = false, file_row_number = true)"


def _patterns(files: Sequence[_SampleFile]) -> list[str]:
    """The paths as DuckDB wants them, since it takes `*`, `?` and `[` for patterns.

    Raises:
        StoreError: a file is missing, and DuckDB would ignore it and give the others wrong numbers; or its columns are
            not what they must be, and DuckDB would take them for something else.
    """
    for _, path in files:
        try:
            status = path.stat()
        except OSError as error:
            raise StoreError("no such file") from error
        _check_once(path, status.st_mtime_ns, status.st_size)
    return ["".join(f"[{c}]" if c in "*?[" else c for c in str(path.absolute())) for _, path in files]


@lru_cache(maxsize=100_000)
def _check_once(path: Path, *_: int) -> None:
    """Check that a file can be read; one that has not changed since is not looked at again."""
    try:
        check_samples(path)
    except StoreError as error:
        raise StoreError(str(error).removeprefix(f"{path}: ")) from error


def _condition(query: Query) -> tuple[str, dict[str, Any]]:
    """The SQL condition of a query, and the values of its parameters.

    Texts are cast, because the columns of a file without rows have no type.
    """
    parts: list[str] = ["true"]
    values: dict[str, Any] = {}
    if query.text:
        parts.append("(" + " OR ".join(f"contains(lower({c}::VARCHAR), lower($text))" for c in _TEXTS) + ")")
        values["text"] = query.text
    if query.documents:
        parts.append("list_contains($documents, doc_hash::VARCHAR)")
        values["documents"] = list(query.documents)
    if query.metric is not None:
        score = '"' + (SCORE + query.metric).replace('"', '""') + '"'  # a name cannot be bound, but quoted
        if query.at_least is not None or query.below is not None:
            parts.append(f"isfinite({score}::DOUBLE)")  # to DuckDB, NaN is more than any number
        for bound, comparison, value in (("low", ">=", query.at_least), ("high", "<", query.below)):
            if value is not None:
                parts.append(f"{score} {comparison} ${bound}")
                values[bound] = value
    return " AND ".join(parts), values


_TEXTS = ("prompt", "target", "output")


def _item(doc_hash: str, right: tuple[bool | None, ...]) -> ChangingDocument:
    asked = [answer for answer in right if answer is not None]
    return ChangingDocument(doc_hash, right, sum(a != b for a, b in pairwise(asked)))


def _step(smaller: Cell, larger: Cell, before: dict[str, bool], after: dict[str, bool]) -> Step:
    both = [(before[doc], after[doc]) for doc in before if doc in after]
    return Step(smaller, larger, sum(b and not a for a, b in both), sum(a and not b for a, b in both), len(both))
