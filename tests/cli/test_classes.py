import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.store import Store
from tests.builders.classes import chosen, found
from tests.builders.commands import Emergence

RIGHT = ["glad", "sad"] * 20
SIZES = (1_000, 10_000, 100_000)


@pytest.fixture(autouse=True)
def _results(tmp_path: Path) -> None:
    """Labels that are known from the second size on, and entities."""
    store = Store(tmp_path / "results")
    for params in SIZES:
        store.write(chosen(RIGHT, RIGHT if params > 1_000 else ["glad"] * 40, params=params))
        store.write(found(["Tom met Bo ."] * 8, ["Tom PER ; Bo LOC"] * 8, ["Tom PER ; Bo PER"] * 8, params=params))


def test_people_see_f1_of_each_class_over_the_sizes_and_where_it_begins(emergence: Emergence) -> None:
    done = emergence("classes", "--task", "mood")
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0][:3] == ["toy", "mood,", "0-shot:"]
    assert lines[4] == ["glad", "20", "0.667", "1.000", "1.000", "10k"]
    assert lines[5] == ["sad", "20", "0.000", "1.000", "1.000", "10k"]


def test_the_report_of_one_model_has_the_confusion_matrix(emergence: Emergence) -> None:
    shown = emergence("classes", "--task", "mood", "--model", "toy-1000").out
    lines = [line.split() for line in shown.splitlines()]
    assert ["glad", "0.500", "1.000", "0.667", "20", "40"] in lines
    assert ["accuracy", "0.500", "40"] in lines
    assert ["sad", "20", "0", "0"] in lines  # all taken for glad, none without a class
    assert "weighted avg" in shown


def test_json_has_reports_and_where_classes_begin(emergence: Emergence) -> None:
    said = emergence("classes", "--json")
    data = json.loads(said.out)
    assert said.err == ""
    assert {(one["task"], one["model"]) for one in data["reports"]} == {
        (task, f"toy-{params}") for task in ("mood", "names") for params in SIZES
    }
    begins = {(one["task"], one["scheme"], one["class"]): one["there_from"] for one in data["classes"]}
    assert begins["mood", "label", "sad"] == 10_000
    assert begins["names", "strict", "LOC"] is None
    report = next(one for one in data["reports"] if one["task"] == "mood")
    assert report["confusion"]["answered"] == ["glad", "sad", None]
    assert report["confusion"]["documents"] == [[20, 0, 0], [20, 0, 0]]


def test_csv_has_a_row_per_class_and_average(emergence: Emergence) -> None:
    rows = _rows(emergence("classes", "--task", "names", "--format", "csv").out)
    assert len(rows) == 3 * 2 * (2 + 3)
    person = next(row for row in rows if row["scheme"] == "strict" and row["class"] == "PER")
    assert (person["precision"], person["recall"], person["support"], person["predicted"]) == ("0.5", "1.0", "8", "16")
    pairs = _rows(emergence("classes", "--task", "mood", "--format", "csv", "--confusion").out)
    assert sum(int(row["documents"]) for row in pairs) == 3 * 40
    assert len(pairs) == 3 * 2 * 3


@pytest.mark.parametrize("options", [(), ("--model", "toy-1000")])
def test_figures_are_curves_or_the_matrix_of_a_model(emergence: Emergence, options: tuple[str, ...]) -> None:
    done = emergence("classes", "--task", "mood", *options, "--figure", "classes.svg")
    assert (done.code, done.err) == (0, "1 figure written to classes.svg\n")
    assert "<svg" in Path("classes.svg").read_text()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--task moods", "unknown task 'moods'; known: mood, names"),
        ("--model toy-7", "unknown model 'toy-7'"),
        ("--shots 5", "unknown shot count '5'; known: 0"),
        ("--confusion", "--confusion is for --format csv"),
    ],
)
def test_what_is_not_there_is_one_line(emergence: Emergence, typed: str, said: str) -> None:
    done = emergence("classes", *typed.split())
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err


def test_results_without_answers_say_so(emergence: Emergence, tmp_path: Path) -> None:
    Store(tmp_path / "others").write(replace(chosen(RIGHT, RIGHT), samples=()))
    done = emergence("classes", "--results", "others")
    assert (done.code, done.out) == (2, "")
    assert "mood has no classes: the answers to its documents are not there\n" in done.err
    assert "error: no cell has answers with classes: labels, entities or relations\n" in done.err


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))
