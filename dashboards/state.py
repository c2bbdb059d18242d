"""What every page starts from: the results folder, what was concluded from it, and the filters of the reader.

Streamlit runs a page again at every click. Reading and judging are therefore cached under the store's stamp, and
nothing is computed again until a file below the folder changes. Filters are kept in the address, so that copying it
sends the view.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any, TypeVar, get_args

import streamlit as st

from harness.analysis.curves import AXIS_TITLES, Curve, Scale
from harness.analysis.verdict import Judged, Study
from harness.analysis.verdict import study as conclude
from harness.errors import StoreError
from harness.plan import Cell
from harness.records import CellFailure, CellResult
from harness.store import DocumentScores, Outcomes, Store
from harness.wording import count, visible

log = logging.getLogger(__name__)
FOLDER_VARIABLE = "EMERGENCE_RESULTS"
MOST_DOCUMENTS = 500_000
"""Answers up to which thresholds are redrawn from single documents; reading more would keep the reader waiting."""
Version = tuple[str, object]
"""Folder and stamp: equal versions, equal results. The key under which pages keep what took long."""
_seen: ContextVar[Version | None] = ContextVar("seen", default=None)
looked = Event()
"""Set as soon as somebody has been shown a page."""
_Outcome = TypeVar("_Outcome", CellResult, CellFailure)


def folder() -> Path:
    """The results folder asked for: environment, then the argument after `--`, then `results`."""
    return Path(os.environ.get(FOLDER_VARIABLE) or next(iter(sys.argv[1:]), "results"))


def store() -> Store:
    """The store in that folder."""
    return Store(folder())


def version() -> Version:
    """What the folder holds: as it was when this look at it began, or else as it is now."""
    return _seen.get() or (str(folder()), store().stamp())


@contextmanager
def one_look() -> Iterator[None]:
    """All that is asked inside is of one moment of the folder, which is stamped once."""
    token = _seen.set((str(folder()), store().stamp()))
    try:
        yield
    finally:
        _seen.reset(token)
        looked.set()


def outcomes() -> Outcomes:
    """What the store holds now."""
    return _outcomes(*version())


def study(scale: Scale) -> Study:
    """All curves and verdicts of the store on one axis."""
    return _study(*version(), scale)


def documents() -> Callable[[Cell], DocumentScores | None]:
    """Reads the scores of a cell's documents; a file that cannot be read is logged and costs only these."""
    return _documents(*version())


# cache_resource, not cache_data: these are immutable, and copying them at every click would cost more than reading.
@st.cache_resource(max_entries=2, show_spinner="Reading results")
def _outcomes(root: str, stamp: object) -> Outcomes:
    """Outcomes below `root`; `stamp` changes when the folder does and so asks for a new reading."""
    return Store(Path(root)).outcomes()


@st.cache_resource(max_entries=6, show_spinner="Judging curves")
def _study(root: str, stamp: object, scale: Scale) -> Study:
    held = _outcomes(root, stamp)
    return conclude(*held, scale=scale, items=_documents(root, stamp) if by_document(held.results) else None)


@st.cache_resource(max_entries=1, show_spinner=False)
def _documents(root: str, stamp: object) -> Callable[[Cell], DocumentScores | None]:
    """As `documents`; of a store that is judged by its documents they are kept, for the other axes and pages."""
    source = Store(Path(root))

    def read(cell: Cell) -> DocumentScores | None:
        try:
            return source.scores(cell)
        except StoreError as error:
            log.warning("%s", visible(str(error)))
            return None

    return cache(read) if by_document(_outcomes(root, stamp).results) else read


