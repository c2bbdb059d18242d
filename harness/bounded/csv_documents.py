"""Documents in a table of texts: CSV with commas, semicolons or tabs, the first line naming the fields.

A column is one of numbers where every cell of it is a number that is written as Python writes it; `007`, `1.50`, `NA`
and an empty cell are texts, and so is their column. Nothing is missing, and a number is the text that stood there.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from harness.bounded.files import decoded, lines, open_regular, unpacked
from harness.bounded.json_documents import Document
from harness.bounded.limits import DATA_BYTES, LINE_BYTES, ROWS, TABLE_COLUMNS, UnreadableError
from harness.wording import counted, quoted

_DELIMITERS = ",\t;"
"""What may stand between two cells; the first of them that the names of the fields hold does."""
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")

Reader = Callable[[str], str | int | float]


class _Row(NamedTuple):
    line: int
    """Number of its last line."""
    cells: list[str]
    """Its cells."""


def csv_documents(path: Path) -> Iterator[Document]:
    """The documents of a table, one in memory at a time; blank lines are skipped.

    The file is read twice, since its last row may decide what a column holds.

    Raises:
        UnreadableError: it cannot be read, holds more than the limits allow, has no names of fields, or a row has more
            or fewer cells than there are fields.
    """
    with open_regular(path) as file:
        state = os.fstat(file.fileno())
    names, readers = _columns(path, state.st_mtime_ns, state.st_size)
    for row in islice(_rows(path), 1, None):
        cells = {name: read(cell) for name, read, cell in zip(names, readers, row.cells, strict=True)}
        yield Document(sum(map(len, row.cells)), cells)


@lru_cache(maxsize=64)
def _columns(path: Path, changed: int, size: int) -> tuple[list[str], list[Reader]]:
    """Names of the fields, and what reads the cells of each; once for a file that was last changed at `changed`."""
    rows = _rows(path)
    head = next(rows, None)
    if head is None:
        return [], []
    names = [name or f"Unnamed: {i}" for i, name in enumerate(head.cells)]  # as pandas calls an index that it wrote
    TABLE_COLUMNS.check(len(names))
    for i, name in enumerate(names):
        if name in names[:i]:
            raise UnreadableError(f"line {head.line}: column {quoted(name)} stands twice")
    texts: set[int] = set()
    for row in rows:
        if len(row.cells) != len(names):
            raise UnreadableError(
                f"line {row.line} has {counted(len(row.cells), 'cell')}; expected {len(names)}, one for each name of "
                "the first line"
            )
        for i, cell in enumerate(row.cells):
            if i not in texts and _number(cell) is None:
                texts.add(i)
    return names, [str if i in texts else _read_number for i in range(len(names))]


def _number(cell: str) -> int | float | None:
    """The number that a cell holds, as Python writes it; None for a text."""
    if _WHOLE.fullmatch(cell):
        return int(cell)
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) and repr(number) == cell else None


def _read_number(cell: str) -> int | float:
    number = _number(cell)
    assert number is not None, cell
    return number


def _rows(path: Path) -> Iterator[_Row]:
    # the module's own bound of 131,072 characters is less than a line may have
    csv.field_size_limit(max(csv.field_size_limit(), LINE_BYTES.allowed))
    with unpacked(path, DATA_BYTES) as content:
        texts = _texts(lines(content, length=LINE_BYTES, rows=ROWS))
        first: list[str] = []
        for text in texts:
            first.append(text)
            if text.strip():
                break
        else:
            return
        reader = csv.reader(chain(first, texts), delimiter=_delimiter(path, first[-1]), strict=True)
        try:
            for cells in reader:
                if len(cells) > 1 or (cells and cells[0].strip()):
                    yield _Row(reader.line_num, cells)
        except csv.Error as error:
            raise UnreadableError(f"line {reader.line_num}: {_why(error)}") from error


def _why(error: csv.Error) -> str:
    """What is wrong with a row; two messages of the csv module are meant for its callers."""
    if "new-line character" in str(error):
        return "a carriage return stands within a line; expected lines that end in a line feed"
    if "unexpected end" in str(error):
        return "the file ends within quotes; expected a quote at the end of the cell"
    return str(error)


def _texts(found: Iterator[bytes]) -> Iterator[str]:
    for number, line in enumerate(found, start=1):
        try:
            yield decoded(line)
        except UnreadableError as error:
            raise UnreadableError(f"line {number} {error}; expected a table of texts") from error


def _delimiter(path: Path, head: str) -> str:
    """What stands between two cells, by the line that names the fields."""
    if path.name.lower().removesuffix(".gz").endswith((".tsv", ".tab")):
        return "\t"
    return next((sign for sign in _DELIMITERS if sign in head), ",")
