"""A footer that pyarrow cannot describe ends in one line, where pyarrow's own library would end the process."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from harness.bounded.limits import UnreadableError
from harness.bounded.parquet_file import check_parquet, parquet_rows
from harness.bounded.parquet_footer import ColumnLeaf, check_columns, footer_of


def written(path: Path) -> Path:
    parquet.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), path, store_schema=False, use_dictionary=False)
    return path


def change(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))


def test_a_usual_file_is_read(tmp_path: Path) -> None:
    assert list(parquet_rows(written(tmp_path / "a.parquet"))) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_statistics_that_do_not_fit_the_type_of_a_column_are_one_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")
    change(path, b"\x25\x02\x18\x01a", b"\x25\x00\x18\x01a")  # from optional to required: one level less
    with pytest.raises(UnreadableError, match=r"^cannot be read: statistics of a column do not fit its type$"):
        list(parquet_rows(path))
    with pytest.raises(UnreadableError, match="statistics of a column"):
        check_parquet(path)


@pytest.mark.parametrize(
    ("leaves", "said"),
    [
        ([ColumnLeaf("INT64", 0, 1)], "a group of rows has other columns"),
        ([ColumnLeaf("INT64", 0, 1), ColumnLeaf("INT64", 0, 1)], "statistics of a column"),
        ([ColumnLeaf("INT64", 0, 0), ColumnLeaf("BYTE_ARRAY", 0, 1)], "statistics of a column"),
    ],
)
def test_columns_that_are_not_those_of_the_schema_are_refused(
    leaves: list[ColumnLeaf], said: str, tmp_path: Path
) -> None:
    footer = footer_of(written(tmp_path / "a.parquet"))
    check_columns(footer, [ColumnLeaf("INT64", 0, 1), ColumnLeaf("BYTE_ARRAY", 0, 1)])
    with pytest.raises(UnreadableError, match=said):
        check_columns(footer, leaves)


@pytest.mark.parametrize(
    ("footer", "said"),
    [
        # one row group (field 4) with one column (1) that has field 8; and footers that are none
        (b"\x49\x1c\x19\x1c\x8c\x00\x00\x00\x00", "it is encrypted"),
        (b"\x49\xfc\xff\xff\xff\xff\x7f", "its footer is damaged"),
        (b"\x45\x02\x05\x08\x02\x00", "stands twice"),
        (b"\x4c" * 100, "nested too deep"),
        (b"\x4f\x00", "its own description is damaged"),
        (b"\x49\x15\x02\x00", "its footer is damaged"),
        (b"", "its footer is damaged"),
    ],
)
def test_a_damaged_footer_is_one_line(footer: bytes, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        check_columns(footer, [ColumnLeaf("INT64", 0, 0)])
