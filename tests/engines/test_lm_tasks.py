from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.engines.documents import DocumentCache, read_documents
from harness.engines.lm_tasks import build_cell
from harness.engines.shots import permutation
from harness.errors import CatalogError, HarnessError, PlanError
from harness.specs import TaskSpec
from tests.builders import cell
from tests.builders.tasks import configured, metrics, write_jsonl


def prompts(task: TaskSpec, data: DocumentCache, **asked: Any) -> list[str]:
    """The prompt of each document."""
    built = build_cell(cell(of=task, **asked), task, data)
    return [requests[0].args[0] for requests in built.documents]


def demonstrations(prompt: str) -> list[str]:
    """The examples before the question."""
    return prompt.split("\n\n")[:-1]


@pytest.fixture
def own_examples(tmp_path: Path, choice_task: TaskSpec) -> TaskSpec:
    """Each document brings four examples of its own."""
    documents = [
        {
            "question": f"doc {i}",
            "options": ["yes", "no"],
            "label": i % 2,
            "examples": [{"question": f"doc {i} example {j}", "options": ["yes", "no"], "label": 0} for j in range(4)],
        }
        for i in range(5)
    ]
    files = {"test": str(write_jsonl(tmp_path / "own.test.jsonl", documents))}
    changed = configured(choice_task, dataset_kwargs={"data_files": files}, fewshot_split=None)
    return replace(changed, name="own", demonstrations="document", digest="d" * 12)


def test_k_shots_are_the_first_of_k_plus_one_shots(choice_task: TaskSpec, data: DocumentCache) -> None:
    for shots in range(5):
        fewer, more = (prompts(choice_task, data, shots=k, seed=2) for k in (shots, shots + 1))
        for short, long in zip(fewer, more, strict=True):
            assert len(demonstrations(long)) == shots + 1
            assert demonstrations(long)[:shots] == demonstrations(short)


def test_every_document_of_a_cell_sees_the_same_examples(choice_task: TaskSpec, data: DocumentCache) -> None:
    seen = {tuple(demonstrations(prompt)) for prompt in prompts(choice_task, data, shots=3)}
    assert len(seen) == 1
    assert len(set(seen.pop())) == 3


def test_seeds_take_other_examples_and_the_same_seed_takes_the_same(choice_task: TaskSpec, data: DocumentCache) -> None:
    by_seed = [demonstrations(prompts(choice_task, data, shots=4, seed=seed)[0]) for seed in range(6)]
    assert len({tuple(shots) for shots in by_seed}) == 6
    assert demonstrations(prompts(choice_task, DocumentCache(), shots=4, seed=3)[0]) == by_seed[3]


def test_a_seed_is_one_permutation_of_the_pool(choice_task: TaskSpec, data: DocumentCache) -> None:
    pool = read_documents([Path(choice_task.config["dataset_kwargs"]["data_files"]["fewshot"])])
    expected = [f"{pool[i]['question']} {pool[i]['options'][pool[i]['label']]}" for i in permutation(5, len(pool))]
    assert demonstrations(prompts(choice_task, data, shots=6, seed=5)[0]) == expected
    assert sorted(permutation(5, 6)) == list(range(6))


def test_examples_do_not_depend_on_the_limit(choice_task: TaskSpec, data: DocumentCache) -> None:
    assert prompts(choice_task, data, shots=3, limit=4) == prompts(choice_task, data, shots=3)[:4]


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fewshot_split": "test"},
        {"description": "Name colours.\n\n"},
        {"description": "About {{question}}.\n\n"},
        {"description": "question"},
        {"gen_prefix": "It is"},
        {"gen_prefix": "{{question[:3]}} "},
        {"doc_to_text": "{{label}}", "doc_to_choice": ["a ?", "b ?", "c ?", "d ?"], "doc_to_target": "question"},
    ],
    ids=str,
)
def test_examples_rendered_once_leave_every_prompt_as_lm_eval_writes_it(
    choice_task: TaskSpec, data: DocumentCache, changes: Mapping[str, Any], shots: int
) -> None:
    task = configured(choice_task, **changes)
    built = build_cell(cell(of=task, shots=shots, seed=1), task, data)
    for requests, question in zip(built.documents, built.questions, strict=True):
        doc = requests[0].doc
        theirs = built.task.fewshot_context(doc, shots, gen_prefix=built.task.doc_to_prefix(doc))
        if isinstance(theirs, list):
            assert [request.args[0] for request in requests] == theirs
            assert question == ""
        else:
            assert {request.args[0] for request in requests} == {theirs}
            assert theirs.endswith(question)
            assert doc["question"] in question


