"""The law over amounts of tuning documents, from tables with variants such as finetune@64."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.errors import TableError
from harness.lawbook import Choice, fitted

SIZES = (1e6, 4e6, 1.6e7, 7e7, 1.6e8, 4e8, 1e9)


def board(*, by_name: bool = True) -> pd.DataFrame:
    """A family whose elbow lies at 10^8.5 for one document, and moves by half a decade for ten times as many."""
    rows = [
        {
            "family": "toy",
            "model": f"toy-{size:g}",
            "params": size,
            "task": "colours",
            "metric": "acc",
            "chance": 0.25,
            "variant": f"finetune@{amount}" if by_name else "mine",
            "documents": amount,
            "shots": 0,
            "value": 0.25 + 0.2 * max(0.0, np.log10(size) + 0.5 * np.log10(amount) - 8.5),
        }
        for size in SIZES
        for amount in (16, 128, 1024)
    ]
    plain = [row | {"variant": None, "documents": None, "shots": 4, "value": 0.25} for row in rows[::3]]
    table = pd.DataFrame([*rows, *plain])
    return table.drop(columns="documents") if by_name else table


@pytest.mark.parametrize("by_name", [True, False])
def test_the_threshold_of_few_shot_models_is_forecast_from_tuned_ones(by_name: bool) -> None:
    found = fitted("tuning", board(by_name=by_name), Choice())
    (row,) = found.rows
    assert (row["family"], row["method"]) == ("toy", "finetune" if by_name else "mine")
    assert (row["models"], row["amounts"], row["examples"]) == (7, 3, 4)
    assert row["shift"] == pytest.approx(0.5, abs=0.03)
    assert row["shift_low"] > 0
    assert np.log10(row["threshold"]) == pytest.approx(8.5 - 0.5 * np.log10(4), abs=0.1)
    assert row["threshold_low"] <= row["threshold"] <= row["threshold_high"]
    assert [dots.name for dots in found.pictures[0].dots] == ["16 documents", "128 documents", "1,024 documents"]
    assert "With 4 examples in the prompt, untuned models are forecast" in found.pictures[0].says


def test_one_amount_is_no_law_and_a_table_without_tuned_models_is_refused() -> None:
    one = board()
    one = one[one["variant"].isin(["finetune@16"])]
    assert "needs 2 amounts of documents" in str(fitted("tuning", one, Choice()).rows[0]["refusal"])
    plain = board()
    plain = plain[plain["variant"].isna()]
    with pytest.raises(TableError, match="no row says on how many documents its model was tuned; expected a column"):
        fitted("tuning", plain, Choice())
