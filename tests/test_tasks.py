"""The tasks that come with the harness: their prompts are the text the embedded family was trained on."""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import pytest

from harness.catalog.catalogue import Catalog, load_catalog
from harness.engines.cell_task import BuiltCell
from harness.engines.documents import DocumentCache
from harness.engines.lm_tasks import build_cell
from harness.scoring.metrics import Answer, corpus_metric
from harness.specs import TaskSpec
from tests import builders

SUITES = (
    "algorithms",
    "arithmetic",
    "classification",
    "codegen",
    "commonsense",
    "dialogue",
    "ner",
    "prompting",
    "qa",
    "relations",
    "summarisation",
    "translation",
)
FORMATS = {
    "sentiment": ("review: {text}\nsentiment:", " {label}"),
    "sentiment_negated": ("review: {text}\nsentiment:", " {label}"),
    "topic": ("text: {text}\ntopic:", " {label}"),
    "entities": ("text: {text}\nentities:", " {answer}"),
    "relations": ("text: {text}\nrelations:", " {answer}"),
    "one_hop": ("{story}\nplace: {asked}", " {answer}"),
    "two_hop": ("{story}\nplace: {asked}", " {answer}"),
    "override": ("note: {note}\ncolor of {thing}:", " {answer}"),
    "ending": ("{story}", " {answer}"),
    "translate": ("english: {source}\nlomi:", " {target}"),
    "summarise": ("text: {text}\nsummary:", " {summary}"),
    "dialogue_state": ("{turns}\nstate:", " {state}"),
    "dialogue_reply": ("{turns}\nagent:", " {reply}"),
    "sort_digits": ("sort {digits}=", "{answer}"),
    "parity": ("parity {bits}:", " {answer}"),
    "two_steps": ("# x {description}\ndef f(x): return", " {reference}"),
    "three_steps": ("# x {description}\ndef f(x): return", " {reference}"),
    "add_2": ("{a}+{b}=", "{answer}"),
    "add_3": ("{a}+{b}=", "{answer}"),
    "modular_sum": ("mod {expression}=", "{answer}"),
    "skill_class": ("{query} ->", " {answer}"),
    "skill_shift": ("{query} ->", " {answer}"),
    "skill_halves": ("{query} =>", " {answer}"),
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def data() -> DocumentCache:
    return DocumentCache()


def own_tasks(catalog: Catalog) -> Iterator[TaskSpec]:
    yield from (task for task in catalog.tasks.values() if task.suite in SUITES)


def build(task: TaskSpec, data: DocumentCache, *, shots: int = 0, prompt: str = "default") -> BuiltCell:
    return build_cell(builders.cell(of=task, shots=shots, prompt=prompt, limit=20), task, data)


def test_every_suite_is_described_and_holds_its_folders_tasks(catalog):
    for name in SUITES:
        folder = catalog.files[f"suite {name}"].parent
        here = {task.name for task in own_tasks(catalog) if task.suite == name}

        assert here <= set(catalog.suite(name).tasks)
        assert all(task in (folder / "README.md").read_text() for task in here)
    assert set(FORMATS) == {task.name for task in own_tasks(catalog)}


@pytest.mark.parametrize("name", FORMATS)
def test_prompt_and_answer_are_the_text_of_the_training_documents(catalog, data, name):
    question, answer = FORMATS[name]
    task = catalog.task(name)
    pool = data.splits(task, task.config)

    for requests in build(task, data).documents:
        doc = requests[0].doc
        assert requests[0].args[0] == question.format(**doc)
    for requests in build(task, data, shots=2).documents:
        doc = requests[0].doc
        shown = doc["examples"] if task.demonstrations == "document" else pool["fewshot"]
        rendered = {(question + answer).format(**example) + "\n" for example in shown}
        prompt = requests[0].args[0]
        assert prompt.endswith(question.format(**doc))
        first, second, rest = split_shots(prompt, rendered)
        assert first != second
        assert rest == question.format(**doc)


def split_shots(prompt: str, rendered: set[str]) -> tuple[str, str, str]:
    """The two demonstrations a prompt begins with, and what follows them."""
    first = next(text for text in rendered if prompt.startswith(text))
    second = next(text for text in rendered if prompt.startswith(first + text))
    return first, second, prompt[len(first + second) :]


@pytest.mark.parametrize(
    "name",
    [
        *("sentiment", "sentiment_negated", "topic", "override", "ending", "dialogue_reply", "parity"),
        *("skill_class", "skill_shift", "skill_halves"),
    ],
)
def test_options_continue_the_prompt_and_chance_is_one_in_the_number_of_options(catalog, data, name):
    task = catalog.task(name)
    chance = {metric.name: metric.chance for metric in task.metrics}

    for requests in build(task, data).documents:
        doc = requests[0].doc
        options = [request.args[1] for request in requests]
        assert FORMATS[name][1].format(**doc) in options
        assert len(set(options)) == len(options)
        assert chance == {
            "acc": pytest.approx(1 / len(options)),
            "prob_correct": pytest.approx(1 / len(options)),
            "brier": pytest.approx(1 - 1 / len(options)),
        }


def test_chance_of_a_question_is_naming_any_place_of_the_story(catalog, data):
    for name in ("one_hop", "two_hop"):
        task = catalog.task(name)
        stories = data.splits(task, task.config)["test"]
        assert all(place in doc["story"].split() for doc in stories for place in doc["choices"])
        assert task.headline.chance == pytest.approx(fmean(1 / len(doc["choices"]) for doc in stories), abs=0.01)


@pytest.mark.parametrize(
    "name", ["entities", "one_hop", "relations", "dialogue_state", "three_steps", "add_3", "sort_digits"]
)
def test_the_reference_answer_is_right_with_spaces_around_it_and_another_is_not(catalog, data, name):
    task = catalog.task(name)

    for written, expected in ((" {} ", 1.0), ("{}1", 0.0)):
        built = build(task, data)
        for (request,) in built.documents:
            request.resps.append(written.format(built.task.doc_to_target(request.doc)))
        built.task.apply_filters()
        for (request,) in built.documents:
            scores = built.task.process_results(request.doc, [request.filtered_resps["none"]])
            assert scores == {"exact_match": expected}


@pytest.mark.parametrize(
    ("name", "metric", "best"),
    [
        ("entities", "entity_f1_strict", 1.0),
        ("entities", "entity_f1_partial", 1.0),
        ("entities", "parse_failure_rate", 0.0),
        ("relations", "triple_f1", 1.0),
        ("two_steps", "pass_at_1", 1.0),
        ("three_steps", "pass_at_1", 1.0),
    ],
)
def test_the_reference_answer_gets_the_best_score(catalog, data, name, metric, best):
    built = build(catalog.task(name), data)
    answers = [
        Answer(
            doc=requests[0].doc,
            target=built.task.doc_to_target(requests[0].doc),
            question=built.task.doc_to_text(requests[0].doc),
            output=" " + built.task.doc_to_target(requests[0].doc),
        )
        for requests in built.documents
    ]

    assert corpus_metric(metric)(answers).per_sample == (best,) * 20


def test_prompt_variants_change_the_prompt_and_nothing_else(catalog, data):
    for task in own_tasks(catalog):
        plain = build(task, data)
        for prompt in set(task.prompts) - {"default"}:
            changed = build(task, data, prompt=prompt)
            for before, after in zip(plain.documents, changed.documents, strict=True):
                assert before[0].args[0] != after[0].args[0]
                assert [r.args[1:] for r in before] == [r.args[1:] for r in after]


def test_only_code_generation_executes_what_a_model_wrote(catalog):
    unsafe = {task.name for task in own_tasks(catalog) if task.unsafe_code}

    assert unsafe == {"two_steps", "three_steps"}
    assert [name for name in SUITES if catalog.suite(name).unsafe_code] == ["codegen"]


def test_test_documents_are_not_among_the_demonstrations(catalog, data):
    for task in own_tasks(catalog):
        if task.demonstrations == "pool":
            splits = data.splits(task, task.config)
            question = FORMATS[task.name][0]
            asked = [question.format(**doc) for doc in splits["test"]]
            assert len(set(asked)) == len(asked)
            assert not set(asked) & {question.format(**doc) for doc in splits["fewshot"]}


def test_the_example_of_the_guide_is_a_task_that_loads(tmp_path):
    text = (Path(__file__).parents[1] / "docs" / "tasks.md").read_text(encoding="utf-8")
    blocks = dict(zip(("suite.yaml", "capitals.yaml", "data"), code_blocks(text), strict=False))
    (tmp_path / "data").mkdir()
    (tmp_path / "suite.yaml").write_text(blocks["suite.yaml"])
    (tmp_path / "capitals.yaml").write_text(blocks["capitals.yaml"])
    (tmp_path / "data" / "capitals.test.jsonl").write_text(blocks["data"])
    (tmp_path / "data" / "capitals.fewshot.jsonl").write_text('{"country": "Chile", "capital": "Santiago"}\n')

    task = load_catalog([tmp_path]).task("capitals")
    built = build(task, DocumentCache(), shots=1)

    assert task.n_docs == 2
    assert [requests[0].args[0] for requests in built.documents] == [
        f"Q: What is the capital of Chile?\nA: Santiago\nQ: What is the capital of {country}?\nA:"
        for country in ("Canada", "Peru")
    ]


def code_blocks(text: str) -> list[str]:
    return [part.partition("\n")[2] for part in text.split("```")[1::2]]
