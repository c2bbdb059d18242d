"""Parquet files whose footer or page headers do not say what is in them, made by hand from good ones.

Lengths stand in both as numbers of variable length, so that one can be put in place of another.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

_N = 70_001
"""A number of three bytes that stands for nothing else in a file."""
HUGE = 1_200_000_000
"""Bytes or so that a file unpacks to."""


def varint(number: int) -> bytes:
    """An unsigned number of variable length."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def signed(number: int) -> bytes:
    """A number of variable length whose last bit is its sign."""
    return varint(number << 1)


def _file(column: pa.Array, name: str, **options: Any) -> bytes:
    schema = pa.schema([pa.field(name, column.type, nullable=pa.types.is_list(column.type))])
    sink = io.BytesIO()
    table = pa.Table.from_arrays([column], schema=schema)
    parquet.write_table(table, sink, write_statistics=False, store_schema=False, **options)
    return sink.getvalue()


def _parts(data: bytes) -> tuple[bytes, bytes]:
    """A file's pages with the sign before them, and its footer."""
    length = int.from_bytes(data[-8:-4], "little")
    return data[: -8 - length], data[-8 - length : -8]


def _joined(pages: bytes, footer: bytes) -> bytes:
    return pages + footer + struct.pack("<I", len(footer)) + b"PAR1"


def _once(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new)


def long_text(name: str) -> bytes:
    """One text of `HUGE` bytes in a page that says so, under a footer that says 70,027."""
    good = _file(pa.array(["x" * _N]), name, use_dictionary=False, compression="gzip")
    pages, footer = _parts(good)
    head, stored = pages[: pages.index(b"\x1f\x8b")], pages[pages.index(b"\x1f\x8b") :]
    packer = zlib.compressobj(1, wbits=31)
    pieces = [packer.compress(struct.pack("<I", HUGE))]
    pieces += [packer.compress(b"x" * 10_000_000) for _ in range(HUGE // 10_000_000)]
    content = b"".join([*pieces, packer.flush()])
    head = _once(_once(head, signed(_N + 4), signed(HUGE + 4)), signed(len(stored)), signed(len(content)))
    footer = _once(footer, signed(len(pages) - 4), signed(len(head) - 4 + len(content)))
    return _joined(head + content, footer)


def long_list(name: str) -> bytes:
    """One list of `HUGE` / 4 numbers in a page that says so, under a footer that says 70,001."""
    pages, footer = _parts(_file(pa.array([[7] * _N], pa.list_(pa.int32())), name, compression="none"))
    n = HUGE // 4
    first = pages.index(signed(_N)) - 8  # the header of the page of values, behind the dictionary's
    repeated, defined = b"\x02\x00" + varint((n - 1) << 1) + b"\x01", varint(n << 1) + b"\x03"
    content = struct.pack("<I", len(repeated)) + repeated + struct.pack("<I", len(defined)) + defined
    content += b"\x01" + varint(n << 1) + b"\x00"
    head = b"\x15\x00\x15" + signed(len(content)) + b"\x15" + signed(len(content))
    head += b"\x2c\x15" + signed(n) + b"\x15\x10\x15\x06\x15\x06\x1c\x00\x00\x00"
    assert pages[first:].startswith(b"\x15\x00\x15")
    made = pages[:first] + head + content
    footer = _once(footer, b"\x16" + signed(len(pages) - 4) + b"\x16", b"\x16" + signed(len(made) - 4) + b"\x16")
    return _joined(made, footer)


def many_rows(name: str) -> bytes:
    """One text and a footer that says 10**12 rows."""
    pages, footer = _parts(_file(pa.array(["x"] * _N), name, compression="none"))
    return _joined(pages, _once(footer, signed(_N), signed(10**12)))


def many_stored_bytes(name: str) -> bytes:
    """A footer that says of a small column that 10**12 bytes of it are stored."""
    pages, footer = _parts(_file(pa.array(["x" * _N]), name, use_dictionary=False, compression="gzip"))
    return _joined(pages, _once(footer, signed(len(pages) - 4), signed(10**12)))


def large_page(name: str) -> bytes:
    """A page that says it unpacks to two gigabytes, and does not."""
    pages, footer = _parts(_file(pa.array(["x" * _N]), name, use_dictionary=False, compression="gzip"))
    made = _once(pages, signed(_N + 4), signed(2**31 - 1))
    return _joined(made, _once(footer, signed(len(pages) - 4), signed(len(made) - 4)))


LIES: Mapping[str, Callable[[str], bytes]] = {
    "a long text": long_text,
    "a long list": long_list,
    "its rows": many_rows,
    "stored bytes": many_stored_bytes,
    "a page": large_page,
}
"""What is lied about -> the file, given the name of its column."""


def lie(path: Path, of: str, column: str) -> None:
    """Write one of `LIES`."""
    path.write_bytes(LIES[of](column))
