"""Sizes of the pages of a Parquet file from their own headers, which decide what is unpacked, whatever the footer says.

A column of a row group is a sequence of pages, each behind a header in Thrift's compact protocol. The header says how
many bytes the page unpacks to and how many values it holds, and a reader makes room for as many. The footer repeats
the sums, but nothing holds it to the truth. See https://parquet.apache.org/docs/file-format/ and the file
`thrift-compact-protocol.md` of Apache Thrift.
"""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

from harness.bounded.limits import PARQUET_PAGES, TABLE_BYTES, UnreadableError

_LONGEST_HEADER = 1 << 20
"""Bytes of a page's header: it may repeat the smallest and the largest value."""
_USUAL_HEADER = 256
_DEEPEST = 8
"""Structures and lists of a header inside each other; there are three in a real one."""
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
        reader = _Compact(file.read(most))
        try:
            return reader.structure(), reader.position
        except IndexError:
            continue
    raise UnreadableError("cannot be read: a page has no header")


class _Compact:
    """Reads Thrift's compact protocol from bytes; raises IndexError where they end too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """Number of each field -> its value; texts and lists are passed over."""
        fields: dict[int, Any] = {}
        number = 0
        while first := self._byte():
            step = first >> 4
            number = number + step if step else self._whole()
            fields[number] = self._value(first & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise UnreadableError("cannot be read: the header of a page is nested too deep")
        match kind:
            case 1 | 2:  # a truth value stands in the field's first byte
                return kind == 1
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._whole()
            case 7:
                return self._skip(8)
            case 8:
                return self._skip(self._unsigned())
            case 9 | 10:
                return self._list(depth)
            case 12:
                return self.structure(depth + 1)
        raise UnreadableError("cannot be read: the header of a page is damaged")

    def _list(self, depth: int) -> None:
        first = self._byte()
        number = first >> 4 if first >> 4 < 15 else self._unsigned()
        for _ in range(number):
            self._value(3 if first & 15 in (1, 2) else first & 15, depth + 1)

    def _byte(self) -> int:
        byte = self._data[self.position]
        self.position += 1
        return byte

    def _unsigned(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 128 and shift < 63:
            number |= (byte & 127) << shift
            shift += 7
        return number | byte << shift

    def _whole(self) -> int:
        number = self._unsigned()
        return number >> 1 ^ -(number & 1)

    def _skip(self, length: int) -> None:
        self.position += length
        if self.position > len(self._data):
            raise IndexError
