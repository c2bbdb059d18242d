"""Templates without end, and copies among examples: `check`, `plan` and `run` say them before a model is loaded."""

from __future__ import annotations

import json
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders.commands import Emergence

pytestmark = pytest.mark.processes

HANGS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
FILLS = "{{ 'x' | center(10 ** 9) }}"
EXPRESSION = "{{ ('a' * 40) | regex_replace('(a+)+b', '') }}"
CHOSEN = {
    "metrics": [{"name": "acc", "chance": 0.5}, {"name": "prob_correct", "chance": 0.5, "continuous": True}],
    "config": {
        "output_type": "multiple_choice",
        "doc_to_text": "Q: {{q}}",
        "doc_to_choice": ["x", "y"],
        "doc_to_target": "{{a}}",
    },
}
DOCUMENTS = [{"q": f"q{i}", "a": i % 2} for i in range(6)]


def only(template: str, document: str) -> str:
    """The template, used for one document alone."""
    return "{% if q == '" + document + "' %}" + template + "{% endif %}"


def own(folder: Path, examples: Sequence[Mapping[str, Any]] = (), **config: Any) -> Path:
    """A task of six documents."""
    files = {"test": "test.jsonl"}
    (folder / "test.jsonl").write_text("".join(json.dumps(one) + "\n" for one in DOCUMENTS))
    if examples:
        (folder / "few.jsonl").write_text("".join(json.dumps(one) + "\n" for one in examples))
        files["few"], config["fewshot_split"] = "few.jsonl", "few"
    data = {"dataset_kwargs": {"data_files": files}, "test_split": "test"}
    path = folder / "own.yaml"
    prompts = config.pop("prompts", {})
    whole = {"task": "own", "kind": "qa", **CHOSEN, "prompts": prompts}
    whole["config"] = {**data, **CHOSEN["config"], **config}  # type: ignore[dict-item]
    path.write_text(yaml.safe_dump(whole))
    return path


@pytest.mark.parametrize(
    ("config", "where", "why"),
    [
        (
            {"doc_to_text": "{{q}}" + only(HANGS, "q3")},
            "config.doc_to_text: document 3 of test",
            "takes more than 0.2 s",
        ),
        ({"doc_to_text": only(FILLS, "q3")}, "config.doc_to_text: document 3 of test", "needs more than 100,000,000"),
        ({"doc_to_text": only(EXPRESSION, "q3")}, "config.doc_to_text: document 3 of test", "takes more than 0.2 s"),
        ({"doc_to_target": "{{a}}" + only(HANGS, "q5")}, "config.doc_to_target: document 5 of test", "takes more than"),
        ({"doc_to_choice": "['x', 'y']" + only(HANGS, "q0")}, "config.doc_to_choice: document 0 of test", "takes more"),
        ({"description": only(HANGS, "q1")}, "config.description: document 1 of test", "takes more than 0.2 s"),
        ({"gen_prefix": only(FILLS, "q1")}, "config.gen_prefix: document 1 of test", "needs more than"),
        ({"doc_to_text": HANGS}, "config.doc_to_text: document 0 of test", "takes more than 0.2 s"),
        (
            {"prompts": {"other": {"doc_to_text": "{{q}}" + only(HANGS, "q2")}}},
            "prompts.other.doc_to_text: document 2 of test",
            "takes more than 0.2 s",
        ),
        (
            {"examples": [{"q": "e0", "a": 0}], "fewshot_config": {"doc_to_text": HANGS}},
            "config.fewshot_config.doc_to_text: document 0 of few",
            "takes more than 0.2 s",
        ),
        (
            {"examples": [{"q": "e0", "a": 0}, {"q": "e1", "a": 0}], "doc_to_target": "{{a}}" + only(HANGS, "e1")},
            "config.doc_to_target: document 1 of few",
            "takes more than 0.2 s",
        ),
    ],
)
def test_a_template_without_end_is_named_with_file_key_and_document(
    tmp_path: Path,
    emergence: Emergence,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, Any],
    where: str,
    why: str,
) -> None:
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.2")
    path = own(tmp_path, **config)
    done = emergence("check", str(path))
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert line.startswith(f"error: {path}: {where}: template {why}")


