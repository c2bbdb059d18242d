"""Results to present, read from a results folder or from a table with results of any program."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bounded import csv_file, parquet_file
from harness.bounded.files import kind_of
from harness.bounded.limits import UnreadableError
from harness.errors import StoreError, TableError
from harness.plan import Cell
from harness.store import DocumentScores, Outcomes, Store
from harness.wording import as_written

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

_MISSING = ["", "NA", "N/A", "#N/A", "<NA>", "n/a", "NULL", "null", "None", "NaN", "nan", "-NaN", "-nan"]
"""What programs write for a number that is missing; a name may read so."""
Report = Callable[[str], None]
"""Called with a sentence about each file that is skipped."""


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


def read_table(path: Path) -> pd.DataFrame:
    """The content of a CSV file, compressed or not, or of a Parquet file.

    Raises:
        TableError: the file is missing, has another ending, or cannot be read.
    """
    import pandas as pd

    from harness.analysis.curves.table import TEXT_COLUMNS

    try:
        if kind_of(path) is None:
            raise TableError(f"{path}: no such file")
        if path.suffix == ".parquet":
            return parquet_file.read_frame(path)
        if path.name.endswith(csv_file.ENDINGS):
            with csv_file.opened_csv(path) as content:
                columns = pd.read_csv(content, nrows=0).columns
                content.seek(0)
                missing = {name: [""] if name in TEXT_COLUMNS else _MISSING for name in columns}
                table = pd.read_csv(
                    content, dtype=dict.fromkeys(TEXT_COLUMNS, "string"), keep_default_na=False, na_values=missing
                )
                return _as_written(table)
    except UnreadableError as error:
        raise TableError(f"{path}: {error}") from error
    raise TableError(f"{path}: expected a file named .csv or .parquet")


def _as_written(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the apostrophes that keep spreadsheets from taking names for formulas."""
    for name in table.columns:
        column = table[name]
        # a column of whole numbers with more than 64 bits is one of objects too
        if column.dtype in ("object", "string", "str") and any(
            isinstance(one, str) and one[:1] == "'" for one in column
        ):
            table[name] = column.map(lambda one: as_written(one) if isinstance(one, str) else one, na_action="ignore")
    return table.rename(columns=lambda name: as_written(str(name)))


def document_reader(store: Store, report: Report = log.warning) -> Callable[[Cell], DocumentScores | None]:
    """A function that reads the scores of a cell's documents, and gives None for a file that cannot be read.

    Args:
        store: the results folder.
        report: called with a sentence about each file that cannot be read.
    """

    def read(cell: Cell) -> DocumentScores | None:
        try:
            return store.scores(cell)
        except StoreError as error:
            report(f"skipped {error}")
            return None

    return read
