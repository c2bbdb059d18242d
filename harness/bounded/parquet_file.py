"""Parquet files from others, measured before they are unpacked, because a hundred bytes can stand for gigabytes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bounded.files import open_regular
from harness.bounded.limits import DEPTH, ROWS, TABLE_BYTES, TABLE_CELLS, TABLE_COLUMNS, UnreadableError
from harness.bounded.parquet_footer import ColumnLeaf, check_columns, footer_of
from harness.bounded.parquet_pages import Pages, pages
from harness.wording import cut, quoted

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

ColumnTest = Callable[["pa.DataType"], bool]
"""A function that returns whether a column may have a given type."""

_PIECE = 64_000_000
"""Bytes unpacked at a time while a column is weighed."""
_ROWS_AT_ONCE = 1_000
_MANY_ROWS = 100_000
"""Rows from which on several threads read a file faster than one."""
_SMALL = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12, "FIXED_LEN_BYTE_ARRAY": 32}
"""Physical type -> bytes of a value; the last holds decimals, the only ones of fixed length that are let through."""


def read_parquet(
    path: Path,
    types: Mapping[str, ColumnTest] | ColumnTest,
    only: Sequence[str] = ("",),
    *,
    never: Collection[str] = (),
) -> pa.Table:
    """The columns of a file whose names start with one of `only`.

    Args:
        path: the file.
        types: what every column may be; or a mapping from name, or beginning up to `:`, where others are left out.
        only: beginnings of the names that are wanted.
        never: names of columns that must not be there.

    Raises:
        UnreadableError: it cannot be read, holds more than the limits allow, or a column is something else.
    """
    with opened_parquet(path, types, never=never) as file:
        named = [name for name in file.schema_arrow.names if name.startswith(tuple(only)) and _fits(types, name)]
        _check_bytes(path, file, named)
        # handing a small file to other threads takes longer than reading it, and a store has thousands of them
        table = file.read(columns=named, use_threads=file.metadata.num_rows > _MANY_ROWS)
        table.validate(full=True)  # texts are not looked at before, and some are no UTF-8
        return table


def read_frame(path: Path) -> pd.DataFrame:
    """A table of numbers, texts, truth values and times; what pandas noted in the file about itself is passed over.

    Raises:
        UnreadableError: see `read_parquet`.
    """
    with _reported():
        frame: pd.DataFrame = read_parquet(path, of_tables).to_pandas(ignore_metadata=True, timestamp_as_object=True)
    return frame


def parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file, a few in memory at a time: texts, numbers, truth values, lists and mappings of them.

    Times are given as the texts that Python writes for them.

    Raises:
        UnreadableError: see `read_parquet`.
    """
    import pyarrow as pa

    with opened_parquet(path, of_documents) as file:
        _check_bytes(path, file, file.schema_arrow.names)
        odd = [field.name for field in file.schema_arrow if _holds_times(field.type)]
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
            if isinstance(batch, pa.RecordBatch):
                for row in batch.to_pylist():
                    row.update({name: _plain(row[name]) for name in odd})
                    yield row


def check_parquet(path: Path) -> None:
    """See that a file with columns of any types can be opened, and does not hold or unpack to more than is allowed.

    Raises:
        UnreadableError: it cannot be opened, or holds more.
    """
    with opened_parquet(path, lambda _: True) as file:
        _check_bytes(path, file, file.schema_arrow.names)


@contextmanager
def opened_parquet(
    path: Path, types: Mapping[str, ColumnTest] | ColumnTest, *, never: Collection[str] = ()
) -> Iterator[ParquetFile]:
    """A file whose rows, columns and types are as they must be; nothing of them has been unpacked.

    Raises:
        UnreadableError: see `read_parquet`.
    """
    from pyarrow import parquet

    footer = footer_of(path)
    with _reported(), parquet.ParquetFile(path, arrow_extensions_enabled=False) as file:
        TABLE_COLUMNS.check(file.metadata.num_columns)
        check_columns(footer, _leaves(file))
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        rows = max(file.metadata.num_rows, sum(group.num_rows for group in groups))
        ROWS.check(rows)
        TABLE_CELLS.check(rows * file.metadata.num_columns)
        for name in file.schema_arrow.names:
            if name in never:
                raise UnreadableError(f"has a column {quoted(name)}; expected none of this name")
        _check_types(file.schema_arrow, types)
        yield file


@contextmanager
def _reported() -> Iterator[None]:
    """Turns every error of pyarrow into one line."""
    import pyarrow as pa

    try:
        yield
    except UnreadableError:
        raise
    except (
        OSError,
        pa.ArrowException,
        ValueError,
        OverflowError,
        NotImplementedError,
        MemoryError,
        RuntimeError,
    ) as error:
        first_line, _, _ = str(error).strip().partition("\n")
        raise UnreadableError(f"cannot be read: {cut(first_line) or type(error).__name__}") from error


