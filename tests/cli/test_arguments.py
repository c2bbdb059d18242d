import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.catalog import load_catalog, select
from harness.runs import Recorder
from harness.store import Store
from tests.builders.commands import ROOT, Emergence

INLINE = ("--executor", "inline")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--shot 3", "--shot: no such option; did you mean --shots?"),
        ("--num_shots 3", "--num-shots: no such option; did you mean --num-fewshot"),
        ("--include-paths x", "--include-paths: no such option; did you mean --include-path?"),
        ("-t topic", "-t is short for --task in lm-eval; here it is --task alone"),
        ("-f 5", "-f is short for --num-fewshot in lm-eval; here it is --num-fewshot alone"),
        ("--limit 10%", "--limit 10%: expected a number of documents such as 100, or a share of them such as 0.1"),
        ("--limit 2.5", "--limit 2.5: expected a number of documents such as 100, or a share of them such as 0.1"),
        ("--deterministic please", "--deterministic please: expected the option alone, which says yes"),
    ],
)
def test_what_is_typed_wrong_is_answered_with_what_is_near(emergence: Emergence, typed: str, said: str) -> None:
    done = emergence("run", "--task", "topic", *typed.split())
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize(
    "typed",
    [
        "run --task topic --results a --results b",
        "plan --task topic --results=a --results a",
        "leaderboard -o a.csv --output b.csv",
        "curves --table a.csv --table b.csv",
    ],
)
def test_an_option_that_names_one_place_does_not_name_two(emergence: Emergence, typed: str) -> None:
    done = emergence(*typed.split())
    assert done.code == 2
    assert "is given 2 times; expected one" in done.err


def test_a_pattern_that_the_shell_replaced_is_recognised(emergence: Emergence, tmp_path: Path) -> None:
    for step in (1, 2):
        (tmp_path / f"checkpoint-{step}").mkdir()
    done = emergence("plan", "--task", "topic", "--model", "checkpoint-1", "checkpoint-2")
    assert done.code == 2
    assert "unexpected extra argument(s) (checkpoint-2): what a shell makes of a pattern; put it in quotes" in done.err


def test_a_word_after_a_flag_is_taken_where_a_verb_takes_words(emergence: Emergence) -> None:
    assert emergence("list", "--json", "suites").code == 0


def test_of_other_options_the_last_one_counts(emergence: Emergence) -> None:
    done = emergence("plan", "--task", "topic", "--limit", "5", "--limit", "1", "--json")
    assert {row["documents"] for row in json.loads(done.out)} == {1}


def test_lists_and_flags_may_be_repeated(emergence: Emergence) -> None:
    done = emergence("plan", "--task", "topic", "--task", "add_2", "--limit", "1", "--json", "--json")
    assert {row["task"] for row in json.loads(done.out)} == {"topic", "add_2"}


def test_the_name_of_the_leaderboard_file_tells_its_format(
    emergence: Emergence, options: tuple[str, ...], tmp_path: Path
) -> None:
    assert emergence("run", *options, *INLINE, "--model", "m10").code == 0
    for name in ("lb.json", "lb.csv", "lb.md"):
        assert emergence("leaderboard", "-o", name).code == 0
    rows = json.loads((tmp_path / "lb.json").read_text())
    assert len(rows) == len(list(csv.DictReader((tmp_path / "lb.csv").open())))
    assert (tmp_path / "lb.md").read_text().startswith("|")
    assert emergence("leaderboard", "-o", "lb.data", "--format", "csv").code == 0
    refused = emergence("leaderboard", "-o", "lb.xlsx")
    assert (refused.code, (tmp_path / "lb.xlsx").exists()) == (2, False)
    assert "lb.xlsx: expected a file named .csv, .json, .md, .txt, or a --format" in refused.err
    page = emergence("report", "-o", "rep.pdf")
    assert (page.code, (tmp_path / "rep.pdf").exists()) == (2, False)
    assert "rep.pdf: the report is a page; expected a file named .html" in page.err


def test_a_second_run_is_told_that_another_one_shares_its_cells(
    emergence: Emergence, options: tuple[str, ...], toy: Path, tmp_path: Path
) -> None:
    plan = select(load_catalog([toy]), suites=["toy"], families=["steps"], models=["m10"], engine="simulated")
    asked = ("run", *options, *INLINE)
    with Recorder(Store(tmp_path / "results"), plan=plan, command="emergence run"):
        shared = emergence(*asked)
    assert shared.code == 0
    assert "4 cells of these are in the plan of another run, which goes on: each takes what is free" in shared.err
    assert "in the plan of another run" not in emergence(*asked).err


@pytest.mark.processes
@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_stream_is_no_error(closed: int) -> None:
    command = f"{sys.executable} -m harness list engines {closed}>&-"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("simulated" in done.stdout) is (closed == 2)


@pytest.mark.processes
def test_a_small_locale_and_names_in_another_script_give_whole_json(toy: Path, tmp_path: Path) -> None:
    folder = toy.rename(tmp_path / "каталог")
    task = folder / "jumps.yaml"
    task.write_text(task.read_text() + "description: прыжок\n", encoding="utf-8")
    small = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "harness", "list", "tasks", "--json", "--include-path", "каталог"]
    done = subprocess.run(command, cwd=tmp_path, env=small, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert {row["description"] for row in json.loads(done.stdout) if row["name"] == "jumps"} == {"прыжок"}


def test_lists_stay_inside_the_terminal(emergence: Emergence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = emergence("list", "suites").out.splitlines()
    assert max(map(len, lines)) <= 100
    said = " ".join(" ".join(line[-33:].strip() for line in lines).split())
    assert "Sums written out digit by digit, with a control that should stay flat." in said


def test_verdicts_are_chosen_as_curves_are_and_judged_all_together(
    emergence: Emergence, options: tuple[str, ...]
) -> None:
    assert emergence("run", *options, *INLINE).code == 0
    every = json.loads(emergence("verdicts", "--json").out)
    chosen = json.loads(emergence("verdicts", "--task", "jumps", "--family", "steps", "--shots", "0", "--json").out)
    assert chosen == [row for row in every if (row["task"], row["shots"]) == ("jumps", 0)]
    assert len(every) == 4
    refused = emergence("verdicts", "--task", "jump")
    assert (refused.code, refused.err) == (2, "error: unknown task 'jump'; known: jumps, stays\n")
