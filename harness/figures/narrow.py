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
_LEGEND_ROW = 1.8 * FONT_SIZE
"""Pixels of a row of a legend."""
_ABOVE_TITLE = 34.0
"""Pixels above a title, and below a legend, together."""
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
    heading_above, below = _break_heading(made, width), _break_x_titles(made, width)
    above = heading_above + _room_for_legend(made, width, made.layout.margin.t + heading_above)
    margin = made.layout.margin
    made.update_layout(height=made.layout.height + above + below, margin={"t": margin.t + above, "b": margin.b + below})
    return made.update_layout(title_y=title_place(made.layout.height)) if above else made


def _legend_names(figure: go.Figure) -> list[str]:
    """What the legend says; empty without one."""
    names = list(dict.fromkeys(t.name for t in figure.data if t.name and t.showlegend is not False))
    shown = figure.layout.showlegend
    return names if shown or (shown is None and len(names) > 1) else []


def _move_legend(figure: go.Figure, width: float) -> None:
    """Put a legend above the axes that would take their room beside them."""
    widest = _SWATCH + max((text_width(name, FONT_SIZE) for name in _legend_names(figure)), default=0.0)
    if figure.layout.legend.orientation == "v" and widest > _BESIDE * width:
        figure.update_layout(legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom"})


def _room_for_legend(figure: go.Figure, width: float, there: float) -> float:
    """Pixels that rows of a legend need more between the title and the axes, above which so many are free."""
    names, margin = _legend_names(figure), figure.layout.margin
    if not names or not figure.layout.title.text or figure.layout.legend.orientation != "h":
        return 0.0
    widest = _SWATCH + max(text_width(name, FONT_SIZE) for name in names)
    columns = max(1, int((width - margin.l - margin.r) // widest))  # plotly gives all entries the width of the longest
    title = _LINE * (str(figure.layout.title.text).count("<br>") + 1)
    return max(0.0, _ABOVE_TITLE + title + _LEGEND_ROW * math.ceil(len(names) / columns) - there)


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
    """Break a title that does not fit above the axes, from the edge on; gives the pixels that it needs more."""
    if not figure.layout.title.text:
        return 0.0
    text = literal(heading(figure))
    if text_width(text, FONT_SIZE) <= width - figure.layout.margin.l - _EDGE:
        return 0.0
    lines = _broken(text, width - 2 * _EDGE)
    figure.update_layout(title={"text": "<br>".join(lines), "xref": "container", "x": _EDGE / width})
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