def test_zero_shots_hold_the_question_alone(choice_task: TaskSpec, data: DocumentCache) -> None:
    built = build_cell(cell(of=choice_task, shots=0), choice_task, data)
    assert built.shots == 0
    for requests in built.documents:
        assert requests[0].args[0] == requests[0].doc["question"]
        assert [request.args[1] for request in requests] == [" red", " green", " dark blue", " yellow"]


def test_examples_from_the_evaluated_split_leave_out_the_document_itself(
    choice_task: TaskSpec, data: DocumentCache
) -> None:
    task = configured(choice_task, fewshot_split="test")
    for prompt in prompts(task, data, shots=5):
        *shown, question = prompt.split("\n\n")
        assert len(shown) == 5
        assert not any(example.startswith(f"{question} ") for example in shown)


def test_documents_can_bring_their_own_examples(own_examples: TaskSpec, data: DocumentCache) -> None:
    order = permutation(1, 4)
    for i, prompt in enumerate(prompts(own_examples, data, shots=3, seed=1)):
        assert demonstrations(prompt) == [f"doc {i} example {j} yes" for j in order[:3]]
        assert prompt.endswith(f"\n\ndoc {i}")


def test_more_shots_than_a_document_brings_are_refused(own_examples: TaskSpec, data: DocumentCache) -> None:
    with pytest.raises(PlanError, match="5 shots were asked for; there are 4 examples"):
        build_cell(cell(of=own_examples, shots=5), own_examples, data)


def test_a_document_without_examples_is_named_as_the_fault(choice_task: TaskSpec, data: DocumentCache) -> None:
    task = replace(choice_task, demonstrations="document")
    with pytest.raises(CatalogError, match="no list `examples`"):
        build_cell(cell(of=task, shots=1), task, data)


def test_more_shots_than_the_pool_holds_are_refused(choice_task: TaskSpec, data: DocumentCache) -> None:
    with pytest.raises(PlanError, match="7 shots were asked for; there are 6 examples"):
        build_cell(cell(of=choice_task, shots=7), choice_task, data)


def test_a_config_that_locks_zero_shots_fails_a_request_for_two(choice_task: TaskSpec, data: DocumentCache) -> None:
    task = configured(choice_task, num_fewshot=0)
    with pytest.raises(HarnessError, match="task choice: document 0 has 0 shots, asked were 2; `num_fewshot: 0`"):
        build_cell(cell(of=task, shots=2), task, data)
    assert build_cell(cell(of=task, shots=0), task, data).shots == 0


def test_a_default_number_of_shots_in_the_config_gives_way(choice_task: TaskSpec, data: DocumentCache) -> None:
    task = configured(choice_task, num_fewshot=5)
    assert len(demonstrations(prompts(task, data, shots=1)[0])) == 1
    assert demonstrations(prompts(task, data, shots=0)[0]) == []


def test_a_prompt_variant_replaces_config_keys_in_question_and_examples(
    choice_task: TaskSpec, data: DocumentCache
) -> None:
    plain, asking = (prompts(choice_task, data, shots=2, prompt=name) for name in ("default", "asking"))
    assert all(prompt.startswith("Q: The ") and prompt.endswith("?\nA:") for prompt in asking)
    assert asking[0].count("?\nA: ") == 2
    assert "Q: " not in plain[0]


def test_an_unknown_prompt_lists_the_known_ones(choice_task: TaskSpec, data: DocumentCache) -> None:
    with pytest.raises(PlanError, match="task choice: unknown prompt 'rude'; known: asking, default"):
        build_cell(cell(of=choice_task, prompt="rude"), choice_task, data)


def test_building_leaves_the_task_as_it_was(text_task: TaskSpec, data: DocumentCache) -> None:
    before = repr(text_task.config)
    prompts(text_task, data, shots=2)
    assert repr(text_task.config) == before


def test_no_file_is_read_twice(tmp_path: Path, choice_task: TaskSpec, data: DocumentCache) -> None:
    file = write_jsonl(tmp_path / "once.jsonl", [{"question": "q", "options": ["a", "b"], "label": 0}])
    files = {"test": str(file), "fewshot": str(file)}
    task = configured(choice_task, dataset_kwargs={"data_files": files})
    first = prompts(task, data)
    file.unlink()
    assert prompts(task, data) == first


def test_our_metrics_may_stand_in_the_configs_metric_list(choice_task: TaskSpec, data: DocumentCache) -> None:
    listed = [{"metric": "acc"}, {"metric": "prob_correct", "higher_is_better": True}]
    task = replace(configured(choice_task, metric_list=listed), metrics=metrics("acc", "prob_correct", "acc_norm"))
    built = build_cell(cell(of=task), task, data)
    assert list(built.task.aggregation()) == ["acc", "acc_norm"]


