"""Tables of others through the command line's own reader: what cannot be is refused in a sentence, within seconds."""

import bz2
import gzip
import io
import lzma
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from harness.bounded.limits import SETTING, UnreadableError
from harness.bounded.parquet_file import read_parquet
from harness.bounded.parquet_pages import pages
from harness.errors import TableError
from harness.reading import read_table
from tests.builders.tables import counted
from tests.security import footers

CSV = counted().to_csv(index=False).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


PACKED = {"csv": CSV, "csv.gz": gzip.compress(CSV), "csv.bz2": bz2.compress(CSV), "csv.xz": lzma.compress(CSV)}
PACKED["csv.zip"] = zipped({"some.csv": CSV})


@pytest.mark.parametrize("ending", PACKED)
def test_a_table_may_be_packed(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"some.{ending}"
    path.write_bytes(PACKED[ending])
    assert list(read_table(path)["k"]) == list(counted()["k"])


@pytest.mark.parametrize("ending", [name for name in PACKED if name != "csv"])
@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:40], lambda data: b"no" + data[2:], lambda data: CSV]
)
def test_a_packed_table_that_is_damaged_is_refused(
    ending: str, damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / f"some.{ending}"
    path.write_bytes(damage(PACKED[ending]))
    with pytest.raises(TableError, match=r"cannot be read: ") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_zip_file_is_called_none(tmp_path: Path) -> None:
    (tmp_path / "t.csv.zip").write_bytes(CSV)
    with pytest.raises(TableError, match=r"t\.csv\.zip: cannot be read: File is not a zip file"):
        read_table(tmp_path / "t.csv.zip")


def test_a_zip_file_whose_list_is_longer_than_it_says_is_refused(tmp_path: Path) -> None:
    """Python believes a second end of the list, which only files of gigabytes need."""
    good = PACKED["csv.zip"]
    place = good.rindex(b"PK\5\6")
    record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, 10**9, 0)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, place, 1)
    (tmp_path / "t.csv.zip").write_bytes(good[:place] + record + locator + good[place:])
    with pytest.raises(TableError, match=r"it is a zip file for gigabytes \(ZIP64\); expected an ordinary one"):
        read_table(tmp_path / "t.csv.zip")


