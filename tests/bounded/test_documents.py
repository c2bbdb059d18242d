"""Data files in every form that `check` and a run read, and what is said about those that are broken."""

from __future__ import annotations

import datetime
import gzip
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from harness.bounded.documents import documents, kind_of_file
from harness.bounded.limits import SETTING, UnreadableError

TWO = [{"a": 1}, {"a": 2}]


def read(path: Path, named: str | None = "json") -> list[dict[str, Any]]:
    """The documents of a file whose task says `dataset_path: named`."""
    return [document.fields for document in documents(path, kind_of_file(path.name, named))]


def refused(path: Path, named: str | None = "json") -> str:
    """Why a file is refused, which it must be, in one line."""
    with pytest.raises(UnreadableError) as caught:
        read(path, named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}\n\n{"a": 2}',
        '\ufeff\n{"a": 1}\r\n{"a": 2}\r\n',
        '[{"a": 1}, {"a": 2}]',
        '\ufeff\n [\n  {"a":\n 1},\r\n  {"a": 2}\n ]\n\n',
        '{"data": [{"a": 1}, {"a": 2}]}',
        '{"version": "1.1", "data": [{"a": 1}, {"a": 2}]}\n\n',
        '{\n "version": 2, "data": [\n{"a": 1},\n{"a": 2}\n],\n "license": null}\n',
    ],
)
@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
@pytest.mark.parametrize("name", ["x.jsonl", "x.json.gz", "x"])
def test_json_comes_as_lines_a_list_or_a_list_called_data(tmp_path: Path, text: str, pack: Any, name: str) -> None:
    (tmp_path / name).write_bytes(pack(text))
    assert read(tmp_path / name) == TWO


