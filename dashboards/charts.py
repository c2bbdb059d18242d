"""A figure on a page: picture, caption, and downloads of both the picture and its numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st
from harness.dashboards import state

from harness.wording import file_name

if TYPE_CHECKING:
    import pandas as pd

    from harness.figures import Line

BROWSER_PICTURES = ("png", "svg")
NEVER_USED = ["zoomIn2d", "zoomOut2d", "autoScale2d", "pan2d", "zoom2d", "select2d", "lasso2d"]
"""Buttons above a figure that would cover it on a narrow screen; dragging zooms, and a double click goes back."""
SIGNS = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "cross": "✚", "x": "✖"}
"""Shapes of markers as letters; plotly's name -> letter."""
BEFORE_FIGURES_S = 0.8
"""Seconds that a browser takes to draw a page without figures for the first time."""


def show(
    draw: Callable[[], Any],
    name: str,
    numbers: Callable[[], pd.DataFrame],
    *,
    of: Hashable,
) -> None:
    """Show a figure with its caption and a download of its numbers.

    The caption names models and tasks, which come from files that anybody can write: it is plain text, never markdown.

    Args:
        draw: makes the figure, one of `harness.figures`. It is called again only when the store or `of` changes.
        name: name of the files, which also tells this figure from others on the page.
        numbers: makes the table of what is drawn. It is called when somebody downloads it.
        of: everything the reader chose that decides what is drawn: axis, filters and so on.
    """
    from harness import figures  # not above: it loads plotly, and the first page has something to show before

    figure = _drawn(state.version(), name, of, st.context.theme.type == "dark", draw)
    words = figures.caption(figure)
    picture = {"format": st.session_state.get("picture", BROWSER_PICTURES[0]), "filename": file_name(name), "scale": 2}
    title = figures.heading(figure) or name
    st.plotly_chart(
        figure,
        key=f"figure {name}",
        config={
            "displaylogo": False,
            "displayModeBar": True,
            "modeBarButtonsToRemove": NEVER_USED,
            "toImageButtonOptions": picture,
        },
        alt=f"{title}. {words}",
    )
    st.session_state["figures loaded"] = True
    st.text(words)
    download("Numbers of this figure (CSV)", name, numbers)


def legend(lines: Iterable[Line]) -> None:
    """The legend that the figures of a page share: each setting with its sign."""
    signs = "".join(
        f'<span style="white-space:nowrap"><span style="color:{line.colour}" aria-hidden="true">'
        f"{SIGNS.get(line.symbol, SIGNS['circle'])}</span> {escape(line.name)}</span>"
        for line in lines
    )
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;font-size:.875rem">{signs}</div>')


def drawn_once(name: str, draw: Callable[[], Any], *, of: Hashable) -> Any:
    """What a page draws together and shows apart; drawn again only when the store or `of` changes."""
    return _made(state.version(), name, of, draw)


@st.cache_resource(max_entries=16, show_spinner=False)
def _made(version: state.Version, name: str, of: Hashable, _draw: Callable[[], Any]) -> Any:
    return _draw()


def let_draw() -> None:
    """Wait until the browser has shown the rest of the page, before it gets its first figure.

    It then loads plotly for a second, during which nothing else appears.
    """
    if "figures loaded" not in st.session_state:
        time.sleep(BEFORE_FIGURES_S)


@st.cache_resource(max_entries=64, show_spinner=False)
def _drawn(version: state.Version, name: str, of: Hashable, dark: bool, _draw: Callable[[], Any]) -> Any:
    from harness import figures

    return figures.for_any_width(_draw(), dark=dark)


def download(label: str, name: str, table: Callable[[], pd.DataFrame]) -> None:
    """A button that downloads a table as CSV; the table is made when somebody presses it."""
    st.download_button(
        label,
        lambda: _csv(table()),
        file_name=f"{file_name(name)}.csv",
        mime="text/csv",
        key=f"download {name}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def _csv(table: pd.DataFrame) -> str:
    from harness.leaderboard import to_csv  # not above: it loads pandas

    return to_csv(table)


def choose_picture() -> None:
    """Let the reader choose the format in which the camera above each figure saves."""
    st.sidebar.segmented_control(
        "Save pictures as",
        BROWSER_PICTURES,
        default=BROWSER_PICTURES[0],
        format_func=str.upper,
        key="picture",
        required=True,
    )
