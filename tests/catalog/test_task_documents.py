"""What `check` says of documents: errors that a run would end with, and warnings, each counted and with the first."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.bounded.safetensors_file import safetensors_header
from harness.catalog import load_catalog
from harness.errors import CatalogError, FaultsError
from tests.builders import outside
from tests.builders.commands import Emergence

LIKELIHOOD = {"name": "loglikelihood_per_token", "chance": None, "best": 0, "continuous": True}
WRITTEN = {
    "metrics": [{"name": "exact_match"}, LIKELIHOOD],
    "config": {"output_type": "generate_until", "doc_to_text": "Q: {{q}}", "doc_to_target": "a"},
}
CHOSEN = {
    "metrics": [{"name": "acc", "chance": 0.5}, {"name": "prob_correct", "chance": 0.5, "continuous": True}],
    "config": {
        "output_type": "multiple_choice",
        "doc_to_text": "Q: {{q}}",
        "doc_to_choice": "options",
        "doc_to_target": "{{a}}",
    },
}
TEXTS = [{"q": f"q{i}", "a": f"a{i}"} for i in range(10)]
CHOICES = [{"q": f"q{i}", "options": ["x", "y"], "a": i % 2} for i in range(10)]
NER = {**WRITTEN, "metrics": [{"name": "entity_f1_strict"}, LIKELIHOOD]}
RELATIONS = {**WRITTEN, "metrics": [{"name": "triple_f1"}, LIKELIHOOD]}
CODE = {**WRITTEN, "metrics": [{"name": "pass_at_1"}, LIKELIHOOD], "unsafe_code": True}


def task_file(
    folder: Path,
    task: Mapping[str, Any],
    documents: Sequence[Mapping[str, Any]],
    examples: Sequence[Mapping[str, Any]] = (),
    **config: Any,
) -> Path:
    """A task file with its data beside it; `config` changes the task's."""
    files = {"test": "test.jsonl"}
    (folder / "test.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents))
    if examples:
        (folder / "few.jsonl").write_text("".join(json.dumps(one) + "\n" for one in examples))
        files["few"], config["fewshot_split"] = "few.jsonl", "few"
    data = {"dataset_kwargs": {"data_files": files}, "test_split": "test"}
    whole = {"task": "own", "kind": "qa", **task, "config": {**data, **task["config"], **config}}
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(whole))
    return path


def warnings(path: Path) -> list[str]:
    """What `check` says of a task that a run would not end with, without the file's name."""
    catalog = load_catalog([path])
    catalog.check_templates(["own"])
    return [line.removeprefix(f"{path}: ") for line in catalog.check_documents(["own"])]


def error(path: Path) -> str:
    """Why a task is refused, in one line."""
    with pytest.raises(CatalogError) as caught:
        warnings(path)
    assert not isinstance(caught.value, FaultsError), caught.value.faults
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(("task", "documents"), [(WRITTEN, TEXTS), (CHOSEN, CHOICES)])
def test_documents_that_are_right_give_no_word(
    tmp_path: Path, task: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]
) -> None:
    examples = [{**one, "q": f"other {i}"} for i, one in enumerate(documents)]
    assert warnings(task_file(tmp_path, task, documents, examples)) == []


