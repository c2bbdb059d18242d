"""`--docs`: some documents by their numbers, never mixed with the whole cell; and failures that tell how to repeat."""

from __future__ import annotations

import csv
import io
import itertools
import json
import shlex
from pathlib import Path

import pytest
import yaml

from harness.records import CellFailure
from harness.store import Store
from tests.builders.commands import Emergence

INLINE = ("--executor", "inline")
SMALL = ("--model", "ladder-12k", *INLINE)


def test_chosen_documents_get_the_answers_of_the_whole_cell_and_stay_apart_from_it(emergence: Emergence) -> None:
    asked = ("--task", "topic", "--shots", "2", "--seeds", "1", *SMALL)
    assert emergence("run", *asked, "--docs", "7,3-4").code == 0
    assert emergence("run", *asked, "--limit", "9").code == 0
    store = Store(Path("results"))
    trial, whole = sorted(store.results(), key=lambda each: each.n_expected)
    assert (trial.cell.docs, trial.n_expected, whole.cell.docs) == ("3-4,7", 3, None)
    said = {sample.doc_id: sample for sample in store.samples(whole.cell)}
    assert [sample.doc_id for sample in store.samples(trial.cell)] == [3, 4, 7]
    for sample in store.samples(trial.cell):
        assert (sample.prompt_hash, sample.output) == (said[sample.doc_id].prompt_hash, said[sample.doc_id].output)
        assert sample.scores == pytest.approx(said[sample.doc_id].scores, rel=1e-4)
    again = emergence("run", *asked, "--docs", "3,4,7")
    assert "1 of 1 cells are done already" in again.err
    rows = list(csv.DictReader(io.StringIO(emergence("leaderboard").out)))
    assert {(row["docs"], row["limit"], row["n"]) for row in rows} == {("3-4,7", "", "3"), ("", "9", "9")}


def test_a_trial_is_neither_averaged_nor_part_of_a_curve(
    emergence: Emergence, options: tuple[str, ...], toy: Path
) -> None:
    emergence("run", *options, *INLINE, "--task", "jumps", "--shots", "0")
    emergence("run", *options, *INLINE, "--task", "jumps", "--shots", "0", "--docs", "1-3", "--model", "m10")
    wide = list(csv.DictReader(io.StringIO(emergence("leaderboard", "--profile", "wide").out)))
    small = next(row for row in wide if row["model"] == "m10")
    assert any("documents 1-3" in name for name in small)
    curves = json.loads(emergence("curves", "--json").out)
    assert {point["n"] for point in curves if point["metric"] == "acc" and point["model"] != "m10"} == {40}
    of_trial = [point for point in curves if "1-3" in json.dumps(point)]
    assert {point["model"] for point in of_trial} == {"m10"}
    assert {point["n"] for point in of_trial} == {3}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--docs", "40"), "--docs 40: task jumps has 40 documents, the first is 0"),
        (("--docs", "first"), "--docs 'first': expected numbers of documents such as 17,19-25, the first being 0"),
        (("--docs", "1", "--limit", "3"), "--docs and --limit: expected one of them"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_documents_that_cannot_be_chosen_are_refused(
    emergence: Emergence, options: tuple[str, ...], verb: str, more: tuple[str, ...], message: str
) -> None:
    done = emergence(verb, *options, "--task", "jumps", *more)
    assert (done.code, done.err.strip()) == (2, f"error: {message}")
    assert not Path("results").exists()


def test_a_plan_counts_the_chosen_documents(emergence: Emergence, options: tuple[str, ...]) -> None:
    done = emergence("plan", *options, "--task", "jumps", "--shots", "0", "--docs", "3", "--docs", "5-8", "--json")
    assert {row["documents"] for row in json.loads(done.out)} == {5}


def broken_task(folder: Path, **config: object) -> Path:
    """A task of three documents, the second of which cannot be scored."""
    rows = [{"q": "is it?", "o": ["yes", "no"], "a": 0}, {"q": "or not?", "o": ["yes", ""], "a": 0}]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (*rows, rows[0] | {"q": "what?"})))
    whole = {
        "output_type": "multiple_choice",
        "dataset_path": "t.jsonl",
        "doc_to_text": "{{q}}",
        "doc_to_choice": "o",
        "doc_to_target": "a",
        "target_delimiter": "",
        **config,
    }
    metrics = [{"name": "acc", "chance": 0.5}, {"name": "prob_correct", "chance": 0.5, "continuous": True}]
    path = folder / "broken.yaml"
    path.write_text(
        yaml.safe_dump({"task": "broken", "kind": "qa", "metrics": metrics, "config": whole, "prompts": {"to-you": {}}})
    )
    return path


