from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders.commands import Emergence
from tests.builders.tables import counted, scored


def refused(emergence: Emergence, folder: Path, rows: pd.DataFrame) -> str:
    """What `verdicts` says of a table it does not judge."""
    rows.to_csv(folder / "some.csv", index=False)
    done = emergence("verdicts", "--table", "some.csv", "--json")
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    return done.err


@pytest.mark.parametrize("verb", ["curves", "verdicts"])
def test_a_repeated_row_is_refused_by_every_verb(emergence: Emergence, tmp_path: Path, verb: str) -> None:
    rows = counted()
    pd.concat([rows, rows.iloc[[4]]]).to_csv(tmp_path / "some.csv", index=False)
    done = emergence(verb, "--table", "some.csv")
    assert (done.code, done.out) == (2, "")
    assert "some.csv: row 9 is of the same score as row 5" in done.err


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("k", 201, "some.csv: row 3, column k: is 201; expected at most n = 200"),
        ("k", np.nan, "some.csv: row 3, column k: is empty; expected a number"),
        ("n", np.nan, "some.csv: row 3, column n: is empty; expected the number of documents"),
        ("params", np.nan, "some.csv: row 3, column params: is empty; expected a number"),
        ("params", 10**400, f"some.csv: row 3, column params: is 1{'0' * 198}…; expected a finite number"),
    ],
)
def test_counts_that_cannot_be_are_refused_by_row_and_column(
    emergence: Emergence, tmp_path: Path, column: str, value: float, message: str
) -> None:
    rows = counted().astype(object)
    rows.loc[2, column] = value
    assert message in refused(emergence, tmp_path, rows)


def test_a_value_that_is_not_a_number_is_refused_by_row_and_column(emergence: Emergence, tmp_path: Path) -> None:
    rows = scored()
    rows.loc[4, "value"] = np.nan
    assert "some.csv: row 5, column value: is empty; expected a number" in refused(emergence, tmp_path, rows)


def test_an_error_in_percent_beside_a_share_is_refused_by_row_and_column(emergence: Emergence, tmp_path: Path) -> None:
    rows = scored()
    rows["stderr"] *= 100
    assert "some.csv: row 1, column stderr: is 3.0" in refused(emergence, tmp_path, rows)


@pytest.mark.parametrize(("right", "label"), [(0, "flat"), (200, "flat-above-chance")])
def test_scores_of_0_and_of_100_percent_are_judged(
    emergence: Emergence, tmp_path: Path, right: int, label: str
) -> None:
    counted((right,) * 8).to_csv(tmp_path / "some.csv", index=False)
    (found,) = json.loads(emergence("verdicts", "--table", "some.csv", "--json").out)
    assert found["label"] == label


def test_a_missing_column_comes_with_the_option_that_names_it(emergence: Emergence, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    scored().rename(columns={"value": "right"}).to_csv(path, index=False)
    refused = emergence("curves", "--table", path)
    assert refused.code == 2
    assert "column k or value is missing" in refused.err
    assert "--columns k=COLUMN names the one that is meant" in refused.err
    assert emergence("curves", "--table", path, "--columns", "value=right").code == 0


def test_columns_without_a_table_are_refused(emergence: Emergence) -> None:
    done = emergence("curves", "--results", "x", "--columns", "value=right")
    assert (done.code, done.err.strip()) == (
        2,
        "error: --columns names columns of a table: expected --table FILE beside it",
    )
