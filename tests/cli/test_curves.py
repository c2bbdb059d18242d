import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from harness.cli.read import given_curves
from harness.store import SAMPLES, Store
from tests.builders import SIZES, cell, model, result
from tests.builders.commands import Emergence
from tests.builders.tables import RISING, counted, documents


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "some.csv"
    counted().to_csv(path, index=False)
    return path


def test_curves_of_a_table_have_one_row_per_point(emergence: Emergence, table: Path) -> None:
    done = emergence("curves", "--table", table, "--json")
    assert (done.code, done.err) == (0, "")
    rows = json.loads(done.out)
    assert [row["x"] for row in rows] == list(SIZES)
    assert [row["value"] for row in rows] == pytest.approx([k / 200 for k in RISING])
    assert {(row["family"], row["task"], row["metric"], row["n"], row["chance"]) for row in rows} == {
        ("toy", "colours", "acc", 200, 0.25)
    }
    assert "1.02M" in emergence("curves", "--table", table).out


def test_a_table_may_be_compressed_or_parquet(emergence: Emergence, table: Path) -> None:
    packed, parquet = table.with_suffix(".csv.gz"), table.with_suffix(".parquet")
    packed.write_bytes(gzip.compress(table.read_bytes()))
    counted().to_parquet(parquet)
    expected = emergence("curves", "--table", table, "--json").out
    assert emergence("curves", "--table", packed, "--json").out == expected
    assert emergence("curves", "--table", parquet, "--json").out == expected


def test_names_that_look_like_numbers_stay_as_they_are(emergence: Emergence, tmp_path: Path) -> None:
    counted(family="007", model=[f"{i}.10" for i in range(8)]).to_csv(tmp_path / "t.csv", index=False)
    rows = json.loads(emergence("curves", "--table", "t.csv", "--json").out)
    assert (rows[0]["family"], rows[0]["model"]) == ("007", "0.10")


def test_rows_of_documents_can_be_drawn(emergence: Emergence, tmp_path: Path) -> None:
    documents().to_csv(tmp_path / "t.csv", index=False)
    assert [row["n"] for row in json.loads(emergence("curves", "--table", "t.csv", "--json").out)] == [3, 3]


def test_curves_can_be_drawn_over_a_loss(emergence: Emergence, tmp_path: Path) -> None:
    counted(loss=[4 - i / 4 for i in range(8)]).to_csv(tmp_path / "t.csv", index=False)
    rows = json.loads(emergence("curves", "--table", "t.csv", "--scale", "loss", "--json").out)
    assert [row["x"] for row in rows] == [4 - i / 4 for i in range(8)]
    assert {row["scale"] for row in rows} == {"loss"}


