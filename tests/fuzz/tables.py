"""Tables of results: CSV, compressed or not, and Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from harness.analysis.curves.table import table_curves
from harness.errors import HarnessError
from harness.exchange import Import, Sizes, import_files
from harness.reading import read_table
from harness.store import Store
from tests.builders.tables import counted, documents, scored
from tests.fuzz.changes import anything, as_json, changed_bytes, changed_value
from tests.fuzz.parquet_files import parquet_file
from tests.fuzz.reader import Reader, check_line

_TABLES: tuple[list[dict[str, Any]], ...] = tuple(
    frame.head(6).to_dict("records")
    for frame in (counted(), scored(revision="main", seed=1), documents(), scored(flops=1e20, best=1.0, suite="s"))
)


def _rows(random: Random) -> list[dict[str, Any]]:
    rows = changed_value(random.choice(_TABLES), random, 6)
    kept = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if kept and random.randrange(4) == 0:  # a whole column
        name = random.choice(
            [*kept[0], "stderr", "chance", "tokens", "date", "n_expected", "continuous", "metric_rank"]
        )
        value = anything(random)
        kept = [{**row, name: value} for row in kept]
    return kept


def _csv(random: Random) -> bytes:
    rows = _rows(random)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=random.choice(",,,;"), lineterminator=random.choice(("\n", "\r\n", "\r")))
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer.writerow(names)
    writer.writerows([row.get(name, "") for name in names] for row in rows)
    data = text.getvalue().encode("utf-8", "surrogatepass")
    return data if random.randrange(3) else changed_bytes(data, random)


def _json(random: Random) -> bytes:
    data = b"".join(as_json(row) + b"\n" for row in _rows(random))
    return data if random.randrange(3) else changed_bytes(data, random)


def _gzip(random: Random) -> bytes:
    data = gzip.compress(_csv(random), compresslevel=1)
    return data if random.randrange(3) == 0 else changed_bytes(data, random)


def _zip(random: Random) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for i in range(random.choice((1, 1, 1, 0, 2))):
            archive.writestr(f"table{i}.csv", _csv(random))
    data = packed.getvalue()
    return data if random.randrange(3) == 0 else changed_bytes(data, random)


def _read_tables(name: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        table = read_table(folder / name)
        for scale in ("params", "flops"):
            try:
                table_curves(table, scale, source=name)
            except HarnessError as error:
                check_line(str(error))

    return read


def _imported(folder: Path) -> tuple[str, ...]:
    store = Store(folder / "results")
    import_files("table", [folder / "table.csv"], store, Import(sizes=Sizes()))
    return tuple(str(problem) for problem in store.problems())


def _names(names: list[Any]) -> list[str]:
    return [str(name).encode("utf-8", "replace").decode() for name in names]


def _parquet_table(random: Random) -> bytes:
    rows = _rows(random)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return parquet_file(dict(zip(_names(names), ([row.get(n) for row in rows] for n in names), strict=True)), random)


READERS = {
    "table": Reader("table.csv", _csv, _read_tables("table.csv"), files=30, share=0.1),
    "table, gzip": Reader("table.csv.gz", _gzip, _read_tables("table.csv.gz"), share=0.1),
    "table, zip": Reader("table.csv.zip", _zip, _read_tables("table.csv.zip"), share=0.1),
    "table, imported": Reader("table.csv", _csv, _imported, files=30, share=0.1),
    "table, JSON": Reader("table.jsonl", _json, _read_tables("table.jsonl"), files=30, share=0.1),
    "table, Parquet": Reader("table.parquet", _parquet_table, _read_tables("table.parquet"), files=30, share=0.1),
}
"""Name in the table -> reader."""
