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
"""Up to this many answers, thresholds are redrawn from single documents. To read more would keep the reader waiting."""
Version = tuple[str, object]
"""Folder and stamp: when they are equal, so are the results. Pages cache under this key what took long."""
_seen: ContextVar[Version | None] = ContextVar("seen", default=None)
looked = Event()
"""Set as soon as a first page has been shown to somebody."""
_Outcome = TypeVar("_Outcome", CellResult, CellFailure)


def folder() -> Path:
    """The results folder: the environment variable names it, else the argument after `--`, else it is `results`."""
    return Path(os.environ.get(FOLDER_VARIABLE) or next(iter(sys.argv[1:]), "results"))


def store() -> Store:
    """The store in that folder."""
    return Store(folder())


def version() -> Version:
    """The state of the folder when `one_look` began, or its present state outside of it."""
    return _seen.get() or (str(folder()), store().stamp())


@contextmanager
def one_look() -> Iterator[None]:
    """Inside, everything is read from one state of the folder, which is stamped once."""
    token = _seen.set((str(folder()), store().stamp()))
    try:
        yield
    finally:
        _seen.reset(token)
        looked.set()


def outcomes() -> Outcomes:
    """Results, failures and unreadable files of the store."""
    return _outcomes(*version())


def current_study(scale: Scale) -> Study:
    """All curves and verdicts of the store on one axis."""
    return _study(*version(), scale)


def document_scores() -> Callable[[Cell], DocumentScores | None]:
    """A reader of the scores of a cell's documents; for a file that cannot be read it logs why and gives None."""
    return _documents(*version())


# cache_resource, not cache_data: these are immutable, and copying them at every click would cost more than reading.
@st.cache_resource(max_entries=2, show_spinner="Reading results")
def _outcomes(root: str, stamp: object) -> Outcomes:
    """Outcomes below `root`. `stamp` is here to be a key of the cache: they are read again when the folder changes."""
    return Store(Path(root)).outcomes()


@st.cache_resource(max_entries=6, show_spinner="Judging curves")
def _study(root: str, stamp: object, scale: Scale) -> Study:
    found = _outcomes(root, stamp)
    return conclude(*found, scale=scale, items=_documents(root, stamp) if by_document(found.results) else None)


@st.cache_resource(max_entries=1, show_spinner=False)
def _documents(root: str, stamp: object) -> Callable[[Cell], DocumentScores | None]:
    """As `documents`. When the store is judged by its documents, they are kept in memory for other axes and pages."""
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
        """The curves that pass the filters."""
        return tuple(c for c in of if self._pass(c.family, c.task, c.shots, c.prompt))

    def judged(self, of: Iterable[Judged]) -> tuple[Judged, ...]:
        """The judged curves that pass the filters."""
        return tuple(row for row in of if self.curves([row.curve]))

    def cells(self, of: Iterable[_Outcome]) -> tuple[_Outcome, ...]:
        """The results or failures that pass the filters."""
        return tuple(o for o in of if self._pass(o.cell.model.family, o.cell.task, o.cell.shots, o.cell.prompt))

    def _pass(self, family: str, task: str, shots: int, prompt: str) -> bool:
        pairs = ((self.families, family), (self.tasks, task), (self.shots, shots), (self.prompts, prompt))
        return all(not chosen or value in chosen for chosen, value in pairs)


def scale() -> Scale:
    """The axis of curves, chosen in the sidebar and kept in the address."""
    titles = "  \n".join(f"{name}: {title}" for name, title in AXIS_TITLES.items())
    chosen: Scale = choose_one(st.sidebar.selectbox, "Scale axis", get_args(Scale), "scale", help=titles)
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
    """The values that the reader chose; a filter with a single option is not shown, because it could choose nothing."""
    if len(options) < 2:
        return frozenset()
    return frozenset(several(st.sidebar.multiselect, label, sorted(options), key))


def choose_one(
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
        draw: draws the widget, such as `st.selectbox`.
        label: name of the widget, which the reader sees.
        options: at least one.
        key: name of the widget in the address; it means the same on every page.
        first: index of the option that is chosen at first.
        free: the reader may also type a value that is not among the options.
        more: further arguments for `draw`.
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
    """Note which page is shown: on another page all widgets are new, and take their values from address or session."""
    st.session_state["turned"] = st.session_state.get("shown") != page
    st.session_state["shown"] = page


# Streamlit's own `bind="query-params"` loses the filters when the reader turns to another page by the menu, and keeps
# the old ones when a link of the dashboard asks for others (1.67).
def _asked(key: str) -> list[str] | None:
    """The values that the address, or else this session, prescribes for a widget; None to keep those of the widget.

    They are prescribed when the address has changed, when the page has, or when the widget is new.
    """
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
    """The study on the axis that the reader chose, and the filters; ends the page when there is no curve to show."""
    axis = scale()
    require_results(outcomes())
    on_axis = current_study(axis)
    if not on_axis.curves:
        st.info(f"None of the models has a known place on the axis of {axis}. Choose another scale axis.")
        st.stop()
    return on_axis, filters(on_axis)


def say_basis(of: Outcomes) -> None:
    """Say so when verdicts rest on less than those of the command line and of the report do."""
    if not by_document(of.results):
        st.caption(
            f"With more than {count(MOST_DOCUMENTS)} answers, verdicts and thresholds rest here on the scores of "
            "cells; `emergence verdicts` and `emergence report` weigh every document."
        )


def require_results(of: Outcomes) -> None:
    """End the page with a sentence that helps when the store has no result."""
    if of.results:
        return
    if of.failures:
        st.info(f"There are no results yet: all {len(of.failures)} cells failed. The overview says why.")
    elif of.problems:
        st.info(f"There are no results yet: all {len(of.problems)} files found cannot be read. The overview says why.")
    else:
        st.info("There are no results in this folder yet. `emergence run` makes some; then reload this page.")
    st.stop()
