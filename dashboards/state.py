"""What every page starts from: the results folder, what was concluded from it, and the filters of the reader.

Streamlit runs a page again at every click. Reading and judging are therefore cached under the store's stamp, and
nothing is computed again until a file below the folder changes; verdicts are kept beside the results (`kept_verdicts`).
Filters are kept in the address, so that copying it sends the view.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import NoReturn, TypeVar, get_args

import streamlit as st
from harness.dashboards.address import choose_one, one_step, say_unknown, several

from harness.analysis.curves import AXIS_TITLES, Curve, Scale
from harness.analysis.verdict import Judged, Study
from harness.kept_files import on_documents
from harness.kept_verdicts import kept_study as conclude
from harness.plan import Cell
from harness.reading import answer_reader
from harness.records import CellFailure, CellResult, Sample
from harness.runs.progress import cells_to_come
from harness.store import WORTHWHILE, Outcomes, ScoresReader, Store
from harness.wording import count, counted, visible

log = logging.getLogger(__name__)
FOLDER_VARIABLE = "EMERGENCE_RESULTS"
MOST_DOCUMENTS, MOST_CELLS = 500_000, 3_000
"""Up to so many answers, in so many files, thresholds are redrawn from single documents. To read more would keep the
reader waiting."""
Version = tuple[str, object]
"""Folder and stamp: when they are equal, so are the results. Pages cache under this key what took long."""
_seen: ContextVar[Version | None] = ContextVar("seen", default=None)
_read: set[Version] = set()
"""States of folders that were read."""
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
        with one_step():
            yield
    finally:
        _seen.reset(token)
        looked.set()


def outcomes() -> Outcomes:
    """Results, failures and unreadable files of the store."""
    return _outcomes(*version())


def announce() -> None:
    """While a large folder is read for the first time, say at once how much lies in it."""
    files, families, models, tasks = 0, set[str](), set[tuple[str, str]](), set[str]()
    if version() in _read:
        return
    for family, model, task in store().listed():
        files += 1
        families.add(family)
        models.add((family, model))
        tasks.add(task)
    if files >= WORTHWHILE:
        place = st.empty()
        with place.container(horizontal=True, gap="large"):
            for name, of in (("Families", families), ("Models", models), ("Tasks", tasks)):
                st.metric(name, count(len(of)), width="content")
            st.metric("Cells", count(files), width="content")
        outcomes()
        place.empty()


def current_study(scale: Scale) -> Study:
    """All curves and verdicts of the store on one axis."""
    return _study(*version(), scale, kept_by_others())


def kept_by_others() -> frozenset[str]:
    """Names of what was concluded from single documents and kept; none where the dashboard weighs these itself.

    Otherwise the command line may have done what the dashboard does not, and its conclusions are taken over.
    """
    return frozenset() if by_document(outcomes().results) else on_documents(store())


def stored_answers(cell: Cell) -> tuple[Sample, ...] | None:
    """The stored answers of a cell; for a file that cannot be read it logs why and gives None."""
    return answer_reader(store())(cell)


def document_scores() -> ScoresReader:
    """A reader of the scores of a cell's documents; for a file that cannot be read it logs why and gives None."""
    return _documents(*version())


# cache_resource, not cache_data: these are immutable, and copying them at every click would cost more than reading.
@st.cache_resource(max_entries=2, show_spinner="Reading results")
def _outcomes(root: str, stamp: object) -> Outcomes:
    """Outcomes below `root`. `stamp` is here to be a key of the cache: they are read again when the folder changes."""
    found = Store(Path(root)).outcomes()
    _read.add((root, stamp))
    return found


@st.cache_resource(max_entries=6, show_spinner="Judging curves")
def _study(root: str, stamp: object, scale: Scale, kept_by_others: frozenset[str]) -> Study:
    found = _outcomes(root, stamp)
    items = _documents(root, stamp) if by_document(found.results) else None
    return conclude(Store(Path(root)), found, scale=scale, items=items)