def test_plan_and_run_say_it_too_and_leave_nothing(
    tmp_path: Path, emergence: Emergence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.2")
    path = own(tmp_path, doc_to_text="{{q}}" + only(HANGS, "q3"))
    asked = ("--task", "own", "--include_path", str(path), "--engine", "simulated", "--results", str(tmp_path / "r"))
    for verb in (("plan",), ("run", "--executor", "inline")):
        done = emergence(*verb, *asked)
        assert done.code == 2
        assert "config.doc_to_text: document 3 of test: template takes more than 0.2 s" in done.err
        assert not (tmp_path / "r").exists()
    assert emergence("plan", *asked, "--limit", "3").code == 0


def test_documents_that_all_take_long_are_not_tried_one_by_one(
    tmp_path: Path, emergence: Emergence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.2")
    prompts = {f"p{i}": {"doc_to_text": HANGS + str(i)} for i in range(30)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert emergence("check", str(own(tmp_path, doc_to_target=HANGS, prompts=prompts))).code == 2
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 3  # 30 templates for six documents would take ten times as long


def test_a_template_that_fails_for_one_document_is_named_before_a_run(tmp_path: Path, emergence: Emergence) -> None:
    path = own(tmp_path, doc_to_text="{{ q[a - 1:].upper() }}{{ 1 // (a - 1) if q == 'q3' }}", description="{{ q.x }}")
    done = emergence("check", str(path))
    assert done.code == 2
    assert f"{path}: config.doc_to_text: document 3 of test: template fails: integer division" in done.err
    assert f"{path}: config.description: document 0 of test and 5 more: template fails: 'str object' has no" in done.err


def test_prompts_without_number_are_refused_before_any_is_tried(tmp_path: Path, emergence: Emergence) -> None:
    path = own(tmp_path, prompts={f"p{i}": {} for i in range(5000)})
    done = emergence("check", str(path))
    assert done.code == 2
    assert f"error: {path}: prompts has 5,001 prompts; expected at most 100 (" in done.err


COPIES = [{"q": "q4", "a": 0}, {"q": "e1", "a": 1}, {"q": " Q4", "a": 0, "id": 7}, {"q": "e3", "a": 1}]
"""Four examples, of which two give document 4 away."""


def test_copies_among_the_examples_are_counted_and_are_no_shots(tmp_path: Path, emergence: Emergence) -> None:
    path = own(tmp_path, examples=COPIES)
    checked = emergence("check", str(path))
    assert checked.code == 0
    said = f"{path}: document 4 of test: stands among the examples too (example 0), which is not shown to it"
    assert f"warning: {said}" in checked.err
    asked = ("--task", "own", "--include_path", str(path), "--engine", "simulated", "--results", str(tmp_path / "r"))
    for verb in (("plan",), ("run", "--executor", "inline", "--limit", "5")):
        done = emergence(*verb, *asked, "--shots", "2")
        assert done.code == 0, done.err
        assert said in done.err
        few = emergence(*verb, *asked, "--shots", "0,3")
        assert few.code == 2
        assert f"{path}: 3 shots are asked for; document 4 stands 2 times among the 4 examples" in few.err
        assert "so that 2 can be shown to it" in few.err
    assert emergence("plan", *asked, "--shots", "3", "--limit", "4").code == 0  # document 4 is not asked
    assert "stands among" not in emergence("plan", *asked, "--shots", "0").err


def test_copies_within_the_split_that_gives_its_own_examples_are_no_shots(tmp_path: Path, emergence: Emergence) -> None:
    path = own(tmp_path)
    lines = (tmp_path / "test.jsonl").read_text()
    (tmp_path / "test.jsonl").write_text(lines + json.dumps({"q": "Q1", "a": 1}) + "\n")
    asked = ("--task", "own", "--include_path", str(path), "--engine", "simulated")
    assert emergence("plan", *asked, "--shots", "5").code == 0
    done = emergence("plan", *asked, "--shots", "6")
    assert done.code == 2
    assert "6 shots are asked for; document 1 stands 1 time among the 6 examples, so that 5 can be" in done.err
    assert "--shots 7: task own has 6 demonstrations to give" in emergence("plan", *asked, "--shots", "7").err


def test_a_document_among_its_own_examples_is_counted(tmp_path: Path, emergence: Emergence) -> None:
    path = own(tmp_path)
    path.write_text(path.read_text() + "demonstrations: document\n")
    others = [{"q": "e0", "a": 0}, {"q": "e1", "a": 1}]
    rows = [{**one, "examples": others} for one in DOCUMENTS]
    rows[4] |= {"examples": [*others, {"q": "q4 ", "a": 0}, {"q": "e2", "a": 1}]}
    rows[5] |= {"examples": [{"q": "Q5", "a": 1}, others[0]]}
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    asked = ("plan", "--task", "own", "--include_path", str(path), "--engine", "simulated")
    done = emergence(*asked, "--shots", "1")
    assert done.code == 0
    said = "document 4 of test and 1 more: stands among its own examples (example 2), which is not shown to it"
    assert said in done.err
    few = emergence(*asked, "--shots", "2")
    assert few.code == 2
    assert "2 shots are asked for; document 5 stands 1 time among its 2 examples, so that 1 can be shown" in few.err
    assert emergence(*asked, "--shots", "2", "--limit", "5").code == 0


def test_a_suite_that_shows_more_than_copies_leave_is_refused(tmp_path: Path, emergence: Emergence) -> None:
    own(tmp_path, examples=COPIES)
    suite = {"suite": "mine", "tasks": ["own"], "shots": [0, 3]}
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite))
    done = emergence("check", str(tmp_path))
    assert done.code == 2
    assert "own.yaml: 3 shots are asked for; document 4 stands 2 times among the 4 examples" in done.err


def test_a_label_with_two_readings_is_said_before_a_run(tmp_path: Path, emergence: Emergence) -> None:
    """lm-eval takes digits for a number in silence (lm-eval PR#1447)."""
    path = own(tmp_path, doc_to_choice=["1", "2"], doc_to_target="{{ a }}")
    asked = ("--task", "own", "--include_path", str(path), "--engine", "simulated", "--results", str(tmp_path / "r"))
    said = (
        f"{path}: config.doc_to_target: document 1 of test and 2 more: the right answer '1' is taken for option "
        "number 1, '2' (the first is number 0), and could be the option '1'"
    )
    assert f"warning: {said}" in emergence("check", str(path)).err
    assert said in emergence("plan", *asked).err
    assert said in emergence("run", "--executor", "inline", *asked).err
