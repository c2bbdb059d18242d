"""Figures in a page or in a file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from harness.errors import MachineError
from harness.figures.font import FAMILY, font_face
from harness.figures.paper import Paper, on_paper
from harness.figures.static import to_svg
from harness.figures.style import TITLED, UNTITLED, caption, heading, literal, title_place

PICTURES = ("png", "svg", "pdf")
"""Kinds of picture, named as the ends of their files are."""
_STYLE = (
    "body{max-width:72rem;margin:1.5rem auto;padding:0 1rem;font-family:system-ui,sans-serif;color:#222}"
    "figure{margin:0 0 2.5rem}h2{font-size:1.05rem;margin:0}figcaption{font-size:.85rem;color:#555;max-width:60rem}"
)
_PDF_EDGES = 18.0
"""Pixels that kaleido leaves free at both sides of a PDF together."""
_PRINT_DOTS = 300 / 96
"""Device pixels per CSS pixel at 300 dots to the inch."""
_CAPTION_CHARACTER = 6.3
"""Width in pixels of one caption character."""


def untitled(figure: go.Figure) -> go.Figure:
    """The figure for a page, which has headings of its own: the title is left out, and so is its room."""
    shown = go.Figure(figure)
    if heading(figure):
        room = TITLED - UNTITLED
        shown.update_layout(title=None, margin_t=figure.layout.margin.t - room, height=figure.layout.height - room)
    return shown


def to_div(figure: go.Figure, name: str | None = None) -> str:
    """The figure as an HTML fragment that is as wide as the page around it, which must hold `plotly_js()`.

    Args:
        figure: a figure of this package.
        name: id of its element, other than that of all others on the page; None makes one up.
    """
    config = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
    return str(to_html(untitled(figure), full_html=False, include_plotlyjs=False, config=config, div_id=name))


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
        f"<figure>{_heading(figure)}{to_div(figure, f'figure-{number}')}"
        f"<figcaption>{escape(caption(figure))}</figcaption></figure>"
        for number, figure in enumerate(drawn, start=1)
    ]
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{escape(title)}</title>"
    return (
        f"<!doctype html><html lang='en'><head>{head}<style>{_STYLE}</style><script>{plotly_js()}</script></head>"
        f"<body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def _heading(figure: go.Figure) -> str:
    name = heading(figure)
    return f"<h2>{escape(name)}</h2>" if name else ""


def to_picture(
    figure: go.Figure, kind: str = "png", *, width: int = 900, scale: float = 2.0, paper: Paper | None = None
) -> bytes:
    """The figure as a picture on white. SVG is written here and brings its font along; PNG and PDF take a browser.

    Args:
        figure: a figure of this package.
        kind: one of `PICTURES`.
        width: in CSS pixels; the height is the figure's own.
        scale: device pixels per CSS pixel of a PNG; 2 is sharp in print at column width.
        paper: the place in a paper that the figure has to fit, without its caption; `width` and `scale` do not count.

    Raises:
        MachineError: kaleido or a browser is missing.
    """
    if paper is not None and kind == "pdf":
        # kaleido prints a PDF with edges, and the figure as much smaller: letters that much larger come out as asked
        paper = replace(paper, font=paper.font * paper.pixels / (paper.pixels - _PDF_EDGES))
    printed = _printed(figure, width) if paper is None else on_paper(figure, paper)
    wide = float(width) if paper is None else paper.pixels
    if kind == "svg":
        texts = "".join(_texts(printed.to_dict()))
        size = None if paper is None else paper.width
        return to_svg(printed, width=wide, size=size, style=font_face(texts)).encode()
    dots = 1.0 if kind == "pdf" else scale if paper is None else _PRINT_DOTS
    try:
        return bytes(printed.to_image(kind, width=wide, scale=dots))
    except (ImportError, RuntimeError) as error:
        # plotly says both "no kaleido" and "no browser" with RuntimeError, in several lines of advice.
        raise MachineError(
            f"a .{kind} needs kaleido (pip install 'emergence-harness[png]') and Chrome or Chromium, found on the PATH "
            f"or through BROWSER_PATH; .svg needs neither: {str(error).strip().partition(chr(10))[0]}"
        ) from error


def _texts(part: Any) -> Iterator[str]:
    """Every text of a figure."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for value in part.values():
            yield from _texts(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _texts(value)


def _printed(figure: go.Figure, width: int) -> go.Figure:
    """A copy on white with the caption below the plot."""
    margin = figure.layout.margin
    lines = textwrap.wrap(caption(figure), int((width - margin.l - margin.r) / _CAPTION_CHARACTER))
    below = margin.b
    room = 16 * len(lines) + 12
    printed = go.Figure(figure).update_layout(
        paper_bgcolor="white",
        plot_bgcolor="white",
        height=figure.layout.height + room,
        margin={"b": below + room},
        font_family=FAMILY,
    )
    if figure.layout.title.text:
        printed.update_layout(title_y=title_place(printed.layout.height))
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