def of_tables(kind: pa.DataType) -> bool:
    """Whether a column of a table may have a type: numbers, texts, truth values, times, or nothing."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return of_tables(kind.value_type)
    tests = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_temporal, types.is_null)
    return any(test(kind) for test in (*tests, types.is_string, types.is_large_string, types.is_string_view))


def of_documents(kind: pa.DataType) -> bool:
    """Whether a column of a task's documents may have a type: those of a table, and lists and mappings of them."""
    return _fits_documents(kind, DEPTH.allowed)


def _fits_documents(kind: pa.DataType, depth: int) -> bool:
    inside = _parts(kind)
    return bool(depth) and all(_fits_documents(part, depth - 1) for part in inside) if inside else of_tables(kind)


def _parts(kind: pa.DataType) -> list[pa.DataType]:
    """Types of what a list or a mapping holds; none for any other type."""
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return [kind.value_type]
    return [kind.field(i).type for i in range(kind.num_fields)] if types.is_struct(kind) else []


def _holds_times(kind: pa.DataType) -> bool:
    from pyarrow import types

    inside = _parts(kind)
    return any(map(_holds_times, inside)) if inside else types.is_temporal(kind) or types.is_decimal(kind)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _leaves(file: ParquetFile) -> list[ColumnLeaf]:
    columns = [file.schema.column(i) for i in range(file.metadata.num_columns)]
    return [ColumnLeaf(one.physical_type, one.max_repetition_level, one.max_definition_level) for one in columns]


def _fits(types: Mapping[str, ColumnTest] | ColumnTest, name: str) -> ColumnTest | None:
    """The test of a column's type; None where the column is not wanted."""
    if not isinstance(types, Mapping):
        return types
    known = name if name in types else f"{name.partition(':')[0]}:"
    return types.get(known)


def _check_types(schema: pa.Schema, types: Mapping[str, ColumnTest] | ColumnTest) -> None:
    seen: set[str] = set()
    for field in schema:
        if field.name in seen:
            raise UnreadableError(f"column {quoted(field.name)} stands twice")
        seen.add(field.name)
        fits = _fits(types, field.name)
        if fits is not None and not fits(field.type):
            raise UnreadableError(
                f"column {quoted(field.name)} holds {cut(str(field.type))}; expected numbers or texts"
            )


def _check_bytes(path: Path, file: ParquetFile, named: Sequence[str]) -> None:
    """See that the columns do not unpack to more than is allowed."""
    chunks: dict[str, list[Any]] = {}
    for i in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(i)
        for j in range(group.num_columns):
            chunk = group.column(j)
            if chunk.path_in_schema.partition(".")[0] in named or chunk.path_in_schema in named:
                chunks.setdefault(chunk.path_in_schema, []).append(chunk)
    total = 0
    with open_regular(path) as content:
        for leaf, some in chunks.items():
            held = [pages(content, chunk) for chunk in some]
            most = sum(map(_most_bytes, some, held))
            # numbers take what they take; texts that are stored once can be counted before they are unpacked
            if total + most > TABLE_BYTES.allowed and some[0].physical_type not in _SMALL:
                most = _weighed(path, leaf, some, max(of.largest for of in held))
            total += most
            if total > TABLE_BYTES.allowed:
                raise TABLE_BYTES.exceeded()


def _most_bytes(chunk: Any, held: Pages) -> int:
    """Upper bound of the unpacked bytes of a column in one row group."""
    if chunk.physical_type in _SMALL:
        return _SMALL[chunk.physical_type] * held.values
    again = {"DELTA_BYTE_ARRAY", "PLAIN_DICTIONARY", "RLE_DICTIONARY"} & {*chunk.encodings}
    # where values are packed by reference to others, each can be as long as all that is stored
    return held.bytes * (held.values if again else 1) + 4 * held.values


def _weighed(path: Path, leaf: str, chunks: Sequence[Any], largest: int) -> int:
    """Unpacked bytes of a column of texts, counted piece by piece; the count may stop once it exceeds the limit.

    Args:
        path: the file.
        leaf: path of the column.
        chunks: the column in each row group.
        largest: unpacked bytes of its largest page.
    """
    from pyarrow import compute, parquet, types

    # with this option pyarrow keeps each distinct text of a dictionary only once
    dictionary = all(chunk.has_dictionary_page and "DELTA_BYTE_ARRAY" not in chunk.encodings for chunk in chunks)
    size = 65_536 if dictionary else max(1, min(65_536, _PIECE // max(1, largest)))
    total = 0
    kept = [leaf] if dictionary else []
    with parquet.ParquetFile(path, read_dictionary=kept, arrow_extensions_enabled=False) as file:
        for batch in file.iter_batches(batch_size=size, columns=[leaf]):
            part = batch.column(0)
            while types.is_list(part.type) or types.is_large_list(part.type) or types.is_struct(part.type):
                # of a mapping, the one column that was asked for
                part = part.field(0) if types.is_struct(part.type) else part.flatten()
            if types.is_dictionary(part.type):
                lengths = compute.binary_length(part.dictionary).take(part.indices)
            else:
                lengths = compute.binary_length(part)
            total += (compute.sum(lengths).as_py() or 0) + 4 * len(part)
            if total > TABLE_BYTES.allowed:
                break
    return total
