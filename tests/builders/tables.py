"""Tidy tables of the family `toy`, as users publish them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.builders.cells import SIZES

Published = Callable[[str], Path]
"""The fixture `data` of the validation tests: where a table lies that others have published, by its name."""

RISING = (50, 60, 70, 80, 90, 100, 110, 120)
"""Documents of 200 that are right at each size."""


def counted(right: Sequence[int] = RISING, **columns: Any) -> pd.DataFrame:
    """`right[i]` of 200 documents right at size i; `columns` are added or replaced."""
    sizes = SIZES[: len(right)]
    rows = pd.DataFrame(
        {
            "family": "toy",
            "model": [f"toy-{size}" for size in sizes],
            "params": sizes,
            "task": "colours",
            "metric": "acc",
            "n_shot": 0,
            "k": right,
            "n": 200,
            "chance": 0.25,
        }
    )
    return rows.assign(**columns)


def scored(**columns: Any) -> pd.DataFrame:
    """The same as values with standard errors, without counts."""
    p = np.array(RISING) / 200
    return counted(value=p, stderr=np.sqrt(p * (1 - p) / 199)).drop(columns=["k", "n"]).assign(**columns)


def documents(**columns: Any) -> pd.DataFrame:
    """Three documents at two sizes."""
    rows = [
        {"model": f"toy-{size}", "params": size, "doc_id": name, "value": value}
        for size, values in ((1000, (1.0, 0.0, 0.0)), (4000, (1.0, 0.0, 1.0)))
        for name, value in zip("abc", values, strict=True)
    ]
    common: dict[str, Any] = {"family": "toy", "task": "colours", "metric": "acc", "n_shot": 0, "chance": 0.25}
    return pd.DataFrame(rows).assign(**common, **columns)
