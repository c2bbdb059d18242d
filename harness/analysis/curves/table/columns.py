"""Which columns a table may have, and how their fields are read; what cannot be read is refused by row and column."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from harness.analysis.curves.join import CONDITIONS
from harness.errors import TableError
from harness.plausible import Bound
from harness.wording import cut

_AT_DIGEST = list(CONDITIONS).index("task_digest")
CONDITION_COLUMNS = {
    "condition": "condition",
    **dict(list(CONDITIONS.items())[:_AT_DIGEST]),
    "task_version": "task_version",  # in place of the digest, which published tables do not have
    **dict(list(CONDITIONS.items())[_AT_DIGEST:]),
}
"""Optional columns -> what curves call them. Rows that differ in one of these are never joined to one curve."""
TEXT_COLUMNS = ("family", "model", "revision", "run", "task", "metric", "prompt", "doc_id", *CONDITION_COLUMNS)
"""Columns of names, which are read as text even where they look like numbers."""
SETTING_COLUMNS = ("family", "task", "shots", "prompt", *CONDITION_COLUMNS)
"""Columns in which the rows of one curve agree, besides its metric."""
MEASUREMENT_COLUMNS = ("model", "checkpoint", "run", "seed")
"""Columns that tell the measurements of one setting apart."""
IDENTITY_COLUMNS = (*SETTING_COLUMNS, *MEASUREMENT_COLUMNS, "metric", "doc_id")
"""Columns that tell any two scores apart."""


_PREFERRED: Mapping[str, str] = {"stderr": "n"}
"""First of several columns, of which one is needed -> the one that messages name."""
_FOR_ALL: Mapping[str, str] = {"family": "NAME", "task": "NAME", "metric": "acc", "n_shot": "0", "n": "1000"}
"""Column -> a value that all rows may have, for messages."""
_MOST_NAME = 2000
"""Characters of a name, as of the names in stored results."""


class Columns:
    """The columns of a table by name; its methods refuse a wrong field with a `TableError` that names the row."""

    def __init__(self, frame: pd.DataFrame, source: str) -> None:
        self.frame = frame.reset_index(drop=True)
        self.source = source
        for column in frame.columns[frame.columns.duplicated()]:
            raise TableError(f"{source}: column {cut(str(column))} stands twice")
        if not len(frame):
            raise TableError(f"{source}: has no rows")

    def __contains__(self, column: str) -> bool:
        return column in self.frame.columns

    def one_of(self, *names: str) -> str:
        """The first of these columns that the table has."""
        for name in names:
            if name in self:
                return name
        raise self._missing([names])

    def check_has(self, *needed: Sequence[str]) -> None:
        """Refuse a table that lacks columns, all of which are named; one of each group is needed."""
        if missing := [names for names in needed if not any(name in self for name in names)]:
            raise self._missing(missing)

    def _missing(self, groups: Sequence[Sequence[str]]) -> TableError:
        has = cut(", ".join(map(str, self.frame.columns)), 2000)
        which = ", and ".join(f"column {' or '.join(names)}" for names in groups)
        options = [_PREFERRED.get(names[0], names[0]) for names in groups]
        option = ",".join(f"{name}=COLUMN" for name in options)
        for_all = next((f"; {name}={_FOR_ALL[name]} is that of all rows" for name in options if name in _FOR_ALL), "")
        return TableError(
            f"{self.source}: {which} {'is' if len(groups) == 1 else 'are'} missing; it has {has}; "
            f"--columns {option} names the {'one that is' if len(groups) == 1 else 'ones that are'} meant{for_all}"
        )

    def text(self, column: str, default: str | None = None) -> pd.Series:
        """Text without gaps; an absent column or an empty field is the default, or refused when there is none."""
        if column not in self and default is not None:
            return pd.Series(default, index=self.frame.index)
        column = self.one_of(column)
        read = self.frame[column].astype("string").fillna("").str.strip()
        if default is None:
            self.check(read != "", column, "a name")
        self.check(read.str.len() <= _MOST_NAME, column, f"at most {_MOST_NAME} characters")
        return read.where(read != "", default or "").astype(object)

    def numbers(
        self, column: str, *, needed: bool = False, whole: bool = False, bound: Bound | None = None
    ) -> pd.Series:
        """Finite numbers within their bounds; NaN where the field is empty or the column is not there."""
        if column not in self and not needed:
            return pd.Series(np.nan, index=self.frame.index)
        column = self.one_of(column)
        given = self.frame[column]
        if given.dtype.kind in "mM":  # pandas would take a time for nanoseconds
            given = given.astype("string")
        read = pd.to_numeric(given.map(_within_floats) if given.dtype == object else given, errors="coerce").astype(
            float
        )
        empty = given.astype("string").fillna("").str.strip() == ""
        self.check(~read.isna() | (empty & (not needed)), column, "a number")
        self.check(read.abs() != math.inf, column, "a finite number")
        if whole:
            self.check(read.isna() | (read % 1 == 0), column, "a whole number")
        if bound is not None:
            self.check(~bound.broken(read), column, bound.expected)
        return read

    def flags(self, column: str) -> pd.Series:
        """1.0 for true, 0.0 for false, NaN where the field is empty or the column is not there."""
        words = {"true": 1.0, "1": 1.0, "1.0": 1.0, "yes": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0, "no": 0.0}
        text = self.text(column, "").str.lower()
        read = text.map(words).astype(float)
        self.check(read.notna() | (text == ""), column, "true or false")
        return read

    def check(self, right: pd.Series, column: str, expected: str | pd.Series) -> None:
        """Refuse the table by its first row that is not right; `expected` is one text, or one for each row."""
        if right.all():
            return
        row = int(np.argmin(right.to_numpy(dtype=bool)))
        value = self.frame[column].iloc[row]
        found = "is empty" if pd.isna(value) or str(value).strip() == "" else f"is {cut(str(value))}"
        wanted = expected if isinstance(expected, str) else expected.iloc[row]
        raise TableError(f"{self.source}: row {row + 1}, column {column}: {found}; expected {wanted}")


def _within_floats(value: object) -> object:
    """The value of a field; infinity for a whole number that no float is as large as, on which pandas fails."""
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return math.inf if value > 0 else -math.inf
    return value


def known(number: float) -> float | None:
    """The number of a field, None where the field is empty."""
    return None if math.isnan(number) else float(number)
