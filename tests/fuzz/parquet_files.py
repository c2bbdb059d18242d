"""Parquet files with columns of every type."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from random import Random
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tests.fuzz.changes import changed_bytes


def _column(values: list[Any], random: Random) -> pa.Array:
    """Values as one of the types that Parquet has, the values' own if they have one."""
    kinds = (
        pa.string(),
        pa.float64(),
        pa.int64(),
        pa.bool_(),
        pa.null(),
        pa.float16(),
        pa.timestamp("ns"),
        pa.date32(),
    )
    kinds += (pa.binary(), pa.decimal128(38, 3), pa.list_(pa.int32()), pa.struct([("a", pa.int8())]), pa.duration("s"))
    kinds += (pa.dictionary(pa.int8(), pa.string()), pa.large_string(), pa.time64("ns"), pa.uint64(), pa.binary(4))
    for kind in (None, random.choice(kinds)) if random.randrange(8) else (random.choice(kinds), None):
        try:
            return pa.array(values, kind)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            continue
    return pa.nulls(len(values), random.choice(kinds))


def parquet_file(columns: Mapping[str, list[Any]], random: Random) -> bytes:
    table = pa.table([_column(values, random) for values in columns.values()], [*columns])
    sink = pa.BufferOutputStream()
    options: dict[str, Any] = {
        "use_dictionary": bool(random.randrange(2)),
        "compression": random.choice(("zstd", "none", "gzip")),
    }
    with contextlib.suppress(pa.ArrowException):  # Parquet has no structures without a field
        parquet.write_table(table, sink, row_group_size=random.choice((None, 1)), **options)
    data = bytes(sink.getvalue())
    return data if random.randrange(3) else changed_bytes(data, random)
