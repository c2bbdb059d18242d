"""The split: nothing that is tested is ever trained on."""

import itertools
import random

import pytest

from harness.ladder import benchmark, documents, skills, world
from harness.ladder.__main__ import TASKS_DIR

N_DOCUMENTS = 20_000


@pytest.fixture(scope="module")
def training() -> list[world.TrainingDocument]:
    return list(itertools.islice(documents.training_documents(seed=0), N_DOCUMENTS))


def test_no_training_document_holds_a_held_out_key(training: list[world.TrainingDocument]) -> None:
    # A skill document of one line has no examples: it is the zero-shot prompt, which all documents share.
    keys = [key for document in training for key in document.keys if len(document.segments) > 2 or "skill" not in key]
    assert not [key for key in keys if world.is_held_out(key)]


def test_no_test_prompt_occurs_in_training(training: list[world.TrainingDocument]) -> None:
    tested = {
        benchmark.prompt(item, skills.N_EXAMPLES)
        for task in benchmark.BENCHMARKS
        for item in benchmark.items(task, "test")
    }
    seen: set[str] = set()
    for document in training:
        parts = [segment.text for segment in document.segments]
        seen.update(parts[::2])
        seen.add("".join(parts[:-1]))
    assert not tested & seen


def test_addition_is_split_by_the_unordered_pair(training: list[world.TrainingDocument]) -> None:
    tested = {frozenset((row["a"], row["b"])) for task in ("add_2", "add_3") for row in benchmark.rows(task, "test")}
    trained = {
        frozenset(int(number) for number in segment.text.rstrip("=").split("+"))
        for document in training
        if document.task == "addition"
        for segment in document.segments
        if not segment.is_answer
    }
    assert len(trained) > 1000
    assert not trained & tested


@pytest.mark.parametrize("task", benchmark.BENCHMARKS)
def test_test_documents_are_distinct_held_out_and_enough(task: str) -> None:
    items = benchmark.items(task, "test")
    assert len({benchmark.prompt(item, skills.N_EXAMPLES) for item in items}) == len(items) >= 200
    assert all(world.is_held_out(item.key) for item in items)


@pytest.mark.parametrize("task", benchmark.BENCHMARKS)
def test_examples_come_from_the_training_split(task: str) -> None:
    items = benchmark.items(task, "train")
    assert len({item.prompt + item.key for item in items}) == len(items) == benchmark.N_FEWSHOT
    assert not any(world.is_held_out(item.key) for item in items)


@pytest.mark.parametrize("task", benchmark.BENCHMARKS)
def test_shipped_rows_are_what_the_generator_writes(task: str) -> None:
    for split in benchmark.splits(task):
        shipped = benchmark.data_path(TASKS_DIR, task, split).read_text(encoding="utf-8")
        assert shipped == benchmark.render(task, split)


def test_a_reference_agrees_with_its_steps_on_every_input() -> None:
    for task in ("two_steps", "three_steps"):
        for item in benchmark.items(task, "test"):
            tests = item.fields["tests"]
            assert isinstance(tests, list)
            assert [eval(str(item.fields["reference"]), {"x": x}) for x, _ in tests] == [y for _, y in tests]


@pytest.mark.parametrize(("task", "n_choices"), [("skill_class", 5), ("skill_shift", 5), ("skill_halves", 4)])
def test_a_skill_offers_one_distinct_choice_per_skill(task: str, n_choices: int) -> None:
    for row in benchmark.rows(task, "test"):
        choices, examples = row["choices"], row["examples"]
        assert isinstance(choices, list)
        assert isinstance(examples, list)
        assert len(set(choices)) == n_choices
        assert row["answer"] in choices
        assert row["query"] not in [example["query"] for example in examples]
        assert len(examples) == skills.N_EXAMPLES


def test_eight_examples_show_four_letters_of_each_half_or_nearly() -> None:
    document = skills.skill_halves(random.Random(0), skills.N_EXAMPLES + 1)
    early = sum(line.query <= "m" for line in document.lines[:-1])
    assert early in (3, 4, 5)


def test_a_question_is_answered_by_the_story() -> None:
    for task, link in (("one_hop", "is in the"), ("two_hop", "has the")):
        for row in benchmark.rows(task, "test"):
            person = str(row["question"]).split()[-2]
            assert f"{person} {link}" in str(row["story"])
            assert f"the {row['answer']} ." in str(row["story"])
            assert row["answer"] in row["choices"]  # type: ignore[operator]


def test_documents_are_the_same_for_the_same_seed() -> None:
    first, second = (list(itertools.islice(documents.training_documents(seed=7), 50)) for _ in range(2))
    assert first == second
