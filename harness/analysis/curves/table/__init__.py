"""Curves from anybody's table of results. Loads pandas, and is imported by its own name."""

from harness.analysis.curves.table.columns import TEXT_COLUMNS, Columns
from harness.analysis.curves.table.forms import in_our_columns, told_columns
from harness.analysis.curves.table.reading import (
    MeasuredTable,
    measured_table,
    missing_information,
    table_curves,
    table_measurements,
)

__all__ = [
    "TEXT_COLUMNS",
    "Columns",
    "MeasuredTable",
    "in_our_columns",
    "measured_table",
    "missing_information",
    "table_curves",
    "table_measurements",
    "told_columns",
]