@pytest.mark.parametrize(
    ("task", "document", "said"),
    [
        (CHOSEN, {"q": "q3", "options": ["x", "y"], "a": 1, "id": 7}, "is document 3 once more; each copy counts"),
        (WRITTEN, {"q": None, "a": "x"}, "q is null; expected a text"),
        (WRITTEN, {"q": float("nan"), "a": "x"}, "q is null; expected a text"),
        (WRITTEN, {"q": ["x"], "a": "x"}, "q is ['x']; expected a text"),
        (WRITTEN, {"q": {"x": 1}, "a": "x"}, "q is {'x': 1}; expected a text"),
        (WRITTEN, {"q": "new", "a": ""}, "a right answer is empty"),
        (WRITTEN, {"q": "new", "a": ["b", " "]}, "a right answer is empty"),
        (CHOSEN, {"q": "new", "options": ["x", "x"], "a": 1}, "two options are the same"),
        (CHOSEN, {"q": "new", "options": ["1", "2"], "a": 1}, "the right answer '1' is taken for option number 1, '2'"),
    ],
)
def test_what_may_be_meant_is_a_warning_with_the_first_document(
    tmp_path: Path, task: Mapping[str, Any], document: Mapping[str, Any], said: str
) -> None:
    documents = TEXTS if task is WRITTEN else CHOICES
    (line,) = warnings(task_file(tmp_path, task, [*documents, document]))
    assert "document 10 of test: " in line
    assert said in line
    lines = warnings(task_file(tmp_path, task, [*documents, document, {**document, "id": 8}]))
    assert any(f"document 10 of test and 1 more: {said}" in line for line in lines)


@pytest.mark.parametrize(
    ("task", "document", "said"),
    [
        (WRITTEN, {"q": "new"}, "config.doc_to_target: document 10 of test: there is no field 'a'"),
        (WRITTEN, {"a": "new"}, "config.doc_to_text: document 10 of test: there is no field 'q'"),
        (WRITTEN, {"q": "new", "a": None}, "config.doc_to_target: document 10 of test: a is null; expected an answer"),
        (
            WRITTEN,
            {"q": "new", "a": []},
            "config.doc_to_target: document 10 of test: doc_to_target gives an empty list",
        ),
        (CHOSEN, {**CHOICES[0], "a": None}, "config.doc_to_target: document 10 of test: a is null; expected an answer"),
        (
            CHOSEN,
            {**CHOICES[0], "a": 2},
            "config.doc_to_target: document 10 of test: the right answer is '2', no option",
        ),
        (CHOSEN, {**CHOICES[0], "a": "z"}, "config.doc_to_target: document 10 of test: the right answer is 'z', no"),
        (
            CHOSEN,
            {**CHOICES[0], "options": None},
            "config.doc_to_choice: document 10 of test: options is null; expected",
        ),
        (
            CHOSEN,
            {**CHOICES[0], "options": "x"},
            "config.doc_to_choice: document 10 of test: doc_to_choice gives 'x'; e",
        ),
    ],
)
def test_what_a_run_would_end_with_is_an_error(
    tmp_path: Path, task: Mapping[str, Any], document: Mapping[str, Any], said: str
) -> None:
    documents = TEXTS if task is WRITTEN else CHOICES
    assert error(task_file(tmp_path, task, [*documents, document])).startswith(said)
    known = documents[:1]
    assert said.replace("document 10 of test", "document 1 of few") in error(
        task_file(tmp_path, task, documents[1:], [*known, document])
    )


def test_a_field_that_a_template_can_do_without_may_be_absent(tmp_path: Path) -> None:
    template = "{% if hint is defined %}{{hint}} {% endif %}{% if kind == 'b' %}{{more}}{% endif %}{{q}}"
    documents = [{"q": "x", "a": "y", "kind": "a", "hint": "h"}, {"q": "z", "a": "y", "kind": "b", "more": "m"}]
    assert warnings(task_file(tmp_path, WRITTEN, documents, doc_to_text=template)) == []
    documents[1].pop("more")
    documents[0]["more"] = "m"
    assert error(task_file(tmp_path, WRITTEN, documents, doc_to_text=template)) == (
        "config.doc_to_text: document 1 of test: there is no field 'more'"
    )


@pytest.mark.parametrize("same_file", [True, False])
def test_examples_that_are_asked_too_are_counted(tmp_path: Path, same_file: bool) -> None:
    path = task_file(tmp_path, CHOSEN, CHOICES, [{**one, "q": f" {str(one['q']).upper()} "} for one in CHOICES[4:]])
    if same_file:
        path.write_text(path.read_text().replace("few.jsonl", "test.jsonl"))
    first, more, example = (0, 9, 0) if same_file else (4, 5, 0)
    assert warnings(path) == [
        f"document {first} of test and {more} more: stands among the examples too (example {example}), which is not "
        "shown to it"
    ]