def by_document(results: Iterable[CellResult]) -> bool:
    """True when there are few enough answers for thresholds to be redrawn from single documents, as the report does."""
    return sum(result.n_expected for result in results) <= MOST_DOCUMENTS


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What the reader wants to see; an empty set stands for all."""

    families: frozenset[str] = frozenset()
    """Families of models."""
    tasks: frozenset[str] = frozenset()
    """Tasks."""
    shots: frozenset[int] = frozenset()
    """Numbers of demonstrations."""
    prompts: frozenset[str] = frozenset()
    """Prompt variants."""

    def curves(self, of: Iterable[Curve]) -> tuple[Curve, ...]:
        """The curves wanted."""
        return tuple(c for c in of if self._take(c.family, c.task, c.shots, c.prompt))

    def judged(self, of: Iterable[Judged]) -> tuple[Judged, ...]:
        """The judged curves wanted."""
        return tuple(row for row in of if self.curves([row.curve]))

    def cells(self, of: Iterable[_Outcome]) -> tuple[_Outcome, ...]:
        """The results or failures wanted."""
        return tuple(o for o in of if self._take(o.cell.model.family, o.cell.task, o.cell.shots, o.cell.prompt))

    def _take(self, family: str, task: str, shots: int, prompt: str) -> bool:
        asked = ((self.families, family), (self.tasks, task), (self.shots, shots), (self.prompts, prompt))
        return all(not wanted or value in wanted for wanted, value in asked)


def scale() -> Scale:
    """The axis of curves, chosen in the sidebar and kept in the address."""
    titles = "  \n".join(f"{name}: {title}" for name, title in AXIS_TITLES.items())
    chosen: Scale = one(st.sidebar.selectbox, "Scale axis", get_args(Scale), "scale", help=titles)
    return chosen


def filters(of: Study | Outcomes) -> Filters:
    """The shared filters, drawn in the sidebar and kept in the address: `?task=add_2&task=add_3&shots=0`."""
    cells = [*(r.cell for r in of.results), *(f.cell for f in of.failures)]
    return Filters(
        families=_wanted("Families", "family", {cell.model.family for cell in cells}),
        tasks=_wanted("Tasks", "task", {cell.task for cell in cells}),
        shots=_wanted("Shots", "shots", {cell.shots for cell in cells}),
        prompts=_wanted("Prompts", "prompt", {cell.prompt for cell in cells}),
    )


_Value = TypeVar("_Value", str, int)


def _wanted(label: str, key: str, options: set[_Value]) -> frozenset[_Value]:
    """Values chosen among the options; a filter with one option is not drawn, for it would choose nothing."""
    if len(options) < 2:
        return frozenset()
    return frozenset(several(st.sidebar.multiselect, label, sorted(options), key))


def one(
    draw: Callable[..., Any],
    label: str,
    options: Sequence[Any],
    key: str,
    *,
    first: int = 0,
    free: bool = False,
    **more: Any,
) -> Any:
    """A widget for one of the options whose value is kept in the address, unless it is the first choice.

    Args:
        draw: such as `st.selectbox`.
        label: what the reader sees.
        options: at least one.
        key: of the widget and in the address; one meaning throughout the dashboard.
        first: place of the option chosen before anybody chose.
        free: other values than the options can be typed.
        more: for `draw`.
    """
    asked = _asked(key)
    known = {str(option): option for option in options}
    if asked is not None:
        st.session_state[key] = known.get(asked[0], asked[0] if free else options[first]) if asked else options[first]
    elif not free and st.session_state.get(key) not in options:
        st.session_state[key] = options[first]
    value = draw(label, options, key=key, **more, **({"accept_new_options": True} if free else {}))
    _keep(key, [] if value in (None, options[first]) else [str(value)])
    return value


def several(draw: Callable[..., Any], label: str, options: Sequence[_Value], key: str, **more: Any) -> list[_Value]:
    """As `one`, for any number of the options; none stands for all."""
    asked = _asked(key)
    if asked is not None:
        st.session_state[key] = [option for option in options if str(option) in asked]
    values: list[_Value] = draw(label, options, key=key, placeholder="all", **more)
    _keep(key, [str(value) for value in values])
    return values


def turn_to(page: str) -> None:
    """Note which page is shown: widgets of another page are new, and have their values from the address or session."""
    st.session_state["turned"] = st.session_state.get("shown") != page
    st.session_state["shown"] = page


# Streamlit's own `bind="query-params"` loses the filters when the reader turns to another page by the menu, and keeps
# the old ones when a link of the dashboard asks for others (1.67).
def _asked(key: str) -> list[str] | None:
    """What the address, or else this session, wants of a widget that is new or behind; None when the widget leads."""
    seen: list[str] = st.session_state.get(f"address of {key}", [])
    in_address: list[str] = st.query_params.get_all(key)
    if in_address and in_address != seen:
        return in_address
    return seen if st.session_state["turned"] or key not in st.session_state else None


def _keep(key: str, values: list[str]) -> None:
    st.session_state[f"address of {key}"] = values
    if values:
        st.query_params[key] = values
    elif key in st.query_params:
        del st.query_params[key]


def look() -> tuple[Study, Filters]:
    """What most pages show: the study on the axis chosen, and the filters. Ends the page where there is no curve."""
    axis = scale()
    held = outcomes()
    require_results(held)
    made = study(axis)
    if not made.curves:
        st.info(f"None of the models has a known place on the axis of {axis}. Choose another scale axis.")
        st.stop()
    return made, filters(made)


def say_basis(held: Outcomes) -> None:
    """Say what verdicts rest on where that is not what the command line and the report take."""
    if not by_document(held.results):
        st.caption(
            f"With more than {count(MOST_DOCUMENTS)} answers, verdicts and thresholds rest here on the scores of "
            "cells; `emergence verdicts` and `emergence report` weigh every document."
        )


def require_results(held: Outcomes) -> None:
    """End the page with a sentence that helps when the store has no result."""
    if held.results:
        return
    if held.failures:
        st.info(f"There are no results yet: all {len(held.failures)} cells failed. The overview says why.")
    elif held.problems:
        st.info(
            f"There are no results yet: all {len(held.problems)} files found cannot be read. The overview says why."
        )
    else:
        st.info("There are no results in this folder yet. `emergence run` makes some; then reload this page.")
    st.stop()
