"""`emergence tasks NAME`: what a task asks, by one example, and how its chance level was set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.option_values import meant
from harness.cli.output import print_json, print_line, print_paragraph
from harness.errors import PlanError, StoreError, unknown
from harness.wording import cut

if TYPE_CHECKING:
    from harness.records import Outcome
    from harness.task_cards import TaskCard, TaskExample

_MOST_SHOWN = 2_000
"""Characters of a question that a terminal shows."""


def show_cards(names: Sequence[str], results: Path, include_path: Sequence[Path], *, as_json: bool) -> None:
    """Print the cards of some tasks, from the results where there are any, and from the catalogue.

    Raises:
        PlanError: a name is known neither here nor there.
    """
    cards = _cards(names, results, include_path)
    if as_json:
        print_json([_data(card) for card in cards])
        return
    for place, card in enumerate(cards):
        if place:
            print_line()
        _show(card)


def _cards(names: Sequence[str], results: Path, include_path: Sequence[Path]) -> list[TaskCard]:
    from harness.catalog import load_catalog
    from harness.reading import read_outcomes
    from harness.store import Store
    from harness.task_cards import card_of_file, first_samples, task_cards

    catalog = load_catalog(tuple(include_path))
    try:
        done, failures, _ = read_outcomes(results)
    except StoreError:  # nothing has run yet: the files of the tasks say enough
        done, failures = (), ()
    outcomes: list[Outcome] = [*done, *failures]
    known = {one.cell.task for one in outcomes}
    names = meant(names, known | {*catalog.tasks})
    asked = [one for one in outcomes if one.cell.task in names]
    cards = task_cards(asked, first=first_samples(Store(results)), catalog=catalog) if asked else {}
    for name in names:
        if name in cards:
            continue
        if name not in catalog.tasks and name not in catalog.wrapped and catalog.others.find(name) is None:
            raise PlanError(unknown("task", name, {*known, *catalog.tasks}))
        found, stands_for = catalog.with_others([name])
        cards |= {task: card_of_file(found.task(task)) for task in stands_for[name]}
    return list(cards.values())


def _data(card: TaskCard) -> dict[str, Any]:
    example = card.example
    return {**asdict(card), "example": None if example is None else example._asdict()}


def _show(card: TaskCard) -> None:
    from harness.task_cards import card_rows

    print_line(f"{card.task} ({card.kind}, suite {card.suite})")
    for heading, text in card_rows(card):
        print_paragraph(f"  {heading}: {text}")
    if card.example is not None:
        _show_example(card.example)


def _show_example(example: TaskExample) -> None:
    shown = "" if not example.shots else f", after {example.shots} solved examples"
    print_line(f"  Example{shown}:")
    for line in cut(example.question, _MOST_SHOWN).split("\n"):
        print_line(f"    | {line}")
    if example.options:
        print_paragraph(f"    options: {' / '.join(option.strip() for option in example.options)}")
    print_paragraph(f"    right answer: {' / '.join(answer.strip() for answer in example.answers)}")
