"""Figures in a page or in a file."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from harness.errors import MachineError
from harness.figures.style import TITLED, UNTITLED, caption, heading, literal

PICTURES = ("png", "svg", "pdf")
"""Kinds of picture, named as the ends of their files are."""
_STYLE = (
    "body{max-width:72rem;margin:1.5rem auto;padding:0 1rem;font-family:system-ui,sans-serif;color:#222}"
    "figure{margin:0 0 2.5rem}h2{font-size:1.05rem;margin:0}figcaption{font-size:.85rem;color:#555;max-width:60rem}"
)
_CAPTION_CHARACTER = 6.3
"""Width in pixels of one caption character."""


def to_div(figure: go.Figure) -> str:
    """The figure as an HTML fragment that is as wide as the page around it, which must hold `plotly_js()`."""
    # The page has headings of its own: the title is left out, and so is its room.
    shown = go.Figure(figure)
    if heading(figure):
        shown.update_layout(title=None, margin={"t": UNTITLED}, height=figure.layout.height - TITLED + UNTITLED)
    config = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
    return str(to_html(shown, full_html=False, include_plotlyjs=False, config=config))


def plotly_js() -> str:
    """The plotly.js source, to inline once in a page that must work without network."""
    return str(get_plotlyjs())


def to_page(drawn: Sequence[go.Figure], title: str) -> str:
    """A whole HTML page of figures with their captions, one below the other; it works without network.

    Args:
        drawn: figures of this package.
        title: title of the page, as plain text.
    """
    parts = [
        f"<figure>{_heading(figure)}{to_div(figure)}<figcaption>{escape(caption(figure))}</figcaption></figure>"
        for figure in drawn
    ]
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{escape(title)}</title>"
    return (
        f"<!doctype html><html lang='en'><head>{head}<style>{_STYLE}</style><script>{plotly_js()}</script></head>"
        f"<body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def _heading(figure: go.Figure) -> str:
    name = heading(figure)
    return f"<h2>{escape(name)}</h2>" if name else ""


def to_picture(figure: go.Figure, kind: str = "png", *, width: int = 900, scale: float = 2.0) -> bytes:
    """The figure as a picture on white.

    Args:
        figure: a figure of this package.
        kind: one of `PICTURES`.
        width: in CSS pixels; the height is the figure's own.
        scale: device pixels per CSS pixel; 2 is sharp in print at column width.

    Raises:
        MachineError: kaleido or a browser is missing.
    """
    try:
        return bytes(_printed(figure, width).to_image(kind, width=width, scale=scale))
    except (ImportError, RuntimeError) as error:
        # plotly says both "no kaleido" and "no browser" with RuntimeError, in several lines of advice.
        raise MachineError(
            "a picture needs kaleido (pip install 'emergence-harness[png]') and Chrome or Chromium, found on the "
            f"PATH or through BROWSER_PATH: {str(error).strip().partition(chr(10))[0]}"
        ) from error


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
        text="<br>".join(map(literal, lines)),
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
