"""Tasks as small panels for a grid that a page lays out, with one legend and, where scores mean the same, one range."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import plotly.graph_objects as go

from harness.analysis.curves import AXIS_TITLES, Curve
from harness.analysis.verdict import CurveRow, Judged
from harness.figures.axes import counts_documents, scale_axis, score_range, score_title
from harness.figures.captions import about_dots, intervals_drawn
from harness.figures.grid import verdicts_said
from harness.figures.levels import draw_levels
from harness.figures.lines import Lines, lines_of
from harness.figures.panel import add, draw_row
from harness.figures.style import captioned, layout

_HEIGHT = 230
_WEIGHT = 0.7
"""Thickness of lines and markers, as a share of those of a large panel."""
_ROOM = 0.06
"""Part of the axis of scores that is left free at each end, besides what every panel leaves: a ring is high here."""


def task_panels(tasks: Sequence[Sequence[CurveRow]], lines: Lines | None = None) -> list[go.Figure]:
    """A figure for each task with its headline metric, a line per setting, without a legend.

    Args:
        tasks: the rows of each task, at least one.
        lines: how settings are drawn, where there are more tasks than these; None takes theirs.
    """
    known = lines or lines_of([row.curve for rows in tasks for row in rows])
    shares = [row for rows in tasks for row in rows if counts_documents(row.curve)]
    return [_panel(rows, known, score_range(shares if counts_documents(rows[0].curve) else rows)) for rows in tasks]


def _panel(rows: Sequence[CurveRow], lines: Lines, ends: tuple[float, float]) -> go.Figure:
    curves = [row.curve for row in rows]
    figure = go.Figure(layout=layout(curves[0].task, height=_HEIGHT))
    axis = scale_axis(curves, titled=False)
    add(figure, chain(draw_levels(curves, axis), *(draw_row(row, lines, weight=_WEIGHT) for row in rows)))
    figure.update_layout(showlegend=False, margin={"l": 40, "r": 8})
    figure.update_xaxes(axis)
    room = _ROOM * (ends[1] - ends[0])
    figure.update_yaxes(nticks=5, range=(ends[0] - room, ends[1] + room))
    said = verdicts_said([row for row in rows if isinstance(row, Judged)])
    return captioned(figure, ": ".join(filter(None, (score_title(curves[0]), said))))


def panels_caption(curves: Sequence[Curve], *, centred: bool = False) -> str:
    """What all panels of a grid show.

    Args:
        curves: those of all panels, at least one.
        centred: scores are on the way from chance to perfect.
    """
    y = "headline metric" + (" on the way from chance (0) to perfect (1)" if centred else "")
    sentences = [
        f"x: {AXIS_TITLES[curves[0].scale]}; y: {y}.",
        f"{intervals_drawn(curves)}: 95 % interval.",
        *about_dots(curves),
        "Dashed: chance. Dotted: the best score. Ring: this size and all larger ones are above chance.",
    ]
    return " ".join(sentences)
