"""Composites and orders of onset on the command line, from a table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders.commands import Emergence

N = 1000


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two families of eight sizes; in both `sum` needs `digit` four times."""
    rows = []
    for family, shift in (("a", 0.0), ("b", 0.4)):
        for place, size in enumerate(np.logspace(7, 10, 8)):
            known = 1 / (1 + np.exp(-2 * (place - 3 + shift)))
            for task, share in (("digit", known), ("sum", known**4), ("late", known**12), ("early", known**0.3)):
                rows.append(
                    {"family": family, "model": f"{family}-{size:.0f}", "params": size, "task": task, "value": share}
                )
    path = tmp_path / "scores.csv"
    frame = pd.DataFrame(rows).assign(metric="exact_match", n_shot=0, chance=0.0, n=N)
    frame["stderr"] = np.sqrt(frame["value"] * (1 - frame["value"]) / (N - 1))
    frame.to_csv(path, index=False)
    return path


def test_a_composite_is_explained_by_its_parts(emergence: Emergence, table: Path, tmp_path: Path) -> None:
    picture = tmp_path / "sum.html"
    done = emergence("compose", "sum", "--of", "digit=4", "--family", "a", "--table", table, "--figure", picture)
    assert done.code == 0
    assert "a sum, 0-shot: made of digit 4 times" in done.out
    assert "its parts explain it" in done.out
    assert "from its parts" in picture.read_text()


def test_json_has_each_size_of_each_family(emergence: Emergence, table: Path) -> None:
    found = json.loads(emergence("compose", "late", "--of", "digit=4", "--table", table, "--json").out)
    assert [(one["family"], one["answer"], len(one["sizes"])) for one in found] == [
        ("a", "falls short", 8),
        ("b", "falls short", 8),
    ]
    assert found[0]["ratio"] == pytest.approx(3.0, rel=0.05)
    assert found[0]["parts"] == [{"task": "digit", "metric": "exact_match", "times": 4.0}]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["sum", "--of", "digit=none"], "--of is 'digit=none'; expected TASK, or TASK=TIMES"),
        (["sum", "--of", "digits"], "unknown task 'digits'"),
        (["sums", "--of", "digit"], "unknown task 'sums'"),
        (["sum/accuracy", "--of", "digit"], "unknown metric of sum 'accuracy'"),
        (["sum", "--of", "digit", "--shots", "3"], "no curve of this family and these shots"),
    ],
)
def test_what_cannot_be_composed_is_one_line(
    emergence: Emergence, table: Path, arguments: list[str], expected: str
) -> None:
    done = emergence("compose", *arguments, "--table", table)
    assert done.code == 2
    assert expected in done.err
    assert done.err.count("\n") <= 2


def test_families_are_compared_by_the_order_of_onset(emergence: Emergence, table: Path) -> None:
    done = emergence("order", "--table", table)
    assert done.code == 0
    assert done.out.splitlines()[2].split()[:4] == ["a", "b", "4", "+1.000"]
    (found,) = json.loads(emergence("order", "--table", table, "--json").out)
    assert (found["a"], found["b"], found["tasks"], found["tau"]) == ("a", "b", 4, 1.0)


def test_one_family_has_nothing_to_be_compared_with(emergence: Emergence, table: Path) -> None:
    done = emergence("order", "--table", table, "--family", "a")
    assert done.code == 2
    assert "expected two or more" in done.err