@st.cache_resource(max_entries=1, show_spinner=False)
def _documents(root: str, stamp: object) -> ScoresReader:
    """Reads scores of documents. When the store is judged by them, they are kept in memory for other axes and pages."""
    keep = by_document(_outcomes(root, stamp).results)
    return ScoresReader(Store(Path(root)), lambda sentence: log.warning("%s", visible(sentence)), keep=keep)


def by_document(results: Iterable[CellResult]) -> bool:
    """True when there are few enough answers for thresholds to be redrawn from single documents, as the report does."""
    asked = [result.n_expected for result in results]
    return sum(asked) <= MOST_DOCUMENTS and len(asked) <= MOST_CELLS


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
        say_unknown(label, key, options)
        return frozenset()
    return frozenset(several(st.sidebar.multiselect, label, sorted(options), key))


def look() -> tuple[Study, Filters]:
    """The study on the axis that the reader chose, and the filters; ends the page when there is no curve to show."""
    axis = scale()
    require_results(outcomes())
    on_axis = current_study(axis)
    if not on_axis.curves:
        st.info(f"None of the models has a known place on the axis of {axis}. Choose another scale axis.")
        end_page()
    _say_provisional(on_axis)
    return on_axis, filters(on_axis)


def _say_provisional(of: Study) -> None:
    """Say so while a run evaluates more of what is shown: what is concluded may change."""
    if to_come := sum(cells_to_come(of.results, of.failures, store().runs()[0], datetime.now(UTC)).values()):
        verb = "is" if to_come == 1 else "are"
        st.caption(f"Provisional: a run goes on, and {counted(to_come, 'cell')} {verb} still to come.")


def say_basis(of: Study) -> None:
    """Say so when verdicts rest on less than those of the command line and of the report do."""
    if not of.by_document:
        st.caption(
            f"With more than {count(MOST_DOCUMENTS)} answers or {count(MOST_CELLS)} cells, verdicts and thresholds "
            "rest here on the scores of cells; `emergence verdicts` and `emergence report` weigh every document, and "
            "what they found is shown here from then on."
        )


def address_of(curve: Curve, scale: Scale) -> dict[str, str]:
    """The filters under which a page shows one curve and few others."""
    asked = {"family": curve.family, "task": curve.task, "shots": str(curve.shots), "prompt": curve.prompt}
    # A filter of a single option is not shown, and would be said to be unknown. What is chosen at first stands in no
    # address: it would be taken out by a second step of the browser's history.
    axis = {} if scale == get_args(Scale)[0] else {"scale": scale}
    return axis | {key: value for key, value in asked.items() if key in st.session_state}


LINKS = {
    "verdicts": ("Verdict", ":material/gavel:"),
    "curves": ("Curve", ":material/show_chart:"),
    "metric": ("Metric or ability", ":material/compare:"),
    "samples": ("Documents", ":material/search:"),
    "leaderboard": ("Leaderboard", ":material/leaderboard:"),
}
"""Pages that show more of a curve -> name and icon of the link."""


def links(row: Judged, scale: Scale, *, leave_out: str) -> None:
    """Links to what other pages show of a judged curve, all but the page that they stand on."""
    with st.container(horizontal=True, gap="small"):
        for page, (label, icon) in LINKS.items():
            if page != leave_out:
                query = address_of(row.curve, scale) | ({"row": row_name(row)} if page == "verdicts" else {})
                st.page_link(f"views/{page}.py", label=label, icon=icon, query_params=query)


def links_to(asked: Mapping[str, str], pages: Iterable[str]) -> None:
    """Links to pages under some filters, of which those without a choice are left out."""
    query = {key: value for key, value in asked.items() if key in st.session_state}
    with st.container(horizontal=True, gap="small"):
        for page in pages:
            label, icon = LINKS[page]
            st.page_link(f"views/{page}.py", label=label, icon=icon, query_params=query)


def row_name(row: Judged) -> str:
    """What the address calls a verdict."""
    curve = row.curve
    return " / ".join([curve.family, curve.task, curve.label, curve.metric.name])


class PageEndedError(Exception):
    """A page has said all that it has to say."""


def end_page() -> NoReturn:
    """End the page here, and still offer what stands below every page.

    Not `st.stop`, after which Streamlit takes nothing more: neither the address nor the card of a task.
    """
    raise PageEndedError


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
    end_page()
