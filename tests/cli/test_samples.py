import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.builders.commands import Emergence

INLINE = ("--executor", "inline")
ASKED = ("samples", "--task", "jumps", "--shots", "0")


@pytest.fixture
def done(emergence: Emergence, options: tuple[str, ...]) -> None:
    """A results folder with the toy suite: `jumps` is answered from a thousand parameters on."""
    assert emergence("run", *options, *INLINE, "--limit", "5").code == 0


@pytest.mark.usefixtures("done")
def test_documents_of_a_cell_come_as_json_lines(emergence: Emergence, tmp_path: Path) -> None:
    asked = (*ASKED, "--model", "m10")
    rows = [json.loads(line) for line in emergence(*asked, "--jsonl").out.splitlines()]
    assert rows == json.loads(emergence(*asked, "--json").out)
    assert [(row["model"], row["doc_id"], row["target"]) for row in rows] == [("m10", i, "right") for i in range(5)]
    assert set(rows[0]["scores"]) == {"acc", "prob_correct"}
    assert emergence(*asked, "-o", "out.jsonl").err == "5 documents written to out.jsonl\n"
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == rows


@pytest.mark.usefixtures("done")
def test_wrong_and_right_answers_are_told_by_the_headline(emergence: Emergence) -> None:
    every = json.loads(emergence(*ASKED, "--json").out)
    wrong = json.loads(emergence(*ASKED, "--wrong", "--json").out)
    right = json.loads(emergence(*ASKED, "--right", "--json").out)
    assert {row["scores"]["acc"] for row in wrong} == {0.0}
    assert {row["scores"]["acc"] for row in right} == {1.0}
    assert len(wrong) + len(right) == len(every) == 20


@pytest.mark.usefixtures("done")
def test_documents_that_flip_show_every_size(emergence: Emergence) -> None:
    (first, *_) = json.loads(emergence(*ASKED, "--flips", "--json").out)
    assert list(first["right"]) == ["m10", "m100", "m1000", "m10000"]
    answers = list(first["right"].values())
    assert first["changes"] == sum(a != b for a, b in pairwise(answers))
    shown = emergence(*ASKED, "--flips").out
    assert shown.splitlines()[0] == "steps jumps 0-shot default seed 0"
    assert first["doc_hash"] in shown


@pytest.mark.usefixtures("done")
def test_people_see_twenty_documents_and_where_there_are_more(emergence: Emergence) -> None:
    shown = emergence("samples")
    assert shown.out.count("  target: right\n") == 20
    assert shown.err == "the first 20 are shown; --limit N shows more, -o FILE.jsonl writes all\n"
    assert emergence("samples", "--limit", "1", "--model", "m10").out.splitlines()[0] == (
        "m10 jumps 0-shot default seed 0"
    )


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--task jump", "unknown task 'jump'; known: jumps, stays"),
        ("--model m11", "unknown model 'm11'; known: m10, m100, m1000, m10000"),
        ("--shots 7", "unknown shots '7'; known: 0, 2"),
        ("--wrong --right", "--wrong and --right: expected one of them"),
        ("--flips --wrong", "--flips asks about all answers"),
    ],
)
def test_what_is_not_there_is_said(emergence: Emergence, typed: str, said: str) -> None:
    refused = emergence("samples", *typed.split())
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out"])
def test_a_file_whose_name_says_something_else_than_json_is_refused(emergence: Emergence, name: str) -> None:
    refused = emergence("samples", "-o", name)
    assert (refused.code, refused.out) == (2, "")
    assert f"{name}: documents are written as JSON; expected a file named .jsonl, .ndjson, .json" in refused.err
    assert not Path(name).exists()


@pytest.mark.usefixtures("done")
def test_a_file_named_json_holds_a_list(emergence: Emergence) -> None:
    assert emergence(*ASKED, "--model", "m10", "-o", "out.json").code == 0
    assert len(json.loads(Path("out.json").read_text())) == 5
