"""What the reader chose stands in the address, so that copying it sends the view and Back undoes one choice.

While a page is made, changes are collected; at its end the address is written once, which makes one step of the
browser's history. When the reader goes Back or Forward, the address rules alone: what it does not name is as at first.
A link that asks for something that is not there says so on the page.

Streamlit's own `bind="query-params"` loses the filters when the reader turns to another page by the menu, and keeps the
old ones when a link of the dashboard asks for others (1.67). The menu itself opens a page without any: the filters are
put into its address by a second step, so that Back from there takes two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from harness.wording import cut, quoted

_collected: ContextVar[dict[str, list[str]] | None] = ContextVar("collected", default=None)
_Value = TypeVar("_Value", str, int)
_Place = TypeVar("_Place", int, tuple[int, str])


class _Asked(NamedTuple):
    """The values that a widget is to take."""

    values: list[str]
    """Values, as texts; none for what is chosen at first."""
    by_link: bool
    """True when the address brings them, and not this session."""


@contextmanager
def one_step() -> Iterator[None]:
    """Inside, choices are collected; then the address is written once."""
    collected: dict[str, list[str]] = {}
    token = _collected.set(collected)
    try:
        yield
    finally:
        _collected.reset(token)
        _write(collected)
        st.session_state["turned"] = False


def turn_to(page: str) -> None:
    """Note which page is shown: on another page all widgets are new, and take their values from address or session."""
    st.session_state["turned"] = st.session_state.get("shown") != page
    st.session_state["shown"] = page


def went_back() -> bool:
    """True when the reader came here by Back or Forward."""
    run = get_script_run_ctx()
    return run is not None and bool(run.is_history_navigation)


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
        if not free:
            _say_unknown(label, asked, known)
        wanted = asked.values[0] if asked.values else str(options[first])
        st.session_state[key] = known.get(wanted, wanted if free else options[first])
    elif not free and st.session_state.get(key) not in options:
        st.session_state[key] = options[first]
    value = draw(label, options, key=key, **more, **({"accept_new_options": True} if free else {}))
    keep(key, [] if value in (None, options[first]) else [str(value)])
    return value


def several(draw: Callable[..., Any], label: str, options: Sequence[_Value], key: str, **more: Any) -> list[_Value]:
    """As `choose_one`, for any number of the options; none stands for all."""
    asked = _asked(key)
    if asked is not None:
        _say_unknown(label, asked, {str(option): option for option in options})
        st.session_state[key] = [option for option in options if str(option) in asked.values]
    values: list[_Value] = draw(label, options, key=key, placeholder="all", **more)
    keep(key, [str(value) for value in values])
    return values


def type_text(draw: Callable[..., str], label: str, key: str, **more: Any) -> str:
    """As `choose_one`, for a text; the empty one stands for none."""
    asked = _asked(key)
    if asked is not None:
        st.session_state[key] = asked.values[0] if asked.values else ""
    text = draw(label, key=key, **more) or ""
    keep(key, [text] if text else [])
    return text


def turn_page(pages: int, key: str, *, open_at: int | None = None) -> int:
    """The page that is shown of a long table or of many figures, from 1; nothing is drawn where there is but one.

    Args:
        pages: how many there are.
        key: name of the page in the address.
        open_at: page to turn to, because the reader asked for something on it; None leaves it to the reader.
    """
    if pages < 2:
        return 1
    asked = _asked(key, widget=False)
    wanted: list[str] = st.session_state.get(_seen(key), []) if asked is None else asked.values
    first = int(wanted[0]) if wanted and wanted[0].isdecimal() and len(wanted[0]) < 9 else 1
    if asked is not None or open_at is not None:
        st.session_state[_turns(key)] = st.session_state.get(_turns(key), 0) + 1
    # A widget of its own for each number of pages, which begins where the reader was.
    widget = f"{key} {pages} {st.session_state.get(_turns(key), 0)}"
    start = st.session_state.setdefault(f"start of {widget}", min(max(open_at or first, 1), pages))
    page = int(st.pagination(pages, default=start, key=widget))
    keep(key, [str(page)] if page > 1 else [])
    return page


def pick_row(draw: Callable[..., Any], names: Sequence[str], key: str, table: str) -> int | None:
    """A table of which the reader may choose a row; the name of that row stands in the address.

    Args:
        draw: draws the table, given its `key` and the selection that it begins with.
        names: what the address calls each row.
        key: name of the choice in the address.
        table: tells this table from others that are drawn in its place.

    Returns:
        Index of the row; None when none is chosen.
    """
    return _pick(draw, "Row", dict(zip(names, range(len(names)), strict=True)), key, table, "rows")


def pick_cell(
    draw: Callable[..., Any], rows: Sequence[str], columns: Sequence[str], key: str, table: str
) -> tuple[int, str] | None:
    """As `pick_row`, for a cell: its row and the name of its column.

    Args:
        draw: draws the table.
        rows: what the address calls each row.
        columns: names of the columns that may be chosen.
        key: name of the choice in the address.
        table: tells this table from others that are drawn in its place.
    """
    places = {f"{name} / {column}": (row, column) for row, name in enumerate(rows) for column in columns}
    return _pick(draw, "Score", places, key, table, "cells")


def _pick(
    draw: Callable[..., Any], label: str, places: Mapping[str, _Place], key: str, table: str, kind: str
) -> _Place | None:
    """The row or cell that is chosen in a table, of those that have a name; None when none is."""
    asked = _asked(key, widget=False)
    if asked is not None:
        _say_unknown(label, asked, dict(places))
        st.session_state[_turns(key)] = st.session_state.get(_turns(key), 0) + 1
    # A table keeps what was chosen in it, unless it is another one.
    widget = f"{table} {hash(tuple(places))} {st.session_state.get(_turns(key), 0)}"
    wanted: list[str] = st.session_state.get(_seen(key), []) if asked is None else asked.values
    start = st.session_state.setdefault(f"start of {widget}", [places[one] for one in wanted if one in places][:1])
    chosen = draw(key=widget, selection_default={"selection": {kind: start}}).selection[kind]
    names = {place: name for name, place in places.items()}
    found: list[_Place] = [place for place in chosen if place in names]
    keep(key, [names[place] for place in found])
    return next(iter(found), None)


def say_unknown(label: str, key: str, options: Iterable[object]) -> None:
    """Say on the page that a link asks for something that is not there, where no widget could choose it."""
    asked, known = _asked(key, widget=False), {str(option): option for option in options}
    if asked is not None and asked.by_link:
        _say_unknown(label, asked, known)
        keep(key, [value for value in asked.values if value in known])


def asks_for(key: str) -> str | None:
    """What the address, or the session on a new page, prescribes now; None when it leaves what the reader chose."""
    asked = _asked(key, widget=False)
    return asked.values[0] if asked is not None and asked.values else None


def text_of(key: str) -> str | None:
    """What the address names without a widget for it, such as a document; None when it names nothing."""
    asked = _asked(key, widget=False)
    values: list[str] = st.session_state.get(_seen(key), []) if asked is None else asked.values
    return values[0] if values else None


def keep(key: str, values: list[str]) -> None:
    """Put values into the address, or take them out of it."""
    st.session_state[_seen(key)] = values
    collected = _collected.get()
    if collected is None:  # a part of a page that is made again by itself
        _write({key: values})
    else:
        collected[key] = values


def _write(changes: dict[str, list[str]]) -> None:
    before = {key: st.query_params.get_all(key) for key in st.query_params}
    after = {key: values for key, values in {**before, **changes}.items() if values}
    if after != before:
        st.query_params.from_dict(after)


def _seen(key: str) -> str:
    return f"address of {key}"


def _turns(key: str) -> str:
    return f"turns of {key}"


def _asked(key: str, *, widget: bool = True) -> _Asked | None:
    """The values that the address, or else this session, prescribes for a widget; None to keep those of the widget.

    They are prescribed when the address has changed, when the page has, or when the widget is new.

    Args:
        key: name in the address, and of the widget if there is one.
        widget: a widget of that name holds the value.
    """
    seen: list[str] = st.session_state.get(_seen(key), [])
    in_address: list[str] = st.query_params.get_all(key)
    if went_back() or (in_address and in_address != seen):
        return _Asked(in_address, True)
    is_new = st.session_state.get("turned", True) or (widget and key not in st.session_state)
    return _Asked(seen, False) if is_new else None


def _say_unknown(label: str, asked: _Asked, known: dict[str, Any]) -> None:
    """Say on the page what a link asks for that is not there."""
    lacking = [value for value in asked.values if value not in known] if asked.by_link else []
    if lacking:
        st.warning("The address asks for something that is not among these results. It is left out.")
        for value in lacking:
            st.text(f"{label}: there is no {quoted(value)}. There are {cut(', '.join(known), 300)}.")
