"""Results to present, read from a results folder or from a table with results of any program."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bounded import csv_file, parquet_file
from harness.bounded.files import kind_of
from harness.bounded.json_documents import json_documents
from harness.bounded.limits import TABLE_CELLS, TABLE_COLUMNS, UnreadableError
from harness.errors import StoreError, TableError
from harness.plan import Cell
from harness.records import Sample
from harness.store import Outcomes, ScoresReader, Store
from harness.store.scores_reader import Report
from harness.wording import as_written, quoted

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.curves import OthersResults, Scale

log = logging.getLogger(__name__)

_MISSING = ["", "NA", "N/A", "#N/A", "<NA>", "n/a", "NULL", "null", "None", "NaN", "nan", "-NaN", "-nan"]
"""What programs write for a number that is missing; a name may read so."""


def read_outcomes(folder: Path, report: Report = log.warning) -> Outcomes:
    """Results, failures and skipped files of a results folder.

    Args:
        folder: the results folder.
        report: called with a sentence about each file that is skipped.

    Raises:
        StoreError: there is neither a result nor a failure.
    """
    outcomes = Store(folder).outcomes()
    for problem in outcomes.problems:
        report(f"skipped {problem}")
    if not outcomes.results and not outcomes.failures:
        raise StoreError(f"{folder}: no results; expected a folder that `emergence run` wrote to")
    return outcomes


def read_table(path: Path, columns: Mapping[str, str] | None = None, report: Report = log.info) -> pd.DataFrame:
    """The content of a CSV file, compressed or not, of a Parquet file, or of a JSON file with an object per row.

    The table comes in our columns, see `in_our_columns`.

    Args:
        path: the file.
        columns: our column -> the file's column that is meant by it, or else a value for all rows.
        report: called with a sentence about each thing that was read in another way than it is written.

    Raises:
        TableError: the file is missing, has another ending, or cannot be read, or lacks a column that was named.
    """
    from harness.analysis.curves.table import in_our_columns

    try:
        if kind_of(path) is None:
            raise TableError(f"{path}: no such file")
        read = in_our_columns(_content(path), str(path), columns)
    except UnreadableError as error:
        raise TableError(f"{path}: {error}") from error
    for sentence in read.sentences:
        report(f"{path}: {sentence}")
    return read.frame


def read_others(path: Path, scale: Scale = "params", report: Report = log.warning) -> OthersResults:
    """Results that one's own are compared with: a results folder, also of imported results, or a table.

    Args:
        path: the folder or the file.
        scale: the axis that a table must have a column for.
        report: called with a sentence about each file that is skipped, and each thing that is read in another way.

    Raises:
        HarnessError: nothing is there, or it cannot be read.
    """
    from harness.analysis.curves import OthersResults, measured_results

    if path.name.endswith(_TABLES):
        from harness.analysis.curves.table import measured_table

        table = measured_table(read_table(path, report=report), scale, str(path))
        return OthersResults(path.name, table.measured, table.ranked)
    outcomes = read_outcomes(path, report)
    tools = {
        " ".join(part for part in (source.tool, source.tool_version) if part)
        for result in outcomes.results
        if (source := result.provenance.source) is not None
    }
    name = f"{path.name or path} ({tools.pop()})" if len(tools) == 1 else path.name or str(path)
    items = document_reader(Store(path), report)
    return OthersResults(name, measured_results(outcomes.results, outcomes.failures, items=items))


_TABLES = (".parquet", ".jsonl", ".json", *csv_file.ENDINGS)
"""How the names of tables end."""


def _content(path: Path) -> pd.DataFrame:
    import pandas as pd

    if path.suffix == ".parquet":
        return parquet_file.read_frame(path)
    if path.name.endswith(csv_file.ENDINGS):
        return _as_written(_csv(path))
    if path.name.endswith((".jsonl", ".json")):
        return pd.DataFrame(_objects(path))
    raise TableError(f"{path}: expected a file named .csv, .parquet, .jsonl or .json")


def _objects(path: Path) -> list[dict[str, object]]:
    """The rows of a JSON file, whose fields are texts, numbers and truth values."""
    rows, names = list[dict[str, object]](), set[str]()
    for number, document in enumerate(json_documents(path), start=1):
        names.update(document.fields)
        TABLE_COLUMNS.check(len(names))
        for name, value in document.fields.items():
            if isinstance(value, dict | list):
                raise UnreadableError(
                    f"row {number}, field {quoted(name)} is {quoted(value)}; expected a text or a number"
                )
        rows.append(document.fields)
    TABLE_CELLS.check(len(rows) * len(names))
    return rows


def _csv(path: Path) -> pd.DataFrame:
    """A CSV file whose cells stand between commas, semicolons or tabs; with semicolons 0,5 is a number."""
    import pandas as pd

    from harness.analysis.curves.table import TEXT_COLUMNS

    with csv_file.opened_csv(path) as content:
        head = content.readline(1 << 16)
        sign = max(",;\t", key=lambda sign: head.count(sign.encode()))
        content.seek(0)
        columns = pd.read_csv(content, nrows=0, sep=sign, encoding="utf-8-sig").columns
        content.seek(0)
        missing = {name: [""] if name in TEXT_COLUMNS else _MISSING for name in columns}
        table = pd.read_csv(
            content,
            dtype=dict.fromkeys(TEXT_COLUMNS, "string"),
            keep_default_na=False,
            na_values=missing,
            sep=sign,
            encoding="utf-8-sig",
        )
    if not isinstance(
        table.index, pd.RangeIndex
    ):  # pandas takes what is too much for names of the rows, and shifts all
        raise UnreadableError(
            "has rows with more cells than its first line has names; expected as many (a number with a decimal comma "
            "stands in quotation marks, or its table has semicolons)"
        )
    return table if sign == "," else table.apply(_with_points)


def _with_points(column: pd.Series) -> pd.Series:
    """A column of numbers with decimal commas as numbers; any other as it is."""
    import pandas as pd

    text = column.astype("string")
    if column.dtype.kind in "iufb" or not text.str.fullmatch(r"\s*-?\d*,\d+(e[+-]?\d+)?\s*%?").fillna(False).any():
        return column
    text = text.str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(text, errors="coerce")
    return numbers if (numbers.notna() | text.isna()).all() else text


def _as_written(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the apostrophes that keep spreadsheets from taking names for formulas."""
    for name in table.columns:
        column = table[name]
        # a column of whole numbers with more than 64 bits is one of objects too
        if column.dtype in ("object", "string", "str") and any(isinstance(one, str) and "'" in one for one in column):
            table[name] = column.map(lambda one: as_written(one) if isinstance(one, str) else one, na_action="ignore")
    return table.rename(columns=lambda name: as_written(str(name)))


def answer_reader(store: Store, report: Report = log.warning) -> Callable[[Cell], tuple[Sample, ...] | None]:
    """As `document_reader`, for whole answers: what models were asked and wrote."""

    def read(cell: Cell) -> tuple[Sample, ...] | None:
        try:
            return store.samples(cell)
        except StoreError as error:
            report(f"skipped {error}")
            return None

    return read


def document_reader(store: Store, report: Report = log.warning) -> ScoresReader:
    """A function that reads the scores of a cell's documents, and gives None for a file that cannot be read.

    Args:
        store: the results folder.
        report: called with a sentence about each file that cannot be read.
    """
    return ScoresReader(store, report)
