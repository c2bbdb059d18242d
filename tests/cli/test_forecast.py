import json
from pathlib import Path

import pandas as pd
import pytest

from harness.cli.forecast import scale_of
from harness.errors import PlanError
from harness.store import Store
from tests.builders import SIZES, cell, model, result
from tests.builders.commands import Emergence
from tests.builders.tables import counted

RISING = (60, 70, 84, 100, 118, 136, 152, 165)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "some.csv"
    counted(RISING).to_csv(path, index=False)
    return path


def test_a_table_is_forecast_with_interval_and_back_test(emergence: Emergence, table: Path) -> None:
    done = emergence("forecast", "--table", table, "--at", "65.5M", "--json")
    assert (done.code, done.err) == (0, "")
    (row,) = json.loads(done.out)
    assert (row["family"], row["task"], row["metric"], row["at"]) == ("toy", "colours", "acc", 65.5e6)
    assert row["largest"]["x"] == SIZES[-1]
    assert row["low"] < 0.88 < row["high"]
    assert len(row["backtest"]) == 4
    assert row["coverage"] == 1.0


def test_the_table_for_people_has_one_line_per_curve(emergence: Emergence, table: Path) -> None:
    done = emergence("forecast", "--table", table, "--at", "7e9")
    assert done.code == 0
    head, _, line = done.out.splitlines()
    assert head.split() == (
        "family task shots metric largest score forecast 95 % interval back-test error inside note".split()
    )
    assert line.startswith("toy")
    assert "16.4M" in line
    assert "4 of 4" in line
    assert line.endswith("far")


def test_reasons_to_doubt_are_sentences(emergence: Emergence, table: Path) -> None:
    done = emergence("forecast", "--table", table, "--at", "7e9", "--reasons")
    assert "decades beyond the largest size" in done.out


def test_results_are_forecast_and_curves_are_chosen(emergence: Emergence, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    for shots in (0, 2):
        for size, k in zip(SIZES, RISING, strict=True):
            store.write(result(cell(model=model(size), shots=shots), values=[1.0] * (k // 4) + [0.0] * (50 - k // 4)))
    everything = json.loads(emergence("forecast", "--at", "7e7", "--metric", "all", "--json").out)
    assert {(row["shots"], row["metric"]) for row in everything} == {
        (shots, metric) for shots in (0, 2) for metric in ("acc", "prob_correct")
    }
    (one,) = json.loads(emergence("forecast", "--at", "7e7", "--shots", "2", "--family", "toy", "--json").out)
    assert (one["shots"], one["metric"]) == (2, "acc")
    (named,) = json.loads(
        emergence("forecast", "--at", "7e7", "--metric", "prob_correct", "--num_fewshot", "0", "--json").out
    )
    assert (named["shots"], named["metric"]) == (0, "prob_correct")


def test_a_table_with_losses_is_forecast_in_two_steps(emergence: Emergence, tmp_path: Path) -> None:
    counted(RISING, loss=[2 + 8 * size**-0.2 for size in SIZES]).to_csv(tmp_path / "t.csv", index=False)
    (row,) = json.loads(emergence("forecast", "--table", "t.csv", "--at", "65.5M", "--by-loss", "--json").out)
    assert row["loss"] == pytest.approx(2 + 8 * 65.5e6**-0.2, abs=0.01)
    assert row["scale"] == "params"
    assert row["low"] < row["forecast"] < row["high"]


def test_two_steps_take_the_mean_loss_of_the_runs_of_a_size(emergence: Emergence, tmp_path: Path) -> None:
    losses = [2 + 8 * size**-0.2 for size in SIZES]
    twice = [counted(RISING, loss=[loss + off for loss in losses]) for off in (-0.01, 0.01)]
    table = pd.concat([rows.assign(model=rows["model"] + name) for rows, name in zip(twice, ("-a", "-b"), strict=True)])
    table.to_csv(tmp_path / "t.csv", index=False)
    (row,) = json.loads(emergence("forecast", "--table", "t.csv", "--at", "65.5M", "--by-loss", "--json").out)
    assert row["runs"] == [2] * len(SIZES)
    assert row["loss"] == pytest.approx(2 + 8 * 65.5e6**-0.2, abs=0.01)


def test_two_steps_without_losses_are_refused(emergence: Emergence, table: Path) -> None:
    done = emergence("forecast", "--table", table, "--at", "65.5M", "--by-loss")
    assert (done.code, done.out) == (2, "")
    assert "loss" in done.err
    assert done.err.count("\n") == 1


def test_a_curve_that_cannot_be_carried_on_has_a_reason_in_its_row(emergence: Emergence, tmp_path: Path) -> None:
    counted(RISING[:3]).to_csv(tmp_path / "t.csv", index=False)
    done = emergence("forecast", "--table", "t.csv", "--at", "7B")
    assert done.code == 0
    assert "Only 3 sizes: a forecast needs at least 4." in done.out


@pytest.mark.parametrize(
    ("text", "value"),
    [("7e9", 7e9), ("7B", 7e9), ("1.4T", 1.4e12), ("410m", 4.1e8), ("125 M", 1.25e8), ("3P", 3e15), ("2.31", 2.31)],
)
def test_sizes_may_be_written_as_people_write_them(text: str, value: float) -> None:
    assert scale_of(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["0", "-3", "0B", "1e999", "nan", "inf", "seven", "7X", "1.2.3", "", "B"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="expected a number above 0"):
        scale_of(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--at", "-1"), "--at -1: expected a number above 0, such as 7e9, 7B or 1.4T"),
        (("--at", "7B", "--family", "opt"), "unknown family 'opt'; known: toy"),
        (("--at", "7B", "--task", "x"), "unknown task 'x'; known: colours"),
        (("--at", "7B", "--shots", "5"), "unknown shot count '5'; known: 0"),
        (("--at", "7B", "--metric", "f1"), "unknown metric 'f1'; known: acc, all, headline"),
    ],
)
def test_what_the_user_can_fix_is_one_line(
    emergence: Emergence, table: Path, options: tuple[str, ...], message: str
) -> None:
    done = emergence("forecast", "--table", table, *options)
    assert (done.code, done.out, done.err) == (2, "", f"error: {message}\n")


def test_forecasts_are_drawn(emergence: Emergence, table: Path, tmp_path: Path) -> None:
    done = emergence("forecast", "--table", table, "--at", "65.5M", "--figure", "f.html", "--json")
    assert (done.code, done.err) == (0, "1 figure written to f.html\n")
    page = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert "<h1>Forecasts at 65.5M</h1>" in page
    assert "95 % prediction interval" in page


def test_a_forecast_in_two_steps_is_weighed_with_the_one_from_the_scale(emergence: Emergence, tmp_path: Path) -> None:
    counted(RISING, loss=[2 + 8 * size**-0.2 for size in SIZES]).to_csv(tmp_path / "t.csv", index=False)
    (row,) = json.loads(emergence("forecast", "--table", "t.csv", "--at", "65.5M", "--with-loss", "--json").out)
    assert row["loss"] == pytest.approx(2 + 8 * 65.5e6**-0.2, abs=0.01)
    assert 0 < row["forms"]["two-step"]["weight"] < 1
    done = emergence("forecast", "--table", "t.csv", "--at", "65.5M", "--with-loss", "--by-loss")
    assert (done.code, done.err) == (2, "error: --by-loss and --with-loss: expected one of them\n")