@pytest.mark.parametrize("engine", ["tree", "lm-eval"])
def test_a_failure_says_on_which_document_and_option_and_how_to_repeat_it_alone(
    emergence: Emergence, tmp_path: Path, engine: str
) -> None:
    path = broken_task(tmp_path)
    more = ("--include-path", path, "--engine", engine, "--device", "cpu", "--results", "my results")
    done = emergence("run", "--task", "broken", "--shots", "0", "--prompts", "to-you", *SMALL, *more)
    assert done.code == 1
    (failure,) = Store(Path("my results")).failures()
    assert (failure.doc_id, failure.option) == (1, 1)
    assert "document 1: an answer is empty" in failure.message
    words = shlex.split(failure.repeat)
    for pair in (("--docs", "1"), ("--prompts", "to-you"), ("--results", "my results"), ("--device", "cpu")):
        assert pair in itertools.pairwise(words)
    for verb in ("status", "logs"):
        shown = emergence(verb, "--results", "my results").out
        assert f"  alone (document 1, option 1): {failure.repeat}\n" in shown
    (row,) = json.loads(emergence("status", "--json", "--results", "my results").out)["failed"]
    assert (row["doc_id"], row["option"], row["repeat"]) == (1, 1, failure.repeat)
    alone = emergence(*words[1:])
    assert alone.code == 1
    trial = next(each for each in Store(Path("my results")).failures() if each.cell.docs == "1")
    assert (trial.doc_id, trial.message) == (1, failure.message)
    assert emergence(*["0" if word == "1" else word for word in words[1:]]).code == 0


def test_a_prompt_that_does_not_fit_names_its_document(emergence: Emergence, tmp_path: Path) -> None:
    path = broken_task(tmp_path, doc_to_text="{{ 'x ' * 3000 if a == 0 and q[0] == 'w' else q }}", target_delimiter=" ")
    emergence("run", "--task", "broken", "--shots", "0", *SMALL, "--include-path", path)
    (failure,) = Store(Path("results")).failures()
    assert (failure.doc_id, failure.option) == (2, None)
    assert "1 of 3 prompts do not fit" in failure.message


def test_a_failure_without_a_document_repeats_its_cell(
    emergence: Emergence, options: tuple[str, ...], toy: Path
) -> None:
    jumps = toy / "jumps.yaml"
    task = yaml.safe_load(jumps.read_text())
    jumps.write_text(yaml.safe_dump({**task, "config": {**task["config"], "simulate": {"fail": True}}}))
    emergence(
        "run", *options, *INLINE, "--task", "jumps", "--shots", "2", "--seeds", "2", "--limit", "9", "--model", "m10"
    )
    failures: dict[int, CellFailure] = {each.cell.seed: each for each in Store(Path("results")).failures()}
    assert {each.doc_id for each in failures.values()} == {None}
    words = shlex.split(failures[1].repeat)
    for pair in (("--limit", "9"), ("--seeds", "2"), ("--family", "steps"), ("--engine", "simulated")):
        assert pair in itertools.pairwise(words)
    assert "--docs" not in words
    assert emergence(*words[1:]).code == 1
