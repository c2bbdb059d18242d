"""Sizes of the pages of a Parquet file from their own headers, which decide what is unpacked, whatever the footer says.

A column of a row group is a sequence of pages, each behind a header in Thrift's compact protocol. The header says how
many bytes the page unpacks to and how many values it holds, and a reader makes room for as many. The footer repeats
the sums, but nothing holds it to the truth. See https://parquet.apache.org/docs/file-format/ and the file
`thrift-compact-protocol.md` of Apache Thrift.
"""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

from harness.bounded.limits import PARQUET_PAGES, TABLE_BYTES, UnreadableError
from harness.bounded.thrift import structure

_LONGEST_HEADER = 1 << 20
"""Bytes of a page's header: it may repeat the smallest and the largest value."""
_USUAL_HEADER = 256
_SIZE, _STORED, _VALUES = 2, 3, 1
"""Numbers of fields: unpacked and stored bytes of a page, and values in each of `_HEADERS`."""
_HEADERS = (5, 8)
"""Numbers of the fields that hold what only a page of values has, in two versions of the format."""


class Pages(NamedTuple):
    """The pages of a column in one row group, taken together."""

    bytes: int
    """Bytes that they unpack to."""
    values: int
    """Number of values, those of a dictionary left out."""
    largest: int
    """Bytes that the largest page unpacks to."""


def pages(file: BinaryIO, chunk: Any) -> Pages:
    """What the headers of a column's pages in one row group say.

    Args:
        file: the Parquet file.
        chunk: where the pages lie, as pyarrow's `ColumnChunkMetaData`.

    Raises:
        UnreadableError: a header is none, or there are more pages or larger ones than allowed.
    """
    position = int(chunk.data_page_offset)
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < position:
        position = int(chunk.dictionary_page_offset)
    end = position + int(chunk.total_compressed_size)
    size = values = largest = count = 0
    while position < end and values < chunk.num_values:
        header, length = _header(file, position)
        unpacked, stored = header.get(_SIZE), header.get(_STORED)
        if not isinstance(unpacked, int) or not isinstance(stored, int) or min(unpacked, stored) < 0:
            raise UnreadableError("cannot be read: a page has no size")
        TABLE_BYTES.check(unpacked)
        size, largest, count = size + unpacked, max(largest, unpacked), count + 1
        PARQUET_PAGES.check(count)
        for name in _HEADERS:
            inner = header.get(name)
            held = inner.get(_VALUES) if isinstance(inner, dict) else 0
            values += held if isinstance(held, int) else 0
        position += length + stored
    return Pages(size, values, largest)


def _header(file: BinaryIO, position: int) -> tuple[dict[int, Any], int]:
    """The fields of the header at `position`, by their numbers, and its length."""
    for most in (_USUAL_HEADER, _LONGEST_HEADER):
        file.seek(position)
        try:
            return structure(file.read(most))
        except IndexError:
            continue
    raise UnreadableError("cannot be read: a page has no header")
