"""Mirrors of the hub: folders with small data sets and models, as `--mirror` reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Rows = Sequence[Mapping[str, Any]]
SUMS: Mapping[str, Rows] = {
    "train": [{"q": f"{i}+1=", "a": f"{i + 1}"} for i in range(6)],
    "test": [{"q": f"{i}+2=", "a": f"{i + 2}"} for i in range(9)],
}
"""A data set with two splits."""


def write_data_set(folder: Path, splits: Mapping[str, Rows] = SUMS, *, form: str = "jsonl") -> Path:
    """A folder with a file for each split: `train.jsonl` and so on, or .csv or .parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        path = folder / f"{split}.{form}"
        if form == "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        elif form == "csv":
            import pandas as pd

            pd.DataFrame(list(rows)).to_csv(path, index=False)
        else:
            import pyarrow as pa
            from pyarrow import parquet

            parquet.write_table(pa.Table.from_pylist(list(rows)), path)
    return folder


def write_card(folder: Path, card: Mapping[str, Any]) -> Path:
    """The README.md of a data set with this YAML at the top."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "README.md"
    path.write_text(f"---\n{yaml.safe_dump(dict(card))}---\n# A data set\n", encoding="utf-8")
    return path


def task_of(name: str, **config: Any) -> dict[str, Any]:
    """A task of the data set with this name, as its YAML file says it."""
    return {
        "task": "sums",
        "kind": "arithmetic",
        "metrics": [
            {"name": "exact_match"},
            {"name": "loglikelihood_per_byte", "continuous": True, "chance": None, "best": None},
        ],
        "config": {
            "dataset_path": name,
            "output_type": "generate_until",
            "test_split": "test",
            "fewshot_split": "train",
            "doc_to_text": "{{q}}",
            "doc_to_target": "{{a}}",
            "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4},
            **config,
        },
    }
