"""Figures in a page or in a file."""

from __future__ import annotations

import textwrap
from pathlib import Path

import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from harness.errors import MachineError
from harness.figures.style import TITLED, UNTITLED, caption

_CAPTION_CHARACTER = 6.3
"""Width in pixels of one caption character."""


def to_div(figure: go.Figure) -> str:
    """The figure as an HTML fragment for a page that holds `plotly_js()`; follows the width of the page."""
    # The page has its own headings; the room of the title goes with it.
    shown = go.Figure(figure)
    if figure.layout.title.text:
        shown.update_layout(title=None, margin={"t": UNTITLED}, height=figure.layout.height - TITLED + UNTITLED)
    config = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
    return str(to_html(shown, full_html=False, include_plotlyjs=False, config=config))


def plotly_js() -> str:
    """The plotly.js source, to inline once in a page that must work without network."""
    return str(get_plotlyjs())


def to_png(figure: go.Figure, path: Path, *, width: int = 900, scale: float = 2.0) -> None:
    """Write the figure as a PNG on white.

    Args:
        figure: any of this package.
        path: file to write.
        width: in CSS pixels; the height is the figure's own.
        scale: device pixels per CSS pixel; 2 is sharp in print at column width.

    Raises:
        MachineError: kaleido or a browser is missing.
    """
    try:
        image = _printed(figure, width).to_image("png", width=width, scale=scale)
    except (ImportError, RuntimeError) as error:
        # plotly says both "no kaleido" and "no browser" with RuntimeError, in several lines of advice.
        raise MachineError(
            f"{path}: a PNG needs kaleido (pip install 'emergence-harness[png]') and Chrome or Chromium, "
            f"found on the PATH or through BROWSER_PATH: {str(error).strip().partition(chr(10))[0]}"
        ) from error
    path.write_bytes(image)


def _printed(figure: go.Figure, width: int) -> go.Figure:
    """A copy on white with the caption below the plot."""
    margin = figure.layout.margin
    lines = textwrap.wrap(caption(figure), int((width - margin.l - margin.r) / _CAPTION_CHARACTER))
    below = margin.b
    room = 16 * len(lines) + 12
    printed = go.Figure(figure).update_layout(
        paper_bgcolor="white", plot_bgcolor="white", height=figure.layout.height + room, margin={"b": below + room}
    )
    return printed.add_annotation(
        text="<br>".join(lines),
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        yshift=-below,
        xanchor="left",
        yanchor="top",
        align="left",
        showarrow=False,
        font={"size": 11, "color": "#555555"},
    )
