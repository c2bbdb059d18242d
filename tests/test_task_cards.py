"""The card of a task: from results alone, from its file alone, and from both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.catalog import load_catalog
from harness.plan import Cell
from harness.records import Sample
from harness.specs import MetricSpec
from harness.store import Store
from harness.task_cards import card_of_file, card_rows, chance_sentence, first_samples, task_card, task_cards
from tests.builders import cell, counted, failed, result, sample, task

FOUR = ("red", "green", "blue", "grey")


def asked(*prompts: str, options: tuple[str, ...] = FOUR) -> list[Sample]:
    return [sample(i, prompt=prompt, options=options) for i, prompt in enumerate(prompts)]


def nothing(_: Cell) -> list[Sample]:
    return []


def test_results_alone_give_a_card_that_says_what_they_do_not_keep() -> None:
    (card,) = task_cards([result(cell(shots=2)), result(cell(shots=0))], first=lambda _: asked("the sky?")).values()
    assert (card.task, card.shots, card.documents, card.answers) == ("colours", (0, 2), 4, "one of 4 options")
    assert card.chance == "0.25: a guess among 4 options."
    assert card.example is not None
    assert (card.example.question, card.example.options, card.example.answers) == ("the sky?", FOUR, ("red",))
    assert card.description is None
    assert "its file is not here" in dict(card_rows(card))["Not known"]


def test_a_file_adds_what_the_task_asks_and_says_when_it_has_changed() -> None:
    spec = task(description="Name  the\ncolour.", digest="0" * 12)
    same = task_card([result()], spec=spec, first=nothing)
    assert (same.description, same.unknown) == ("Name the colour.", ("An example: no document is kept.",))
    changed = task_card([result()], spec=replace(spec, digest="1" * 12), first=nothing)
    assert any("has changed since" in sentence for sentence in changed.unknown)


def test_the_example_is_of_the_plainest_cell_and_shows_its_question_apart_from_demonstrations() -> None:
    read: list[Cell] = []

    def first(of: Cell) -> list[Sample]:
        read.append(of)
        return asked("Q: is 1 odd?\nA: yes\n\nQ: is 2 odd?\nA:", "Q: is 1 odd?\nA: yes\n\nQ: is 3 odd?\nA:")

    card = task_card([result(cell(shots=5)), result(cell(shots=1)), result(cell(docs="3"))], spec=None, first=first)
    assert [one.shots for one in read] == [1]
    assert card.example is not None
    assert card.example.question == "Q: is 2 odd?\nA:"
    assert card.example.shots == 1
    assert card.example.prompt.startswith("Q: is 1 odd?")


def test_of_several_versions_the_one_evaluated_last_is_shown() -> None:
    old = result(cell(task_digest="a" * 12, shots=9))
    later = replace(old.provenance, started_at=old.provenance.started_at.replace(year=2027))
    new = result(cell(task_digest="b" * 12, shots=1), provenance=later)
    assert task_cards([new, old], first=nothing)["colours"].shots == (1,)


def test_a_task_of_which_every_cell_failed_has_a_card_too() -> None:
    (card,) = task_cards([failed(cell(shots=3))], first=nothing).values()
    assert (card.shots, card.documents, card.example) == ((3,), None, None)


@pytest.mark.parametrize(
    ("metric", "known", "options", "sentence"),
    [
        (
            MetricSpec(name="nll", chance=None),
            False,
            [],
            "nll has no chance level: nobody knows what a guess would score.",
        ),
        (MetricSpec(name="acc", chance=0.2), False, [5], "0.2: a guess among 5 options."),
        (
            MetricSpec(name="acc", chance=0.4),
            False,
            [5],
            "0.4, as stored with the results; who set it is not recorded.",
        ),
        (MetricSpec(name="acc", chance=0.4), True, [5], "0.4, as the file of the task says."),
        (MetricSpec(name="exact_match"), True, [0], "0: no guess is expected to be right."),
        (
            MetricSpec(name="counted", chance=None),
            True,
            [],
            "The share of right options, on average over the documents; known when they have been read.",
        ),
        (
            MetricSpec(name="counted", chance=0.231),
            True,
            [3, 4, 5],
            "0.231: the share of right options, on average over the documents that were asked.",
        ),
    ],
)
def test_a_card_says_how_chance_was_set(metric: MetricSpec, known: bool, options: list[int], sentence: str) -> None:
    spec = task(metrics=(metric,), chance_of_documents=("counted",)) if known else None
    assert chance_sentence(metric, spec=spec, options=options) == sentence


def test_tasks_of_the_package_show_their_first_document_before_anything_has_run() -> None:
    tasks = load_catalog().tasks
    example = card_of_file(tasks["add_2"]).example
    assert example is not None
    a, b = map(int, example.question.removesuffix("=").split("+"))
    assert example.answers == (str(a + b),)
    chosen = card_of_file(tasks["sentiment"])
    assert chosen.answers == "one of 2 options"
    assert chosen.example is not None
    assert chosen.example.answers[0] in chosen.example.options
    assert card_of_file(tasks["conll2003"]).unknown == ("An example: the documents are not beside the task's file.",)


def test_a_store_gives_the_first_documents_and_none_for_what_it_does_not_hold(tmp_path: Path) -> None:
    store, kept = Store(tmp_path), result()
    store.write(kept)
    assert [one.prompt for one in first_samples(store)(kept.cell)][:2] == ["question 0", "question 1"]
    store.write(replace(counted(cell(shots=4), 5, 10), samples=()))
    assert list(first_samples(store)(cell(shots=4))) == []
    assert list(first_samples(store)(cell(shots=7))) == []
