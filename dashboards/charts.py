"""A figure on a page: picture, caption, and downloads of both the picture and its numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from harness import figures
from harness.leaderboard import to_csv

PICTURES = ("png", "svg")


def show(figure: Any, name: str, numbers: Callable[[], pd.DataFrame]) -> None:
    """Draw a figure with its caption and a download of its numbers.

    The caption names models and tasks, which come from files that anybody can write: it is plain text, never markdown.

    Args:
        figure: any of `harness.figures`.
        name: of the files, and of this figure among those of the page.
        numbers: what is drawn, asked for when somebody wants it.
    """
    caption = figures.caption(figure)
    picture = {"format": st.session_state.get("picture", PICTURES[0]), "filename": name, "scale": 2}
    title = figure.layout.title.text or name
    st.plotly_chart(
        figure,
        key=f"figure {name}",
        config={"displaylogo": False, "displayModeBar": True, "toImageButtonOptions": picture},
        alt=f"{title}. {caption}",
    )
    st.text(caption)
    download("Numbers of this figure (CSV)", name, numbers)


def download(label: str, name: str, table: Callable[[], pd.DataFrame]) -> None:
    """A button for a table as CSV; the table is made when somebody presses it."""
    st.download_button(
        label,
        lambda: to_csv(table()),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"download {name}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def choose_picture() -> None:
    """Which format the camera above each figure saves."""
    st.sidebar.segmented_control(
        "Save pictures as", PICTURES, default=PICTURES[0], format_func=str.upper, key="picture", required=True
    )
