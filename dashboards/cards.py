"""What a task asks, on every page: made only when a reader opens it, because it reads documents and task files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st
from harness.dashboards import address, state

from harness.wording import cut

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.records import Outcome
    from harness.store import Outcomes
    from harness.task_cards import TaskCard

MOST_OF_A_QUESTION = 1_500
"""Characters of an example that are shown."""


def offer_any(outcomes: Outcomes) -> None:
    """In the sidebar: the card of any task; of the one in the filter, unless the reader chooses another."""
    every: Sequence[Outcome] = [*outcomes.results, *outcomes.failures]
    tasks = sorted({one.cell.task for one in every})
    if not tasks:
        return
    filtered: list[str] = st.session_state.get("task") or []
    first = tasks.index(filtered[0]) if filtered and filtered[0] in tasks else 0
    asked = address.text_of("about")
    with st.sidebar:
        box = st.expander("What a task asks", expanded=asked is not None, key="about a task", on_change="rerun")
    with box:
        if box.open:
            task = address.choose_one(st.selectbox, "Task", tasks, "about", first=first)
            _show(task, outcomes)


def offer(task: str) -> None:
    """On a page: the card of one task, folded up."""
    box = st.expander("What this task asks", key=f"card of {task}", on_change="rerun")
    with box:
        if box.open:
            _show(task, state.outcomes())


def _show(task: str, outcomes: Outcomes) -> None:
    """The card of a task; everything on it is plain text."""
    from harness.task_cards import card_rows  # not above: the first page has something to show before

    every: Sequence[Outcome] = [*outcomes.results, *outcomes.failures]
    card = _card(state.version(), task, every)
    for heading, text in card_rows(card):
        st.text(f"{heading}: {text}")
    if card.example is None:
        return
    example = card.example
    st.text("An example" + (f", after {example.shots} demonstrations:" if example.shots else ":"))
    st.code(cut(example.question, MOST_OF_A_QUESTION), language=None, wrap_lines=True)
    if example.options:
        st.text(f"Options: {' | '.join(example.options)}")
    st.text(f"Right answer: {' | '.join(example.answers)}")


@st.cache_resource(max_entries=64, show_spinner="Reading the task")
def _card(version: state.Version, task: str, _every: Sequence[Outcome]) -> TaskCard:
    from harness.task_cards import first_samples, task_cards

    of_task = [one for one in _every if one.cell.task == task]
    return task_cards(of_task, first=first_samples(state.store()), catalog=_catalog())[task]


@st.cache_resource(show_spinner=False)
def _catalog() -> Catalog | None:
    from harness.catalog import load_catalog
    from harness.errors import HarnessError

    try:
        return load_catalog()
    except HarnessError:
        return None