@pytest.mark.parametrize(
    ("chance", "doubted"), [(0.25, True), (0.5, False), (0.6, False), (0.7, True), (0, True), (None, True)]
)
def test_the_chance_level_is_that_of_a_guess_or_of_the_usual_answer(
    tmp_path: Path, chance: float | None, doubted: bool
) -> None:
    metrics = [{"name": "acc", "chance": chance}, {"name": "prob_correct", "chance": 0.5, "continuous": True}]
    documents = [{**one, "a": int(i < 6)} for i, one in enumerate(CHOICES)]
    said = f"metrics[0].chance is {None if chance is None else float(chance)}; of 2 options a guess is right in 0.5 of"
    lines = warnings(task_file(tmp_path, {**CHOSEN, "metrics": metrics}, documents))
    assert [line[: len(said)] for line in lines] == [said] * doubted


def test_a_log_likelihood_has_no_best_of_1(tmp_path: Path) -> None:
    task = {**WRITTEN, "metrics": [{"name": "exact_match"}, {**LIKELIHOOD, "best": 1}]}
    assert warnings(task_file(tmp_path, task, TEXTS)) == ["metrics[1].best is 1.0; a log-likelihood is at most 0"]


@pytest.mark.parametrize(
    ("task", "fields", "said"),
    [
        (NER, {}, "document 0 of test and 9 more: a document without `entities: [{text, type}, ...]`"),
        (RELATIONS, {}, "document 0 of test and 9 more: a document without `triples: [{head, relation, tail}, ...]`"),
        (NER, {"entities": [{"text": "z", "type": "X"}]}, "entity 'z' of a document is not in its text 'a b'"),
        (CODE, {}, "document 0 of test and 9 more: a document's `tests` is None; expected pairs"),
        (CODE, {"tests": [[1, 2, 3]]}, "document 0 of test and 9 more: a document's `tests` is [[1, 2, 3]]; expected"),
        (CODE, {"tests": [[1, 2]]}, "defines no function and its document names no entry_point"),
        ({**CODE, "unsafe_code": False}, {}, "metrics[0].name is 'pass_at_1', which executes what a model wrote"),
        ({**CODE, "metrics": [{"name": "pass_at_2"}, LIKELIHOOD]}, {}, "is 'pass_at_2', and config.repeats is 1; exp"),
    ],
)
def test_what_a_metric_reads_must_be_there(
    tmp_path: Path, task: Mapping[str, Any], fields: Mapping[str, Any], said: str
) -> None:
    documents = [{**one, "text": "a b", **fields} for one in TEXTS]
    assert said in error(task_file(tmp_path, task, documents))


def test_entities_and_tests_that_are_there_are_fine(tmp_path: Path) -> None:
    entities = [[{"text": "a", "type": "X"}], []] * 5
    documents = [{**one, "text": "a b", "entities": some} for one, some in zip(TEXTS, entities, strict=True)]
    assert warnings(task_file(tmp_path, NER, documents)) == []
    documents = [{**one, "entities": [], "text": "a"} for one in TEXTS]
    assert warnings(task_file(tmp_path, NER, documents)) == [
        "no document has an entity; expected some in `entities`, or a metric of something else"
    ]
    documents = [{**one, "triples": []} for one in TEXTS]
    assert warnings(task_file(tmp_path, RELATIONS, documents)) == [
        "no document has a triple; expected some in `triples`, or a metric of something else"
    ]
    documents = [{**one, "tests": [[1, 2]]} for one in TEXTS]
    assert warnings(task_file(tmp_path, CODE, documents, doc_to_text="def f_{{q}}(x):")) == []


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        (None, "demonstrations: document, but a document has no `examples`: document 1 of test"),
        ([{"q": "x", "a": "y"}, 3], "document 1 of test: example 1 is 3; expected a document with its fields"),
        ([{"q": "x"}], "config.doc_to_target: document 1 of test: example 0: there is no field 'a'"),
        ([{"q": "x", "a": None}], "config.doc_to_target: document 1 of test: example 0: a is null; expected an answer"),
    ],
)
def test_examples_that_documents_bring_along_are_looked_at(tmp_path: Path, examples: Any, said: str) -> None:
    good = {"q": "x", "a": "y", "examples": [{"q": "u", "a": "v"}]}
    task = {**WRITTEN, "demonstrations": "document"}
    assert warnings(task_file(tmp_path, task, [good, {**good, "q": "z"}])) == []
    assert error(task_file(tmp_path, task, [good, {**good, "q": "z", "examples": examples}])) == said


