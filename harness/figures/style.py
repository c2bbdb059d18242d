"""What all figures share: colours, shapes, fonts, margins, captions."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache

import plotly.graph_objects as go

from harness.wording import visible

# The first four are of Okabe and Ito 2008. Each stands out from a white and from a dark page by three to one, as WCAG
# 2.2 asks of lines (success criterion 1.4.11); where two are alike with some colour blindness, their symbols differ.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#0098D9",
    "#A67C00",
    "#8A4FE0",
    "#8C5A38",
    "#D900AD",
    "#D4142A",
    "#748A00",
    "#00868B",
)
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
GREY = "#808080"
FONT_SIZE = 12.5
"""Size of letters in pixels, unless something is set larger."""
TITLED, UNTITLED = 70, 36
"""Room above the plot in pixels, with and without a title."""
_ISOLATE, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_LEFTWARD = re.compile(r"<(?:[<^.]*<)?\^*")
"""From the first letter that runs to the left up to the last, without one between them that runs to the right."""
_LETTERS = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"})
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def literal(text: str) -> str:
    """Foreign text as plotly shows it letter by letter, wherever plotly takes text: no tag, no link, no formula.

    Words of a script that runs to the left are isolated, so that numbers and names beside them stay where they were
    written (Unicode Standard Annex 9, section 2.4).

    >>> literal("<b>a</b> & $x^2$")
    '&lt;b&gt;a&lt;/b&gt; &amp; &#36;x^2&#36;'
    >>> [hex(ord(letter)) for letter in literal("אב 1")]
    ['0x2068', '0x5d0', '0x5d1', '0x2069', '0x20', '0x31']
    """
    return _isolated(visible(text)).translate(_LETTERS)


def _isolated(text: str) -> str:
    if text.isascii():
        return text
    runs = [found.span() for found in _LEFTWARD.finditer("".join(map(_runs, text)))]
    for begin, end in reversed(runs):
        text = f"{text[:begin]}{_ISOLATE}{text[begin:end]}{_END}{text[end:]}"
    return text


@cache
def _runs(letter: str) -> str:
    """How a character runs: to the left, as the one before it (a mark), to the right, or as what is around it."""
    kind = unicodedata.bidirectional(letter)
    return "<" if kind in ("R", "AL", "AN") else "^" if kind == "NSM" else ">" if kind == "L" else "."


def unadorned(text: str) -> str:
    """What was made `literal`, as it was."""
    return html.unescape(text).replace(_ISOLATE, "").replace(_END, "")


def layout(title: str, *, height: int) -> dict[str, object]:
    """The layout that all figures share.

    Colours of text and background are in its template, which a page with a dark background can replace.

    Args:
        title: plain text, which may hold names of others; empty for none.
        height: in pixels.
    """
    axis = {
        "gridcolor": "#d9d9d9",
        "linecolor": GREY,
        "showline": True,
        "zeroline": False,
        "ticks": "outside",
        "automargin": True,
        "title": {"font": {"size": 13}, "standoff": 10},
    }
    neutral = {
        "font": {"family": _FONT, "size": FONT_SIZE, "color": "#222222"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    return {
        "template": go.layout.Template(layout={"xaxis": axis, "yaxis": axis, **neutral}),
        "title": {"text": literal(title), "x": 0, "xref": "paper", "y": title_place(height), "font": {"size": 15}}
        if title
        else None,
        "meta": {"heading": title},
        "height": height,
        "margin": {"l": 64, "r": 24, "t": TITLED if title else UNTITLED, "b": 56},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.01, "xanchor": "left", "x": 0},
        "hoverlabel": {"align": "left"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#999999", "activecolor": "#555555"},
    }


def title_place(height: float) -> float:
    """Where a title stands, as a share of a figure's height: always equally far from the top."""
    return 1 - 22 / height


def captioned(figure: go.Figure, text: str) -> go.Figure:
    """The figure with its caption in its metadata.

    The caption is not part of the plot, because a page shows it as text below the figure, and only a picture needs it
    inside; see `caption`.
    """
    return figure.update_layout(meta={**(figure.layout.meta or {}), "caption": text})


def heading(figure: go.Figure) -> str:
    """The figure's title as plain text, for a page that has headings of its own; empty when there is none."""
    return str((figure.layout.meta or {}).get("heading", ""))


def caption(figure: go.Figure) -> str:
    """What the figure shows besides its axes, in sentences: error bars, number of documents, missing models."""
    return str((figure.layout.meta or {}).get("caption", ""))


def faint(colour: str, opacity: float) -> str:
    """The same colour, transparent.

    Args:
        colour: one of `COLOURS`.
        opacity: 0 to 1.
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
