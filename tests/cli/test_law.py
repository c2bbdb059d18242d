import json
from pathlib import Path

import pandas as pd
import pytest

from harness.lawbook import BOOK
from tests.builders.commands import Emergence


@pytest.fixture
def table(tmp_path: Path) -> Path:
    log = [20.5 + i / 5 for i in range(18)]
    rows = [{"model": f"m{i}", "flops": 10**x, "value": 0.25 + 0.1 * max(x - 22, 0)} for i, x in enumerate(log)]
    path = tmp_path / "models.csv"
    pd.DataFrame(rows).assign(task="quiz", metric="acc", n_shot=0, chance=0.25).to_csv(path, index=False)
    return path


def test_a_law_is_fitted_to_a_table(emergence: Emergence, table: Path) -> None:
    done = emergence("law", "exposure", "--table", table)
    assert done.code == 0
    head, _, line = done.out.splitlines()
    assert head.split()[:6] == ["task", "metric", "shots", "models", "at", "low"]
    assert line.split()[:4] == ["quiz", "acc", "0", "18"]
    assert done.err.startswith("at, low, high: training FLOPs")
    (row,) = json.loads(emergence("law", "exposure", "--table", table, "--json").out)
    assert row["at"] == pytest.approx(1e22, rel=0.05)
    assert row["refusal"] is None


def test_without_a_name_every_law_is_shown_with_what_it_needs(emergence: Emergence) -> None:
    shown = emergence("law").out
    assert all(f"\n{name}\n" in f"\n{shown}" for name in BOOK)
    assert "Needs flops" in shown
    assert [one["law"] for one in json.loads(emergence("law", "--json").out)] == list(BOOK)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("gravity",), "gravity"),
        (("exposure",), "--table FILE"),
        (("two-step", "--table", "models.csv", "--at", "13B"), "--at 13B: expected parameters and tokens"),
        (("two-step", "--table", "models.csv", "--at", "many,5T"), "--at many: expected a number above 0"),
        (("observational", "--table", "models.csv", "--cut", "0"), "--cut 0: expected a number above 0"),
        (("exposure", "--table", "models.csv", "--marked", "new"), "new"),
        (("two-step", "--table", "models.csv"), "column loss is missing or empty"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    emergence: Emergence, table: Path, arguments: tuple[str, ...], expected: str
) -> None:
    assert table.exists()
    done = emergence("law", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert expected in done.err
    assert len(done.err.splitlines()) == 1


def test_a_figure_of_a_law_is_written_beside_its_numbers(emergence: Emergence, table: Path, tmp_path: Path) -> None:
    page = tmp_path / "law.html"
    done = emergence("law", "exposure", "--table", table, "--figure", page)
    assert done.code == 0
    assert done.out.startswith("task")
    assert f"1 figure written to {page}" in done.err
    assert "The score leaves 0.250 at FLOPs" in page.read_text(encoding="utf-8")


def test_several_fits_do_not_go_into_one_picture(emergence: Emergence, table: Path, tmp_path: Path) -> None:
    twice = pd.read_csv(table)
    pd.concat([twice, twice.assign(task="riddles")]).to_csv(table, index=False)
    done = emergence("law", "exposure", "--table", table, "--figure", tmp_path / "law.svg")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "holds one figure, and there are 2" in done.err
    assert emergence("law", "exposure", "--table", table, "--figure", tmp_path / "law.html").code == 0
