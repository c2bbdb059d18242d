"""Names that look as if nothing stood there."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.reading import read_table
from tests.builders.scripted import Saying, local_task, said, scores

NAMES = ("NA", "None", "null", "nan", "N/A", "NULL", "n/a", "-", "inf", "007", "1e5", "True")


@pytest.mark.parametrize("column", ["family", "model", "task", "prompt", "doc_id"])
def test_texts_of_a_table_stay_texts(tmp_path: Path, column: str) -> None:
    """pandas reads such names as missing or as numbers (OasisLMF PR#308); an empty cell is missing."""
    path = tmp_path / "x.csv"
    path.write_text(f"{column},n,value\n" + "".join(f"{name},3,0.5\n" for name in NAMES) + ",3,NA\n")
    table = read_table(path)
    assert list(table[column][:-1]) == list(NAMES)
    assert table[column].isna().tolist() == [False] * len(NAMES) + [True]
    assert table["value"].isna().tolist() == [False] * len(NAMES) + [True]
    assert table["n"].tolist() == [3] * (len(NAMES) + 1)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_may_look_empty(tmp_path: Path, name: str) -> None:
    """In the data of a task, whether it is written or chosen."""
    data = {"test": [{"q": "Q", "a": name}]}
    for target in ("a", "{{a}}"):
        written = local_task(tmp_path, data, output_type="generate_until", doc_to_target=target)
        assert scores(said(written, Saying(name))) == {"exact_match": 1.0}
        chosen = local_task(
            tmp_path, data, output_type="multiple_choice", doc_to_choice=["x", name], doc_to_target=target
        )
        assert scores(said(chosen, Saying(likely={name: -1.0}))) == {"acc": 1.0}
