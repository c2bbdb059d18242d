"""Figures that nobody knows the width of: a page in a browser may be 300 or 1,400 pixels wide."""

from __future__ import annotations

import math
import textwrap

import plotly.graph_objects as go

from harness.figures.grid import FigureLook
from harness.figures.style import heading, literal

CELL_LOOK = FigureLook(width=430)
"""For a figure in a cell of a grid: what stands above it is broken into rows that short."""
_NARROW = 320
"""Width in pixels that a figure must bear."""
_LETTER, _KEY, _ROW = 6.6, 46, 20
"""Pixels of a letter in a legend, of the line before it, and of the height of a row."""
_TITLE_LETTERS, _TITLE_ROW = 36, 20
"""Letters of a title that fit the narrow width, and pixels of each of its rows."""
_SUBTITLE = 18
"""Pixels of a row of text above a panel."""
_BUTTONS = 30
"""Room for the buttons above a figure, in pixels."""
_TICKS = 46
"""Room for ticks and title of the x axis, in pixels."""


def for_any_width(figure: go.Figure) -> go.Figure:
    """A copy in which nothing overlaps, however narrow it is shown.

    From the top down: buttons, title (broken into rows), plot as high as it was drawn, x axis, and a legend with room
    for the rows that it takes at the narrow width.
    """
    made = go.Figure(figure)
    title = textwrap.wrap(heading(figure), _TITLE_LETTERS) if figure.layout.title.text else []
    above = _BUTTONS + _TITLE_ROW * len(title)
    legend = _legend_height(figure)
    margin = figure.layout.margin
    subtitles = _SUBTITLE * max((0, *map(_rows_on_top, figure.layout.annotations)))
    below = max(_TICKS, margin.b or 0)
    plot = (figure.layout.height or 360) - (margin.t or 0) - (margin.b or 0)
    made.update_layout(
        height=above + subtitles + plot + below + legend,
        margin={"t": above + subtitles, "b": below + legend, "r": 12},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    )
    if title:
        height = made.layout.height
        made.update_layout(
            title={"text": "<br>".join(map(literal, title)), "y": 1 - _BUTTONS / height, "yanchor": "top"}
        )
    return made


def _rows_on_top(note: go.layout.Annotation) -> int:
    """How many rows of text stand above the plot; 0 where the text stands elsewhere."""
    return str(note.text).count("<br>") + 1 if note.yref == "paper" and (note.y or 0) > 0.99 else 0


def _legend_height(figure: go.Figure) -> int:
    """Pixels of the legend at the narrow width; 0 without one."""
    names = [trace.name for trace in figure.data if trace.name and trace.showlegend is not False]
    if figure.layout.showlegend is False or (len(names) < 2 and not figure.layout.showlegend):
        return 0
    widths = [_KEY + _LETTER * len(name) for name in dict.fromkeys(names)]
    # plotly gives all entries the width of the longest
    columns = max(1, int(_NARROW // max(widths)))
    return _ROW * math.ceil(len(widths) / columns) + 8