@pytest.mark.parametrize(
    "document", [{"data": [{"a": 1}], "examples": [{"b": 2}]}, {"data": [1, 2]}, {"data": []}, {"examples": [{"a": 1}]}]
)
def test_an_object_that_may_be_a_document_is_one(tmp_path: Path, document: dict[str, Any]) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps(document) + "\n")
    assert read(tmp_path / "x.jsonl") == [document]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1} {"a": 2}]', "line 1 has '{'; expected a comma or ] after an object of a list"),
        ('[{"a": 1},\n 3]', "line 2 is a number; expected a JSON object"),
        ('[{"a": 1},\n{"a": tru}]', "line 2: what begins there is not JSON; expected an object"),
        ('[{"a": 1},\n{"a": ', "line 2: what begins there is not JSON; expected an object"),
        ('[\n{"a": 1}\n', "line 3 is the last; expected a comma or ] after an object of a list"),
        ('[{"a": 1}]\n[{"a": 2}]', "line 2: something stands after the list; expected JSONL, one object per line"),
        ('{\n"rows": [{"a": 1}]}', "is one object without a list `data`; expected JSONL, one object per line, a list"),
        ('{\n"data": [{"a": 1}], "more": [2]}', "has the list `data` and 'more'; expected one list of documents"),
        ('{"a": 1,\n{"a": 2}\n', "line 1 is not JSON; expected JSONL, one object per line"),
        ('{"a": 1}\n"x"\n', "line 2 is a text; expected a JSON object"),
        (b'[{"a": 1},\n{"a": "\xff"}]', "line 2 is not UTF-8"),
        (b'{"a": 1}\n{"a": "\xff"}', "line 2 is not UTF-8; expected JSONL, one object per line"),
        ('[{"a": ' + "[" * 200 + "]" * 200 + "}]", "has more than 100 levels of lists and mappings"),
    ],
)
def test_the_line_that_breaks_a_json_file_is_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    (tmp_path / "x.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert refused(tmp_path / "x.json").startswith(message)


@pytest.mark.parametrize("form", ["lines", "list"])
def test_a_long_file_is_read_piece_by_piece(tmp_path: Path, form: str) -> None:
    made = [json.dumps({"id": i, "text": "é" * 700}, ensure_ascii=False) for i in range(3000)]
    (tmp_path / "x.json").write_text("\n".join(made) if form == "lines" else f"[{','.join(made)}]", "utf-8")
    tracemalloc.start()
    found = [document.fields["id"] for document in documents(tmp_path / "x.json", "json")]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == list(range(3000))
    assert most < 10_000_000


@pytest.mark.parametrize("text", ["{}\n" * 2001, f"[{','.join(['{}'] * 2001)}]", "a\n" * 2001])
def test_more_documents_than_allowed_are_refused(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ("x.csv" if text[0] == "a" else "x.json")
    path.write_text(text)
    monkeypatch.setenv(SETTING, "0.001")
    assert refused(path).startswith("has more than 2,000 rows; expected at most 2,000 (")


@pytest.mark.parametrize("text", ["\n" * 300_000, "{}\n" + "\n" * 300_000, '{"data": [{}]}' + "\n" * 300_000])
def test_blank_lines_without_end_are_not_read(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(text.encode(), 1))
    monkeypatch.setenv(SETTING, "0.001")
    begun = time.process_time()
    assert refused(tmp_path / "x.jsonl.gz").startswith("has more than 2,000 rows; expected at most 2,000 (")
    assert time.process_time() - begun < 0.05


def test_no_word_in_a_table_of_texts_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('\ufeffq,label,code,half\r\nNA,1,007,0.5\r\n\r\n"a, ""b""\nc",0,1.50,2\r\nnull,2,,3\r\n', "utf-8")
    assert read(path) == [
        {"q": "NA", "label": 1, "code": "007", "half": 0.5},
        {"q": 'a, "b"\nc', "label": 0, "code": "1.50", "half": 2},
        {"q": "null", "label": 2, "code": "", "half": 3},
    ]
    assert [str(row["half"]) for row in read(path)] == ["0.5", "2", "3"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", "a,b\nx y,2\n"),
        ("x.csv", "a;b\nx y;2\n"),
        ("x.csv", "a\tb\nx y\t2"),
        ("x.tsv", "\na\tb\nx y\t2\n"),
        ("x.TSV", "a\tb\nx y\t2\n"),
    ],
)
@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
def test_cells_stand_between_commas_semicolons_or_tabs(tmp_path: Path, name: str, text: str, pack: Any) -> None:
    (tmp_path / name).write_bytes(pack(text))
    assert read(tmp_path / name) == [{"a": "x y", "b": 2}]
    assert read(tmp_path / name, "csv") == [{"a": "x y", "b": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nx,y\nz\n", "line 3 has 1 cell; expected 2, one for each name of the first line"),
        ("a,b\nx,y,z\n", "line 2 has 3 cells; expected 2"),
        ("a,a\nx,y\n", "line 1: column 'a' stands twice"),
        ('a,b\nx,"y\nz,1\n', "line 3: the file ends within quotes"),
        ("a,b\rx,y\r", "line 1: a carriage return stands within a line"),
        (b"a,b\nx,\xff\n", "line 2 is not UTF-8; expected a table of texts"),
        (",".join(f"c{i}" for i in range(1001)), "has 1,001 columns; expected at most 1,000"),
    ],
)
def test_the_line_that_breaks_a_table_is_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    (tmp_path / "x.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert refused(tmp_path / "x.csv").startswith(message)


def test_an_index_that_pandas_wrote_is_a_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(",a\n0,x\n")
    assert read(tmp_path / "x.csv") == [{"Unnamed: 0": 0, "a": "x"}]


def test_rows_of_parquet_may_hold_lists_and_mappings(tmp_path: Path) -> None:
    columns = {
        "q": ["NA", None],
        "choices": [{"text": ["x", "y"], "label": ["A", "B"]}] * 2,
        "weights": [[1.5], []],
        "day": [datetime.date(2020, 1, 2)] * 2,
        "kind": pa.array(["k", "l"]).dictionary_encode(),
    }
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    choices = {"text": ["x", "y"], "label": ["A", "B"]}
    assert read(tmp_path / "x.parquet") == [
        {"q": "NA", "choices": choices, "weights": [1.5], "day": "2020-01-02", "kind": "k"},
        {"q": None, "choices": choices, "weights": [], "day": "2020-01-02", "kind": "l"},
    ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [b"x"]}, "column 'a' holds binary; expected numbers or texts"),
        ({"a": [{"b": [[b"x"]]}]}, "column 'a' holds struct<b: "),
        ({"a": [[{"t": "x" * 10**6}] * 60]}, "has more than 50,000,000 bytes"),
    ],
)
def test_a_parquet_file_of_no_documents_is_refused(
    tmp_path: Path, columns: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, "0.1")
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    assert refused(tmp_path / "x.parquet").startswith(message)


def test_a_name_that_promises_another_form_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text('{"a": 1}\n')
    assert refused(tmp_path / "x.parquet") == "cannot be read: it does not end as a Parquet file does"


def test_lines_of_text_are_documents(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("one\n\n two\u2028more\r\n", "utf-8")
    assert read(tmp_path / "x.txt", None) == [{"text": "one"}, {"text": " two\u2028more"}]
    assert read(tmp_path / "x.txt", "text") == read(tmp_path / "x.txt", None)


@pytest.mark.parametrize(
    ("name", "named", "form"),
    [
        *[("x.jsonl", "json", "json"), ("x.csv.gz", "json", "csv"), ("x.tsv", None, "csv"), ("x.parquet", "json", "p")],
        *[("x.txt", "json", "json"), ("x.txt", None, "text"), ("x.jsonl", "text", "text"), ("x", "csv", "csv")],
        *[("x", None, "json"), ("x.bin", "parquet", "parquet")],
    ],
)
def test_a_task_or_the_name_of_a_file_says_what_it_is(name: str, named: str | None, form: str) -> None:
    assert kind_of_file(name, named).startswith(form)
