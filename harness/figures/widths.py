"""Figures that nobody knows the width of: a page in a browser may be 300 or 1,400 pixels wide."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from harness.figures.grid import FigureLook
from harness.figures.style import heading, literal, unadorned

CELL_LOOK = FigureLook(width=430)
"""For a figure in a cell of a grid: what stands above it is broken into rows that short."""
_NARROW = 320
"""Width in pixels that a figure must bear."""
_LETTER, _KEY, _ROW = 6.6, 46, 20
"""Pixels of a letter in a legend, of the line before it, and of the height of a row."""
_TITLE_LETTERS, _TITLE_ROW = 36, 20
"""Letters of a title that fit the narrow width, and pixels of each of its rows."""
_AXIS_LETTERS = 18
"""Letters of the title of an x axis that fit beside long names of rows."""
_NAME = 24
"""Letters of the name of a row or column that are shown of it."""
_ROW_LETTER = 7
"""Pixels of a letter in the name of a row."""
_LAST_WORDS = re.compile(r" \([^()]*\)$")
"""The metric behind the name of a setting, which is the first part of a long one to be left out."""
_SLANTED_LETTER = 5
"""Pixels of height, and of width, that a letter of a slanted name takes."""
_SUBTITLE = 18
"""Pixels of a row of text above a panel."""
_COLOURS = 64
"""Pixels of a scale of colours with its title, below a heat map."""
_INK = {False: "#3a4048", True: "#d5d9de"}
"""Colour of letters on a light and on a dark page."""
_BAR = 44
"""Pixels from the foot of the figure to what stands above that scale."""
_BUTTONS = 30
"""Room for the buttons above a figure, in pixels."""
_TICKS = 46
"""Room for ticks and title of the x axis, in pixels."""


def for_any_width(figure: go.Figure, *, dark: bool = False) -> go.Figure:
    """A copy in which nothing overlaps, however narrow it is shown, and letters stand out from the page.

    From the top down: buttons, title (broken into rows), plot as high as it was drawn, x axis, and a legend with room
    for the rows that it takes at the narrow width.

    Args:
        figure: any of this package.
        dark: the page is dark.
    """
    made = go.Figure(figure)
    _shorten_rows(made)
    title = textwrap.wrap(heading(figure), _TITLE_LETTERS) if figure.layout.title.text else []
    above = _BUTTONS + _TITLE_ROW * len(title)
    legend = _legend_height(figure)
    margin = figure.layout.margin
    subtitles = _SUBTITLE * max((0, *map(_rows_on_top, figure.layout.annotations)))
    below = max(_TICKS, margin.b or 0) + _break_titles(made)
    plot = (figure.layout.height or 360) - (margin.t or 0) - (margin.b or 0)
    words = _words_of_colours(made)
    below += _lay_colours_down(made, dark=dark)
    made.update_layout(
        height=above + subtitles + plot + below + legend,
        margin={"t": above + subtitles, "b": below + legend, "r": 12},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    )
    if words:
        at = {"xref": "paper", "x": 0.5, "yref": "paper", "y": 0, "yanchor": "bottom", "yshift": _BAR - below - legend}
        made.add_annotation(text=words, showarrow=False, **at)
    if title:
        place = {"x": 0.0, "xref": "container", "y": 1 - _BUTTONS / made.layout.height, "yanchor": "top"}
        made.update_layout(title={"text": "<br>".join(map(literal, title)), "pad": {"l": 4}, **place})
    ink = {"color": _INK[dark]}
    for axes in (made.update_xaxes, made.update_yaxes):
        axes(tickfont=ink, title_font=ink)
    made.update_annotations(font=ink)
    return made.update_layout(legend_font=ink, title_font=ink)


def _break_titles(figure: go.Figure) -> int:
    """Break titles of x axes that are longer than a narrow figure is wide; gives the pixels that they need more."""
    most, letters = 1, _AXIS_LETTERS if any(map(_has_names, figure.data)) else _TITLE_LETTERS
    for axis in figure.select_xaxes():
        if axis.title.text:
            parts = str(axis.title.text).split("<br>")
            lines = [line for part in parts for line in textwrap.wrap(part, letters)]
            most = max(most, len(lines))
            axis.title.text = "<br>".join(lines)
    return _SUBTITLE * (most - 1)


def _shorten_rows(figure: go.Figure) -> None:
    """Shorten the names of rows of points; beside long ones a narrow figure would have no room left for the points."""
    named = [trace for trace in figure.data if trace.type == "scatter" and _has_names(trace)]
    order = figure.layout.yaxis.categoryarray
    if not named or order is None:
        return
    short = dict(zip(order, _told_apart(order), strict=True))
    for trace in named:
        trace.y = [short[name] for name in trace.y]
    figure.update_yaxes(categoryarray=[short[name] for name in order])
    longest = [max(len(unadorned(name)) for name in names) for names in (short, short.values())]
    figure.update_layout(margin_l=figure.layout.margin.l - _ROW_LETTER * (longest[0] - longest[1]))


def _told_apart(names: Sequence[str]) -> list[str]:
    """The names, which are as in `literal`, long ones without their middle as far as they are still told apart."""
    whole = [unadorned(name) for name in names]
    if max(map(len, whole), default=0) > _NAME:
        bare = [_LAST_WORDS.sub("", name) for name in whole]
        whole = bare if len(set(bare)) == len(set(names)) else whole
    for most in (_NAME, 2 * _NAME):
        begin, end = most // 2 + 1, most // 3
        short = [name if len(name) <= most else f"{name[:begin]}…{name[-end:]}" for name in whole]
        if len(set(short)) == len(set(names)):
            return [*map(literal, short)]
    return [*names]


def _has_names(trace: Any) -> bool:
    """True where rows have names, which take room beside them."""
    return trace.y is not None and len(trace.y) > 0 and isinstance(trace.y[0], str)


def _words_of_colours(figure: go.Figure) -> str:
    """What stands above the scale of colours of a single heat map; empty without one."""
    titles = [str(trace.colorbar.title.text or "") for trace in figure.data if trace.type == "heatmap"]
    return titles[0].replace("<br>", " ") if len(titles) == 1 else ""


def _lay_colours_down(figure: go.Figure, *, dark: bool) -> int:
    """Put the scale of colours of a single heat map below it; gives the pixels that it needs."""
    maps, words = [trace for trace in figure.data if trace.type == "heatmap"], {"color": _INK[dark]}
    for one in maps:
        one.colorbar.update({"tickfont": words, "title": {"font": words}})
    if len(maps) != 1:
        return 0
    at = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0.5, "len": 1}
    # plotly puts the title of a scale that lies so far below on the scale, or out of the figure
    maps[0].colorbar.update({**at, "thickness": 10, "title": {"text": ""}})
    longest = max(map(len, maps[0].x), default=0)
    for names in ("x", "y"):
        if maps[0][names] is not None:
            maps[0][names] = _told_apart([str(name) for name in maps[0][names]])
    shown = max(map(len, maps[0].x), default=0)
    margin = figure.layout.margin
    figure.update_layout(margin_l=min(margin.l, _SLANTED_LETTER * shown))
    # as much less as the names are shorter, but no less than they need
    spare = max(0, round((margin.b or 0) - _SLANTED_LETTER * shown - _TICKS))
    return _COLOURS - min(spare, round(_SLANTED_LETTER * (longest - shown)))


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
