"""Files read line by line: a line of JSONL ends at a line feed, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from harness.catalog.catalogue import load_file
from harness.engines.documents import read_documents
from harness.specs import TaskSpec

SEPARATORS = "\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e"
"""Where `str.splitlines` cuts and JSON does not; the last five only escaped."""
DOCUMENTS = [{"q": f"a{separator}b"} for separator in SEPARATORS]


def both(path: Path) -> list[dict[str, str]]:
    """The documents of a file as a run reads them, once `check` has counted as many."""
    config = {
        "output_type": "generate_until",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": path.name}},
        "test_split": "test",
        "doc_to_text": "{{q}}",
        "doc_to_target": "{{q}}",
    }
    metrics = [{"name": "exact_match"}, {"name": "edit_similarity", "continuous": True}]
    file = path.with_suffix(".yaml")
    file.write_text(yaml.safe_dump({"task": "own", "kind": "qa", "metrics": metrics, "config": config}))
    task, read = load_file(file), read_documents([path])
    assert isinstance(task, TaskSpec)
    assert task.n_docs == len(read)
    return list(read)


@pytest.mark.parametrize("escaped", [False, True])
def test_other_line_ends_of_unicode_are_part_of_a_text(tmp_path: Path, escaped: bool) -> None:
    """U+2028, U+2029 and U+0085 may stand in JSON as they are (jsonlines#53, gluonts#920)."""
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(document, ensure_ascii=escaped) + "\n" for document in DOCUMENTS), "utf-8")
    assert both(path) == DOCUMENTS


@pytest.mark.parametrize(
    ("start", "end", "last"),
    [
        *[("", "\n", "\n"), ("", "\r\n", "\r\n"), ("\ufeff", "\n", "\n")],
        *[("", "\n", ""), ("", "\n\n \n", "\n\n"), ("\n", "\n", "")],
    ],
    ids=["plain", "windows", "byte order mark", "no last end", "blank lines", "blank first line"],
)
def test_lines_end_as_editors_write_them(tmp_path: Path, start: str, end: str, last: str) -> None:
    """Byte order mark, carriage returns, blank lines, and a last line without an end (jsonlines#53)."""
    path = tmp_path / "x.jsonl"
    text = start + end.join(json.dumps(document) for document in DOCUMENTS) + last
    path.write_bytes(text.encode())
    assert both(path) == DOCUMENTS


def test_letters_beyond_the_basic_plane_may_be_written_as_pairs(tmp_path: Path) -> None:
    """A surrogate pair is one letter."""
    path = tmp_path / "x.jsonl"
    path.write_text('{"q": "\\ud83d\\ude00"}\n{"q": "\U0001f600"}\n', "utf-8")
    assert both(path) == [{"q": "\U0001f600"}] * 2
