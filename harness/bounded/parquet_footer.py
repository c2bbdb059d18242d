"""The footer of a Parquet file, checked before pyarrow shows what is in it: some errors there end the process.

pyarrow reads the description of a column in a row group when it is asked for it, and where that is not as it must be
its library throws an error that no caller can catch. So the same is looked at here first, in the bytes themselves. See
`parquet.thrift` of the format for the numbers of the fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.files import open_regular
from harness.bounded.limits import FOOTER_BYTES, UnreadableError
from harness.bounded.thrift import structure

_END = b"PAR1"
_ROW_GROUPS, _COLUMNS, _DESCRIPTION, _ENCRYPTED, _STATISTICS = 4, 1, 3, (8, 9), 16
"""Numbers of fields: of the footer, of a row group, and of a column in it, of which the last is in its description."""
_TEXT_BYTES, _REPETITIONS, _DEFINITIONS = 1, 2, 3
"""Numbers of the fields of a column's statistics of sizes."""


class ColumnLeaf(NamedTuple):
    """A column of values, as the schema has it."""

    kind: str
    """Physical type."""
    repetitions: int
    """Highest level of repetition."""
    definitions: int
    """Highest level of definition."""


def footer_of(path: Path) -> bytes:
    """The footer of a file, from where its structure begins.

    Raises:
        UnreadableError: the file does not end as Parquet does, or the footer is too long to be looked at.
    """
    with open_regular(path) as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        end = file.read(8)
        if len(end) < 8 or end[4:] != _END:
            raise UnreadableError("cannot be read: it does not end as a Parquet file does")
        length = int.from_bytes(end[:4], "little")
        if length > size - 12:
            raise UnreadableError("cannot be read: it is shorter than its footer")
        FOOTER_BYTES.check(length)
        file.seek(size - 8 - length)
        return file.read(length)


def check_columns(footer: bytes, leaves: Sequence[ColumnLeaf]) -> None:
    """Check that pyarrow can be asked about every column of every row group.

    Args:
        footer: the footer's bytes.
        leaves: the columns of the schema, in order.

    Raises:
        UnreadableError: it cannot.
    """
    try:
        for chunks in _row_groups(footer):
            if len(chunks) != len(leaves):
                raise UnreadableError("cannot be read: a group of rows has other columns than the file")
            for chunk, leaf in zip(chunks, leaves, strict=True):
                _check_column(chunk, leaf)
    except (IndexError, AttributeError, TypeError) as error:
        raise UnreadableError("cannot be read: its footer is damaged") from error


def _row_groups(footer: bytes) -> Iterator[Sequence[Any]]:
    for group in structure(footer)[0].get(_ROW_GROUPS) or ():
        yield group.get(_COLUMNS) or ()


def _check_column(chunk: dict[int, Any], leaf: ColumnLeaf) -> None:
    if any(number in chunk for number in _ENCRYPTED):
        raise UnreadableError("cannot be read: it is encrypted")
    sizes = (chunk.get(_DESCRIPTION) or {}).get(_STATISTICS) or {}
    levels = ((sizes.get(_REPETITIONS), leaf.repetitions), (sizes.get(_DEFINITIONS), leaf.definitions))
    if any(counts and len(counts) != highest + 1 for counts, highest in levels) or (
        sizes.get(_TEXT_BYTES) is not None and leaf.kind != "BYTE_ARRAY"
    ):
        raise UnreadableError("cannot be read: statistics of a column do not fit its type")
