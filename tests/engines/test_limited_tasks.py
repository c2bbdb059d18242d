"""A cell whose task holds a template or a regular expression without end fails in one sentence, and soon."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import load_catalog
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.errors import DocumentError
from harness.specs import TaskSpec
from tests.builders import cell
from tests.builders.commands import Emergence, write_toy
from tests.builders.scripted import Saying, local_task, prompts, said, scores

pytestmark = pytest.mark.processes

ENDLESS = "{% if q == 'T2?' %}{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{% endif %}"
GREEDY = "(a+)+$"


@pytest.fixture(autouse=True)
def _tight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.2")


def task(folder: Path, **config: Any) -> TaskSpec:
    """Four documents, of which number 2 makes the template `ENDLESS` run without end, and three examples."""
    documents = [{"q": f"T{i}?", "a": f"t{i}", "o": ["t0", "t1", "t2", "t3"]} for i in range(4)]
    examples = [{"q": f"E{i}?", "a": f"e{i}", "o": ["e0", "e1", "e2"]} for i in range(3)]
    usual = {"output_type": "generate_until", "fewshot_split": "train"}
    return local_task(folder, {"test": documents, "train": examples}, **{**usual, **config})


OPTIONS = {"output_type": "multiple_choice", "doc_to_choice": "{{ o }}", "doc_to_target": "{{ a }}"}


@pytest.mark.parametrize(
    ("config", "shots", "key"),
    [
        ({"doc_to_text": ENDLESS + "{{ q }}"}, 0, "doc_to_text"),
        ({"doc_to_target": "{{ a }}" + ENDLESS}, 0, "doc_to_target"),
        ({**OPTIONS, "doc_to_choice": ENDLESS + "{{ o }}"}, 0, "doc_to_choice"),
        ({**OPTIONS, "doc_to_text": "{{ 0 }}" + ENDLESS}, 0, "doc_to_text"),
        ({"description": "Answer." + ENDLESS}, 1, "description"),
        ({"gen_prefix": "So:" + ENDLESS}, 0, "gen_prefix"),
    ],
)
def test_a_template_without_end_names_the_document_and_its_key(
    tmp_path: Path, config: dict[str, Any], shots: int, key: str
) -> None:
    with pytest.raises(DocumentError, match=r"task outside: document 2: template takes more than 0\.2 s") as raised:
        prompts(replace(task(tmp_path, **config), file="x.yaml"), shots=shots)
    assert str(raised.value).endswith(f"({key} of x.yaml)")
    assert raised.value.doc_id == 2


@pytest.mark.parametrize(
    "config",
    [
        {"doc_to_target": "{{ a }}" + ENDLESS.replace("T2", "E1")},
        {"fewshot_config": {"doc_to_text": ENDLESS.replace("T2", "E1") + "{{ q }}", "doc_to_target": "{{ a }}"}},
        {"fewshot_config": {"gen_prefix": "So:" + ENDLESS.replace("T2", "E1")}},
    ],
    ids=["target", "own question", "own prefix"],
)
def test_a_template_without_end_in_an_example_is_told_as_the_example(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match=r"takes more than 0\.2 s") as raised:
        prompts(task(tmp_path, **config), shots=3)
    assert "document 0: " in str(raised.value)
    assert "gen_prefix" in str(raised.value) or "example 1: " in str(raised.value)


@pytest.mark.parametrize(
    ("config", "where"),
    [
        (
            {"filter_list": [{"name": "strict", "filter": [{"function": "regex", "regex_pattern": GREEDY}]}]},
            r"document 0: filter takes more than 0\.2 s.*\(filter_list: strict\)",
        ),
        (
            {
                "metric_list": [
                    {
                        "metric": "exact_match",
                        "regexes_to_ignore": [GREEDY],
                        "aggregation": "mean",
                        "higher_is_better": True,
                    }
                ]
            },
            r"document 0: regexes_to_ignore takes more than 0\.2 s.*: '\(a\+\)\+\$' \(metric_list: exact_match\)",
        ),
    ],
    ids=["filter", "metric"],
)
def test_an_expression_without_end_names_the_document_and_where_it_stands(
    tmp_path: Path, config: dict[str, Any], where: str
) -> None:
    with pytest.raises(DocumentError, match=f"task outside: {where}"):
        said(task(tmp_path, **config), Saying("a" * 40 + "b"))


def test_texts_that_would_fill_the_memory_together_are_refused(tmp_path: Path) -> None:
    documents = [{"q": f"T{i}?", "a": "a"} for i in range(30)]
    long = local_task(tmp_path, {"test": documents}, output_type="generate_until", doc_to_text="{{ 'y' * 1900000 }}")
    with pytest.raises(DocumentError, match=r"document 20: templates give more than 40,000,000 characters"):
        prompts(long)
    examples = [{"q": "y" * 1_900_000, "a": "a"}]
    shown = {"output_type": "generate_until", "fewshot_split": "train", "doc_to_text": "q"}
    few = local_task(tmp_path, {"test": documents, "train": examples}, **shown)
    with pytest.raises(DocumentError, match=r"document 21: the prompts up to this one have 41,\d+,\d+ characters"):
        prompts(few, shots=1)


@pytest.mark.parametrize("trusted", [True, False])
def test_scores_are_the_same_with_limits_and_without(tmp_path: Path, trusted: bool) -> None:
    config: dict[str, Any] = {
        "filter_list": [
            {"name": "number", "filter": [{"function": "regex", "regex_pattern": "t[0-9]"}, {"function": "take_first"}]}
        ],
        "metric_list": [
            {
                "metric": "exact_match",
                "regexes_to_ignore": ["t"],
                "ignore_case": True,
                "aggregation": "mean",
                "higher_is_better": True,
            }
        ],
    }
    made = replace(task(tmp_path, **config), trusted=trusted)
    result = said(made, Saying("it is t1, not t2"), shots=2)
    assert scores(result) == {"exact_match": 0.25}


def test_tasks_of_the_package_are_trusted_and_those_of_users_are_not(tmp_path: Path) -> None:
    catalog = load_catalog([write_toy(tmp_path / "toy")])
    assert {name for name, task in catalog.tasks.items() if not task.trusted} == {"jumps", "stays"}


def test_templates_of_others_take_hardly_longer_than_those_of_the_package(tmp_path: Path) -> None:
    documents = [{"q": f"What is {i} and {i + 1}?", "a": f"{i}", "o": ["a", "b", f"{i}"]} for i in range(2000)]
    foreign = local_task(tmp_path, {"test": documents}, **OPTIONS)
    assert built_in(foreign) < 3 * built_in(replace(foreign, trusted=True))


def built_in(task: TaskSpec) -> float:
    """Seconds in which the prompts are built, at best."""
    data = DocumentCache()
    took = []
    for _ in range(3):
        started = time.perf_counter()
        build_cell(cell(of=task), task, data)
        took.append(time.perf_counter() - started)
    return min(took)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", r"takes more than 0\.2 s"),
        ("{{ messages[0].content.center(10**9) }}", "needs more than 100,000,000 bytes of memory"),
    ],
    ids=["loop", "memory"],
)
def test_a_chat_template_without_end_fails_the_cell_in_one_line(
    emergence: Emergence, tmp_path: Path, template: str, why: str
) -> None:
    (shipped,) = (m for m in load_catalog().family("embedded").models if m.name == "ladder-12k")
    folder = shutil.copytree(str(shipped.path), tmp_path / "chatty")
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": template}))
    asked = ("run", "--task", "topic", "--limit", "3", "--shots", "0", "--executor", "inline", "--model", str(folder))
    done = emergence(*asked, "--apply_chat_template")
    assert done.code == 1
    assert "document 0: chat template " in done.err
    assert why.replace("\\", "") in done.err
