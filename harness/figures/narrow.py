"""Titles and legends that fit a figure of a known width, such as a column of a paper."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from harness.figures.static.text import text_width
from harness.figures.style import FONT_SIZE, heading, literal, title_place

_EDGE = 4.0
"""Pixels left free at both sides of the figure."""
_LINE = 1.25 * FONT_SIZE
"""Pixels of one line of text."""
_BESIDE = 0.35
"""Largest part of the width that a legend beside the axes may take; a wider one goes above them."""
_SWATCH = 50.0
"""Pixels of a line in a legend, and of the room around it."""
_NEXT = 60.0
"""Pixels between panels side by side, over which a title may reach."""


def narrowed(figure: go.Figure, width: float) -> go.Figure:
    """A copy whose title and titles of x axes are broken into lines, and whose legend stands where there is room.

    Args:
        figure: a figure of this package, with letters of the usual size.
        width: in pixels.
    """
    made = go.Figure(figure)
    _move_legend(made, width)
    _turn_names(made, width)
    above, below = _break_heading(made, width), _break_x_titles(made, width)
    margin = made.layout.margin
    made.update_layout(height=made.layout.height + above + below, margin={"t": margin.t + above, "b": margin.b + below})
    return made.update_layout(title_y=title_place(made.layout.height)) if above else made


def _move_legend(figure: go.Figure, width: float) -> None:
    """Put a legend above the axes that would take their room beside them."""
    names = [trace.name for trace in figure.data if trace.name and trace.showlegend is not False]
    widest = _SWATCH + max((text_width(name, FONT_SIZE) for name in names), default=0.0)
    if figure.layout.legend.orientation == "v" and widest > _BESIDE * width:
        figure.update_layout(legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom"})


def _turn_names(figure: go.Figure, width: float) -> None:
    """Write names beside points to their left where there is no room to their right, and leave out those without."""
    left, right = figure.layout.margin.l, width - figure.layout.margin.r
    for trace in figure.data:
        if trace.type != "scatter" or "text" not in str(trace.mode) or figure.layout.xaxis.type != "log":
            continue
        low, high = figure.layout.xaxis.range
        at = [left + (math.log10(x) - low) / (high - low) * (right - left) for x in trace.x]
        wide = [text_width(text, FONT_SIZE) for text in trace.text]
        fits = [x + w <= width or x - w >= left for x, w in zip(at, wide, strict=True)]
        trace.textposition = ["top right" if x + w <= width else "top left" for x, w in zip(at, wide, strict=True)]
        trace.text = [text if fit else "" for text, fit in zip(trace.text, fits, strict=True)]


def _break_heading(figure: go.Figure, width: float) -> float:
    """Break the title above the axes; gives the pixels that it needs more."""
    if not figure.layout.title.text:
        return 0.0
    lines = _broken(literal(heading(figure)), width - figure.layout.margin.l - _EDGE)
    figure.update_layout(title_text="<br>".join(lines))
    return _LINE * (len(lines) - 1)


def _break_x_titles(figure: go.Figure, width: float) -> float:
    """Break the titles of x axes that would leave the figure; gives the pixels that they need more."""
    left, right = figure.layout.margin.l, width - figure.layout.margin.r
    most = before = 1
    for axis in figure.select_xaxes():
        if axis.title.text:
            low, high = axis.domain or (0.0, 1.0)
            middle, wide = left + (low + high) / 2 * (right - left), (high - low) * (right - left)
            room = min(2 * (min(middle, width - middle) - _EDGE), wide + _NEXT if wide < right - left else width)
            parts = str(axis.title.text).split("<br>")
            lines = [line for part in parts for line in _broken(part, room)]
            most, before = max(most, len(lines)), max(before, len(parts))
            axis.title.text = "<br>".join(lines)
    return _LINE * (most - before)


def _broken(text: str, width: float) -> list[str]:
    """The words of a text, escaped as figures have it, in lines that are as wide where a single word is no wider."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and text_width(f"{lines[-1]} {word}", FONT_SIZE) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