def test_an_unknown_metric_lists_the_known_ones(choice_task: TaskSpec, data: DocumentCache) -> None:
    task = replace(choice_task, metrics=metrics("accuracy"))
    with pytest.raises(HarnessError, match=r"task choice: unknown metric 'accuracy'; known: acc, .*prob_correct"):
        build_cell(cell(of=task), task, data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, "task choice: unknown config key 'colour'; known: "),
        ({"fewshot_split": "train"}, "task choice: fewshot_split: unknown split 'train'; known: fewshot, test"),
        ({"fewshot_config": {"split": "dev"}}, "task choice: fewshot_config.split: unknown split 'dev'"),
        ({"test_split": None}, "task choice: neither test_split nor validation_split"),
        ({"doc_to_text": "{{quest}}"}, "task choice: document 0: template fails: 'quest'"),
    ],
)
def test_a_config_that_does_not_fit_is_explained(
    choice_task: TaskSpec, data: DocumentCache, changes: Mapping[str, Any], message: str
) -> None:
    task = configured(choice_task, **changes)
    with pytest.raises(CatalogError) as caught:
        build_cell(cell(of=task, shots=1), task, data)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ("[1, 2]\n", "line 1 is a number; expected a JSON object"),
        ("\n\n", "split 'test' has no documents"),
    ],
)
def test_a_bad_data_file_is_named(
    tmp_path: Path, choice_task: TaskSpec, data: DocumentCache, content: str, message: str
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text(content, encoding="utf-8")
    task = configured(choice_task, dataset_kwargs={"data_files": {"test": str(bad), "fewshot": str(bad)}})
    with pytest.raises(CatalogError, match=message):
        build_cell(cell(of=task), task, data)


def test_a_missing_data_file_is_named(choice_task: TaskSpec, data: DocumentCache) -> None:
    task = configured(choice_task, dataset_kwargs={"data_files": {"test": "/nowhere/x.jsonl"}})
    with pytest.raises(CatalogError, match=r"/nowhere/x\.jsonl: data file cannot be read: No such file"):
        build_cell(cell(of=task), task, data)


def test_a_single_data_file_is_the_split_train(choice_task: TaskSpec, data: DocumentCache) -> None:
    local = choice_task.config["dataset_kwargs"]["data_files"]
    source = {"dataset_kwargs": {"data_files": local["test"]}}
    splits = {"test_split": "train", "fewshot_split": "train"}
    loaded = prompts(configured(choice_task, **source, **splits), data, shots=2, limit=5)
    read = prompts(configured(choice_task, fewshot_split="test"), data, shots=2, limit=5)
    assert loaded == read


def test_a_data_set_that_cannot_be_had_is_one_clear_line(
    choice_task: TaskSpec, data: DocumentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    def unreachable(*args: Any, **kwargs: Any) -> Any:
        raise FileNotFoundError("Couldn't reach the hub\nat all")

    monkeypatch.setattr(datasets, "load_dataset_builder", unreachable)
    task = configured(choice_task, dataset_path="nobody/nothing", dataset_kwargs=None)
    with pytest.raises(CatalogError) as caught:
        build_cell(cell(of=task), task, data)
    assert str(caught.value) == "task choice: data set nobody/nothing cannot be had: Couldn't reach the hub"


def test_an_example_without_a_field_of_the_prompt_is_explained(own_examples: TaskSpec, data: DocumentCache) -> None:
    task = configured(own_examples, doc_to_choice="{{examples and options}}")
    with pytest.raises(CatalogError, match="task own: document 0: example 2: template fails: 'examples' is undefined"):
        build_cell(cell(of=task, shots=1), task, data)
    task = configured(own_examples, fewshot_config={"doc_to_choice": "examples"})
    with pytest.raises(CatalogError, match="task own: document 0: example 2: there is no field 'examples'"):
        build_cell(cell(of=task, shots=1), task, data)


def test_a_template_cannot_reach_beyond_its_document(choice_task: TaskSpec) -> None:
    escape = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    spec = replace(choice_task, config={**choice_task.config, "doc_to_text": escape})
    with pytest.raises(CatalogError, match="document 0: template fails: access to attribute '__class__'"):
        build_cell(cell(of=spec), spec, DocumentCache())


def test_options_of_writing_that_a_cell_keeps_replace_those_of_the_task(text_task: TaskSpec) -> None:
    task = text_task
    asked = cell(of=task, generation='{"max_gen_toks":3,"until":["."]}')
    [request, *_] = build_cell(asked, task, DocumentCache()).documents[0]
    assert request.args[1] == {"until": ["."], "max_gen_toks": 3, "do_sample": False}
    assert task.config["generation_kwargs"]["max_gen_toks"] == 12