def test_options_that_are_the_questions_are_no_text(tmp_path: Path) -> None:
    """Winogrande: the question is the number of the right option."""
    documents = [{"options": [f"the a{i}", f"the b{i}"], "a": str(i % 2), "rest": "is big"} for i in range(4)]
    assert warnings(task_file(tmp_path, CHOSEN, documents, doc_to_text="{{a}}", doc_to_target="rest")) == []


def test_only_what_is_asked_is_looked_at_before_a_run(tmp_path: Path, emergence: Emergence) -> None:
    broken = {"q": "new"}
    path = task_file(tmp_path, WRITTEN, [*TEXTS, broken], [{"q": "few", "a": "x"}, broken])
    options = ("plan", "--task", "own", "--engine", "simulated", "--include-path", path)
    assert emergence(*options, "--shots", "0", "--limit", "10").code == 0
    for more, where in ((("--shots", "0"), "10 of test"), (("--shots", "1", "--limit", "3"), "1 of few")):
        done = emergence(*options, *more)
        assert done.code == 2
        assert f"document {where}: there is no field 'a'" in done.err


@pytest.mark.parametrize("verb", ["check", "plan", "run"])
def test_warnings_are_shown_by_every_verb_that_reads_tasks(tmp_path: Path, emergence: Emergence, verb: str) -> None:
    path = task_file(tmp_path, CHOSEN, [*CHOICES, CHOICES[0]])
    which = ("--task", "own", "--shots", "0", "--model", "ladder-12k", "--engine", "simulated", "--include-path", path)
    options = {"check": (path,), "plan": which, "run": (*which, "--executor", "inline")}[verb]
    done = emergence(verb, *options)
    assert done.code == 0, done.err
    assert f"warning: {path}: document 10 of test: is document 0 once more; each copy counts\n" in done.err


def test_many_documents_are_looked_at_in_a_moment_and_their_number_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million of them take under 30 s on an idle machine; here a hundredth of them."""
    made = [{"q": f"What is {i} plus {i}?", "options": ["a", "b"], "a": i % 2} for i in range(10_000)]
    catalog = load_catalog([task_file(tmp_path, CHOSEN, made, CHOICES)])
    monkeypatch.setattr("harness.catalog.tasks.documents._SECONDS", 0.0)
    said: list[str] = []
    begun = time.process_time()
    assert catalog.check_documents(["own"], told=said.append) == ()
    assert time.process_time() - begun < 1.0
    assert said[-1] == f"{tmp_path / 'test.jsonl'}: looked at 9,000 documents"


def test_a_shard_that_the_index_names_must_be_there(tmp_path: Path, emergence: Emergence) -> None:
    folder = outside.model_folder(tmp_path / "model")
    shutil.move(folder / "model.safetensors", folder / "model-00001-of-00002.safetensors")
    names = safetensors_header(folder / "model-00001-of-00002.safetensors").tensors
    there = dict.fromkeys(names, "model-00001-of-00002.safetensors")
    index = {"weight_map": {**there, "more": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "f.yaml").write_text(
        yaml.safe_dump({"family": "own", "models": [{"name": "m", "path": "model", "params": 1000}]})
    )
    done = emergence("check", tmp_path / "f.yaml")
    assert done.code == 2
    assert "model-00002-of-00002.safetensors" in done.err