def many_names(number: int) -> bytes:
    """A zip file whose list has that many files."""
    return zipped({f"{i}": b"" for i in range(number)})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "x.csv.gz",
            lambda: gzip.compress(b"a" * 5_000_001, 1),
            "has more than 5,000,000 bytes; expected at most 5,000",
        ),
        (
            "x.csv.zip",
            lambda: zipped({"x": b"\n" * 20_100}),
            "has more than 20,000 rows; expected at most 20,000 (",
        ),
        ("x.csv.xz", lambda: lzma.compress(b"a," * 300_000, preset=0), "has 300,001 columns; expected at most 10 ("),
        ("x.csv", lambda: b"x" * 200_000, "line 1 has more than 160,000 bytes; expected at most 160,000 (EMERGENCE"),
        ("x.csv", lambda: CSV + b"x" * 200_000, "has more than 160,000 bytes; expected at most 160,000"),
        ("x.csv.zip", lambda: zipped({"a": CSV, "b": CSV}), "it holds 2 files; expected one"),
        ("x.csv.zip", lambda: many_names(3000), "it holds many files; expected one"),
    ],
)
def test_a_table_of_more_than_is_allowed_is_refused(
    name: str, content: Callable[[], bytes], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(content())
    if "expected at most" in message:
        monkeypatch.setenv(SETTING, "0.01")
    with pytest.raises(TableError) as caught:
        read_table(tmp_path / name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"family": [{"x": 1}]}, "column 'family' holds struct<x: int64>; expected numbers or texts"),
        ({"family": [["x"]]}, "column 'family' holds list<"),
        ({"family": pa.array([b"x"], pa.binary(1))}, "column 'family' holds fixed_size_binary[1]; expected numbers"),
        ({"k": pa.nulls(2_000_001)}, "has 2,000,001 rows; expected at most 2,000,000"),
        ({f"c{i}": [1] for i in range(1001)}, "has 1,001 columns; expected at most 1,000"),
        ({"family": pa.DictionaryArray.from_arrays([0] * 600, ["x" * 10**6])}, "has more than 500,000,000 bytes"),
    ],
)
def test_a_parquet_file_of_something_else_is_refused(columns: dict[str, Any], message: str, tmp_path: Path) -> None:
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet", compression="zstd", store_schema=False)
    with pytest.raises(TableError) as caught:
        read_table(tmp_path / "x.parquet")
    assert message in str(caught.value)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_arrays([pa.array([1])] * 2, names=["k", "k"]), tmp_path / "x.parquet")
    with pytest.raises(TableError, match="column 'k' stands twice"):
        read_table(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("of", "message"),
    [
        ("a long text", "has 20,000,004 bytes; expected at most 5,000,000"),
        ("a long list", "has more than 5,000,000 bytes; expected at most 5,000,000"),
        ("its rows", "has 1,000,000,000,000 rows; expected at most"),
        ("stored bytes", "cannot be read: "),
        ("a page", "has 2,147,483,647 bytes; expected at most 5,000,000"),
    ],
)
def test_a_parquet_file_is_measured_by_its_pages_and_not_by_what_its_footer_says(
    of: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, "0.01")
    monkeypatch.setattr(footers, "HUGE", 20_000_000)
    footers.lie(tmp_path / "t.parquet", of, "value")
    with pytest.raises(UnreadableError) as caught:
        read_parquet(tmp_path / "t.parquet", lambda kind: True)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "deep", [b"\x1c" * 300, b"\x19" * 300, b"\x19\xf9" + b"\xff" * 300], ids=["structures", "lists", "long"]
)
def test_a_page_whose_header_is_nested_without_end_is_refused(deep: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"value": ["x" * 1_000]}), path, compression="none", use_dictionary=False)
    path.write_bytes(path.read_bytes().replace(b"PAR1\x15\x00", b"PAR1" + deep, 1))
    with path.open("rb") as content, pytest.raises(UnreadableError, match=r"header|nested too deep"):
        pages(
            content,
            SimpleNamespace(data_page_offset=4, has_dictionary_page=False, total_compressed_size=900, num_values=1),
        )


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["none", "snappy", "zstd"])
def test_the_pages_of_a_file_are_all_counted(version: str, codec: str, tmp_path: Path) -> None:
    columns = {"a": ["x" * 50, "y"] * 9_000, "b": [[1.5, None]] * 18_000, "c": [None, 3] * 9_000}
    path = tmp_path / "t.parquet"
    parquet.write_table(
        pa.table(columns),
        path,
        data_page_version=version,
        compression=codec,
        data_page_size=2_000,
        row_group_size=7_000,
    )
    values = dict.fromkeys(("a", "b.list.element", "c"), 0)
    with parquet.ParquetFile(path) as file, path.open("rb") as content:
        for i in range(file.metadata.num_row_groups):
            for j in range(3):
                chunk = file.metadata.row_group(i).column(j)
                held = pages(content, chunk)
                values[chunk.path_in_schema] += held.values
                assert held.largest <= held.bytes <= chunk.total_uncompressed_size
    assert values == {"a": 18_000, "b.list.element": 36_000, "c": 18_000}


def test_whole_numbers_of_more_digits_than_a_column_has_are_read_beside_names(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"model,k\n'=1,{10**30}\n-a,7\n")
    table = read_table(tmp_path / "t.csv")
    assert table["k"].tolist() == [10**30, 7]
    assert table["model"].tolist() == ["=1", "-a"]


def test_what_pandas_noted_in_a_file_changes_nothing(tmp_path: Path) -> None:
    rows = counted().astype({"family": "category"})
    rows.set_index("model").to_parquet(tmp_path / "x.parquet")
    read = read_table(tmp_path / "x.parquet")
    assert list(read["model"]) == list(rows["model"])
    assert list(read["family"].astype(str)) == list(rows["family"])


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [pipe, device, Path.mkdir, lambda path: path.symlink_to(path)])
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.csv.zip", "x.parquet"])
def test_what_is_no_file_is_refused_at_once(name: str, make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / name)
    with pytest.raises(TableError, match=r"expected a regular file|Too many levels"):
        read_table(tmp_path / name)


def test_the_limits_of_tables_can_be_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pd.DataFrame({f"c{i}": [1] for i in range(1500)}).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(TableError, match=f"{SETTING}=10 in the environment allows ten times as much"):
        read_table(tmp_path / "x.csv")
    monkeypatch.setenv(SETTING, "2")
    assert read_table(tmp_path / "x.csv").shape == (1, 1500)


def test_a_text_that_is_no_utf_8_in_parquet_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    texts = pa.Array.from_buffers(pa.string(), 2, pa.array([b"good", b"b\x8cd"]).buffers())
    parquet.write_table(pa.table({"model": texts}), path, compression="none", use_dictionary=False)
    with pytest.raises(TableError, match=r"x\.parquet.*cannot be read: .*UTF8"):
        read_table(path)
