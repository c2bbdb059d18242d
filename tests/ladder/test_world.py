"""The split: nothing that is tested is ever trained on."""

import itertools
import random
from collections import Counter

import pytest

from harness.ladder import benchmark, dialogue, documents, skills, words, world
from harness.ladder.__main__ import TASKS_DIR

N_DOCUMENTS = 25_000


@pytest.fixture(scope="module")
def training() -> list[world.TrainingDocument]:
    return [
        document
        for share, mixture in documents.STAGES
        for document in itertools.islice(documents.training_documents(0, mixture), int(share * N_DOCUMENTS))
    ]


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


@pytest.mark.parametrize(("task", "n_choices"), [("skill_class", 4), ("skill_shift", 4), ("skill_halves", 4)])
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


def test_a_question_is_answered_by_its_tables() -> None:
    for task in ("one_hop", "two_hop"):
        for row in benchmark.rows(task, "test"):
            tables = [
                dict(pair.split() for pair in line.partition(": ")[2].split(" , "))
                for line in str(row["story"]).split("\n")
            ]
            found = str(row["asked"])
            for table in tables:
                found = table[found]
            assert found == row["answer"]
            assert row["answer"] in row["choices"]  # type: ignore[operator]


def test_a_review_with_but_is_judged_by_what_follows() -> None:
    tones = {**dict.fromkeys(words.GOOD, 1), **dict.fromkeys(words.BAD, -1)}
    for row in benchmark.rows("sentiment", "test"):
        total = 0
        for clause in str(row["text"]).split(" but ")[-1].split(" , "):
            word = clause.split()[-1]
            total += tones[word] * (1 + (word in words.STRONG)) * (1 + ("very" in clause))
        assert row["label"] == ("positive" if total > 0 else "negative")


def test_the_digits_of_a_sorting_document_occur_in_no_training_document(training: list[world.TrainingDocument]) -> None:
    tested = {str(row["answer"]) for row in benchmark.rows("sort_digits", "test")}
    trained = {s.text.strip() for d in training if d.task == "sort_digits" for s in d.segments if s.is_answer}
    assert len(trained) > 1000
    assert not trained & tested


def test_a_translation_puts_the_verb_last_and_adjectives_behind_nouns() -> None:
    nouns, adjectives, verbs = (words.LEXICON[part] for part in ("nouns", "adjectives", "verbs"))
    for row in benchmark.rows("translate", "test"):
        for clause in str(row["target"]).split(" ye "):
            *named, verb = clause.split()
            assert verb in verbs.values()
            assert named[0] in nouns.values()
            assert all(a in nouns.values() for a, b in itertools.pairwise(named) if b in adjectives.values())


def test_a_note_contradicts_the_usual_colour_in_override_alone(training: list[world.TrainingDocument]) -> None:
    for row in benchmark.rows("override", "test"):
        assert row["answer"] != words.BELONGINGS[str(row["thing"])]
        assert f"{row['thing']} is {row['answer']} ." in str(row["note"])
    notes = [s.text for d in training if d.task == "noted_fact" for s in d.segments if not s.is_answer]
    said = [one for note in notes for one in note.split("\n")[0].removeprefix("note: ").split(" .") if one]
    assert len(said) > 1000
    assert all(words.BELONGINGS[one.partition(" is ")[0].strip()] == one.partition(" is ")[2] for one in said)


def test_the_state_of_an_order_holds_the_latest_values() -> None:
    values = {slot: set(known) for slot, known in dialogue.SLOTS.items()}
    for row in benchmark.rows("dialogue_state", "test"):
        said = [w for line in str(row["turns"]).split("\n") if line.startswith("user:") for w in line.split()]
        latest = {slot: next((w for w in reversed(said) if w in known), "none") for slot, known in values.items()}
        assert row["state"] == " ".join(latest.values())


@pytest.mark.parametrize("task", ["sentiment", "sentiment_negated", "topic", "parity", "dialogue_reply", "modular_sum"])
def test_every_answer_is_right_equally_often(task: str) -> None:
    right = Counter(item.answer for item in benchmark.items(task, "test"))
    assert len(set(right.values())) == 1
    assert len(right) in (2, 4, 10)


def test_documents_are_the_same_for_the_same_seed() -> None:
    first, second = (list(itertools.islice(documents.training_documents(seed=7), 50)) for _ in range(2))
    assert first == second
