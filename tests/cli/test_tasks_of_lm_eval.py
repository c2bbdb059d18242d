"""Tasks of lm-eval on the command line: listed, planned, checked and run by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.catalog import load_catalog
from tests.builders.commands import Emergence
from tests.builders.lm_eval_files import write_lm_eval_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_lm_eval_folder(tmp_path / "theirs")


def test_tasks_are_found_by_a_word_of_their_name(emergence: Emergence) -> None:
    done = emergence("list", "tasks", "--match", "ai2_arc")
    assert done.code == 0
    assert [line.split()[:3] for line in done.out.splitlines()[3:]] == [["ai2_arc", "tag", "2"]]


def test_a_list_for_programs_has_ours_and_theirs(emergence: Emergence) -> None:
    rows = json.loads(emergence("list", "tasks", "--match", "arithmetic_2d*", "--json").out)
    assert {"name": "arithmetic_2da", "is": "task", "asks": "loglikelihood", "tasks": None} in rows
    assert json.loads(emergence("list", "tasks", "--match", "add_2", "--json").out)[0]["name"] == "add_2"


def test_the_list_says_how_many_more_there_are(emergence: Emergence) -> None:
    assert "tasks of lm-eval: emergence list tasks --match WORD" in emergence("list", "tasks").out


def test_a_word_that_nothing_has_is_told_with_near_names(emergence: Emergence) -> None:
    done = emergence("list", "tasks", "--match", "hellaswga")
    assert done.code == 2
    assert "unknown task 'hellaswga'; did you mean hellaswag" in done.err


def test_tasks_groups_and_tags_of_the_installed_lm_eval_are_planned(emergence: Emergence) -> None:
    done = emergence("plan", "--tasks", "hellaswag,ai2_arc,lm_eval:mmlu_stem", "--model", "ladder-12k", "--json")
    assert done.code == 0, done.err
    tasks = [row["task"] for row in json.loads(done.out)]
    assert tasks[:3] == ["hellaswag", "arc_challenge", "arc_easy"]
    assert len(tasks) == 22
    assert tasks[3] == "mmlu_abstract_algebra"


def test_a_mistyped_task_is_answered_with_near_names(emergence: Emergence) -> None:
    done = emergence("plan", "--tasks", "helaswag")
    assert (done.code, done.out) == (2, "")
    assert "unknown task 'helaswag'; did you mean hellaswag" in done.err


def test_check_reads_every_file_of_a_folder(emergence: Emergence, folder: Path) -> None:
    done = emergence("check", folder, "--allow-code")
    assert done.code == 0, done.err
    assert "all right" in done.err
    (folder / "wrong.yaml").write_text("include: text.yaml\ntask: wrong\ndoc_to_text: '{{q}}'\n")
    done = emergence("check", folder)
    assert done.code == 2
    assert f"{folder}/functions.yaml: process_docs runs Python code" in done.err
    (folder / "functions.yaml").unlink()
    assert f"{folder}/wrong.yaml: doc_to_text asks for 'q'" in emergence("check", folder).err


def test_a_group_is_run_by_its_name(emergence: Emergence, folder: Path, tmp_path: Path) -> None:
    options = ["--tasks", "their_group", "--include_path", folder, "--engine", "simulated", "--executor", "inline"]
    done = emergence("run", *options, "--family", "embedded", "--results", tmp_path / "results")
    assert done.code == 0, done.err
    assert f"{3 * len(load_catalog().family('embedded').models)} cells evaluated, 0 failed" in done.err


def test_what_was_taken_for_granted_is_said(emergence: Emergence, folder: Path) -> None:
    done = emergence(
        *("plan", "--include-path", folder, "--allow-code", "--model", "ladder-12k"),
        *("--tasks", "their_text,their_choice,their_functions"),
    )
    assert "chance level 0 is taken for their_text, their_functions: nothing tells another" in done.err
    assert "the best score is not known for their_functions, so that there is no verdict" in done.err
    assert "their_choice" not in done.err