def test_what_a_table_does_not_say_is_said(emergence: Emergence, tmp_path: Path) -> None:
    counted().drop(columns="chance").to_csv(tmp_path / "t.csv", index=False)
    assert "no column `chance`" in emergence("curves", "--table", "t.csv").err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.csv", None, "gone.csv: no such file"),
        ("gone.parquet", None, "gone.parquet: no such file"),
        ("empty.csv", b"", "empty.csv: cannot be read: No columns"),
        ("head.csv", b"family,model\n", "head.csv: has no rows"),
        ("binary.csv", b"\xff\xfe\x00a,b\n", "binary.csv: is not UTF-8; expected a CSV that was saved in UTF-8"),
        ("bad.parquet", b"PAR1 nonsense", "bad.parquet: cannot be read: "),
        ("some.xlsx", b"PK", "some.xlsx: expected a file named .csv, .parquet, .jsonl or .json"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_line(
    emergence: Emergence, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = emergence("curves", "--table", name)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {message}")
    assert done.err.count("\n") == 1


def test_a_row_that_makes_no_sense_is_one_line_with_file_row_and_column(emergence: Emergence, tmp_path: Path) -> None:
    counted((50, 201)).to_csv(tmp_path / "t.csv", index=False)
    done = emergence("curves", "--table", "t.csv")
    assert (done.code, done.err) == (2, "error: t.csv: row 2, column k: is 201; expected at most n = 200\n")


def test_a_table_and_a_results_folder_are_not_mixed(emergence: Emergence, table: Path) -> None:
    done = emergence("curves", "--table", table, "--results", "mine")
    assert (done.code, done.err) == (2, f"error: --results mine and --table {table}: expected one of them\n")


def test_results_are_drawn_over_the_loss_their_models_have(emergence: Emergence, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    for size, loss in zip(SIZES, (3.0, 2.0, None), strict=False):
        store.write(result(cell(model=model(size, loss=loss))))
    rows = json.loads(emergence("curves", "--scale", "loss", "--json").out)
    assert [(row["model"], row["x"]) for row in rows if row["metric"] == "acc"] == [
        ("toy-1000", 3.0),
        ("toy-4000", 2.0),
    ]


def test_an_axis_without_any_model_is_said_so(emergence: Emergence, tmp_path: Path) -> None:
    Store(tmp_path / "results").write(result())
    done = emergence("curves", "--scale", "loss", "--json")
    assert (done.code, json.loads(done.out)) == (0, [])
    assert "no model has a known place on the axis of loss" in done.err


def test_samples_that_cannot_be_read_cost_only_the_documents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    for size in SIZES[:2]:
        store.write(result(cell(model=model(size))))
    whole = given_curves(tmp_path, None, items=True)
    assert [c.items is not None for c in whole] == [True, True]
    path = store.path(cell()) / SAMPLES
    path.write_bytes(b"half a PAR1")
    damaged = given_curves(tmp_path, None, items=True)
    assert damaged == whole
    assert [c.items for c in damaged] == [None, None]
    assert f"skipped {path}: cannot be read" in capsys.readouterr().err


def test_curves_that_are_asked_for_are_shown_and_drawn(emergence: Emergence, tmp_path: Path) -> None:
    both = pd.concat([counted(), counted(task="shapes")])
    both.to_csv(tmp_path / "t.csv", index=False)
    rows = json.loads(emergence("curves", "--table", "t.csv", "--task", "shapes", "--json").out)
    assert {row["task"] for row in rows} == {"shapes"}
    done = emergence("curves", "--table", "t.csv", "--figure", "drawn/curves.html")
    assert (done.code, done.err) == (0, "2 figures written to drawn/curves.html\n")
    page = (tmp_path / "drawn" / "curves.html").read_text(encoding="utf-8")
    assert [name in page for name in ("<h2>colours: acc</h2>", "<h2>shapes: acc</h2>")] == [True, True]


def test_several_tasks_are_panels_of_one_picture_for_a_paper(emergence: Emergence, tmp_path: Path) -> None:
    smooth = counted(metric="prob_correct", chance=0.25, continuous=True)
    pd.concat([counted(), smooth, counted(task="shapes")]).to_csv(tmp_path / "t.csv", index=False)
    options = ("--metric", "headline", "--verdicts", "--names", "--width", "3.3in", "--font", "7")
    done = emergence("curves", "--table", "t.csv", "--figure", "grid.svg", *options)
    assert done.code == 0
    assert "caption: Bars: 95 % interval" in done.err
    picture = (tmp_path / "grid.svg").read_text(encoding="utf-8")
    assert all(
        text in picture for text in ('width="3.3in"', ">colours<", ">shapes<", ">rises", "threshold, 95 % interval")
    )
    assert ">toy-1024000<" in picture
    done = emergence("curves", "--table", "t.csv", "--figure", "pairs.svg", "--pairs", "--width", "5.5in")
    assert done.code == 0
    assert ">prob_correct<" in (tmp_path / "pairs.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (("--width", "3.3in"), "--width is for pictures: expected --figure FILE.svg, .pdf or .png beside it"),
        (("--figure", "a.html", "--font", "8"), "--font is for pictures: expected --figure FILE.svg, .pdf or .png"),
        (("--figure", "a.svg", "--width", "wide"), "--width wide: expected a width such as 3.3in, 84mm or 600px"),
        (("--figure", "curves.jpg"), "curves.jpg: expected a file named .html, .png, .svg, .pdf"),
        (("--task", "shape"), "unknown task 'shape'; known: colours, shapes"),
    ],
)
def test_what_cannot_be_drawn_is_said(emergence: Emergence, tmp_path: Path, asked: tuple[str, ...], why: str) -> None:
    pd.concat([counted(), counted(task="shapes")]).to_csv(tmp_path / "t.csv", index=False)
    done = emergence("curves", "--table", "t.csv", *asked)
    assert (done.code, done.out) == (2, "")
    assert why in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
