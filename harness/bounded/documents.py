"""Documents of a task's data files, one in memory at a time: the one reader for `emergence check` and for a run.

A file is JSON (an object on each line, a list of objects, or an object with a list `data`), a CSV or TSV table,
Parquet, or plain text. All but Parquet may be packed by gzip. No text stands for a missing value: `NA`, `None` and
`null` are texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from harness.bounded.csv_documents import csv_documents
from harness.bounded.files import decoded, lines, unpacked
from harness.bounded.json_documents import Document, json_documents
from harness.bounded.limits import DATA_BYTES, LINE_BYTES, ROWS, UnreadableError
from harness.bounded.parquet_file import parquet_rows

__all__ = ["DATA_ENDINGS", "FILE_KINDS", "Document", "documents", "kind_of_file"]

FileKind = Literal["json", "csv", "parquet", "text"]
FILE_KINDS: tuple[FileKind, ...] = ("json", "csv", "parquet", "text")
"""Kinds of files, by the names that `datasets` has for them too."""
DATA_ENDINGS: Mapping[str, FileKind] = {
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "json"),
    **dict.fromkeys((".csv", ".tsv", ".tab"), "csv"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    ".txt": "text",
}
"""How the name of a file ends, before `.gz` where it is packed -> its kind."""


def kind_of_file(name: str, named: str | None) -> FileKind:
    """The kind of a file.

    Args:
        name: its name.
        named: the kind that the task gives; `json`, which nearly all tasks give, leaves it to the ending of the name
            whether it is a table.
    """
    ending = DATA_ENDINGS.get(Path(name.lower().removesuffix(".gz")).suffix)
    if named == "json":
        return ending if ending in ("csv", "parquet") else "json"
    return next((form for form in FILE_KINDS if form == named), ending or "json")


def documents(path: Path, form: FileKind) -> Iterator[Document]:
    """The documents of a file, in their order; blank lines are skipped.

    Args:
        path: the file.
        form: its kind, which `kind_of_file` tells.

    Raises:
        UnreadableError: it cannot be read, holds more than the limits allow, or something else than documents; the
            message names the line or the row.
    """
    yield from _READERS[form](path)


def _parquet_documents(path: Path) -> Iterator[Document]:
    for row in parquet_rows(path):
        yield Document(sum(map(_length, row.values())), row)


def _text_documents(path: Path) -> Iterator[Document]:
    with unpacked(path, DATA_BYTES, ROWS) as content:
        for number, line in enumerate(lines(content, length=LINE_BYTES, rows=ROWS), start=1):
            try:
                text = decoded(line.rstrip(b"\r\n"))
            except UnreadableError as error:
                raise UnreadableError(f"line {number} {error}; expected text") from error
            if text.strip():
                yield Document(len(text), {"text": text})


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(str(value))


_READERS: Mapping[FileKind, Callable[[Path], Iterator[Document]]] = {
    "json": json_documents,
    "csv": csv_documents,
    "parquet": _parquet_documents,
    "text": _text_documents,
}
