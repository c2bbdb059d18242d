"""`emergence tasks NAME`: what a task asks, from results and from its file."""

import json
from pathlib import Path

from harness.store import Store
from tests.builders import cell, result, task
from tests.builders.commands import Emergence


def test_a_task_is_shown_before_anything_has_run(emergence: Emergence) -> None:
    done = emergence("tasks", "sentiment")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "sentiment (classification, suite classification)"
    assert "  Chance: 0.5: a guess among 2 options." in lines
    assert "    options: positive / negative" in lines
    assert lines[-1] == "    right answer: positive"


def test_a_task_of_results_whose_file_is_gone_is_shown_with_what_they_keep(
    emergence: Emergence, tmp_path: Path
) -> None:
    Store(tmp_path).write(result(cell(of=task("gone"), shots=2)))
    done = emergence("tasks", "gone", "--results", tmp_path)
    assert "  Chance: 0.25, as stored with the results; who set it is not recorded." in done.out.splitlines()
    assert "Not known: What it asks in words" in done.out
    assert "  Example, after 2 solved examples:" in done.out.splitlines()
    (card,) = json.loads(emergence("tasks", "gone", "--results", tmp_path, "--json").out)
    assert (card["task"], card["shots"], card["example"]["answers"]) == ("gone", [2], ["red"])


def test_an_unknown_task_is_refused_with_the_known_ones(emergence: Emergence) -> None:
    done = emergence("tasks", "sentimnt")
    assert done.code == 2
    assert "unknown task 'sentimnt'" in done.err
    assert "sentiment" in done.err


def test_verdicts_begin_with_the_answer_in_a_sentence(emergence: Emergence, tmp_path: Path) -> None:
    from tests.builders.tables import counted

    counted().to_csv(tmp_path / "t.csv", index=False)
    done = emergence("verdicts", "--table", "t.csv")
    assert done.err.startswith("toy: Of 1 ability 1 rises.")
    assert done.out.splitlines()[0].split()[0] == "task"
