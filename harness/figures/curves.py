"""Curves over scale: one metric, the sharp one beside the smooth one, or all tasks at a glance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.analysis.curves import AXIS_TITLES
from harness.analysis.verdict import CurveRow, Judged, partner_rows
from harness.figures.captions import describe
from harness.figures.panel import (
    Drawn,
    add,
    draw_chance,
    draw_row,
    draw_thresholds,
    in_panel,
    lines_of,
    scale_axis,
    score_title,
)
from harness.figures.style import captioned, layout, literal

_PANEL_HEIGHT = 220
_PANEL_GAP = 48
_OVERVIEW_MARGIN = 132


def curve_figure(rows: Sequence[CurveRow]) -> go.Figure:
    """One metric of one task over scale, a line per setting (family, shots, prompt).

    A ring marks the first size from which on a curve is above chance. Its threshold and its growth forms are drawn too,
    as far as its row has them.

    Args:
        rows: of one task, one metric and one scale axis; at least one.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"family": "mine", "task": "sums", "metric": "acc", "n_shot": 0, "chance": 0.25, "n": 200,
    ...     "model": ["1m", "4m", "16m", "64m", "256m"], "params": [1e6, 4e6, 1.6e7, 6.4e7, 2.56e8],
    ...     "k": [51, 70, 96, 120, 141]})
    >>> from harness.analysis.verdict import judge
    >>> from harness.notebook import read_curves
    >>> figure = curve_figure(judge(read_curves(table)))
    >>> figure.layout.xaxis.type
    'log'
    """
    curves = [row.curve for row in rows]
    figure = go.Figure(layout=layout(f"{curves[0].task}: {curves[0].metric.name}", height=400))
    lines = lines_of(curves)
    axis = scale_axis(curves, titled=True)
    add(figure, chain(*(draw_row(row, lines) for row in rows), draw_chance(curves, axis)))
    draw_thresholds(figure, rows, lines)
    figure.update_xaxes(axis)
    figure.update_yaxes(title_text=literal(score_title(curves[0])))
    return captioned(figure, describe(rows, lines))


def sharp_and_smooth(rows: Sequence[Judged]) -> go.Figure:
    """The headline metric beside the continuous one of the same answers: a jump in both is no metric artefact.

    Args:
        rows: of one task and one scale axis, at least one; those with a partner get a line in the second panel.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"family": "mine", "task": "sums", "metric": "acc", "n_shot": 0, "chance": 0.25, "n": 200,
    ...     "model": ["1m", "4m", "16m", "64m", "256m"], "params": [1e6, 4e6, 1.6e7, 6.4e7, 2.56e8],
    ...     "k": [51, 70, 96, 120, 141]})
    >>> from harness.analysis.verdict import judge
    >>> from harness.notebook import read_curves
    >>> figure = sharp_and_smooth(judge(read_curves(table)))
    >>> figure.layout.xaxis.type
    'log'
    """
    partners = partner_rows(rows)
    panels: list[Sequence[CurveRow]] = [panel for panel in (rows, partners) if panel]
    curves = [row.curve for panel in panels for row in panel]
    figure = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.12)
    figure.update_layout(layout(curves[0].task, height=360))
    lines = lines_of(curves)
    axis = scale_axis(curves, titled=True)
    drawn: list[Drawn] = []
    for number, panel in enumerate(panels, start=1):
        for row in panel:
            drawn += in_panel(number, draw_row(row, lines))
        drawn += in_panel(number, draw_chance([row.curve for row in panel], axis))
        figure.update_yaxes(title_text=literal(score_title(panel[0].curve)), row=1, col=number)
    add(figure, drawn)
    draw_thresholds(figure, rows, lines)
    figure.update_xaxes(axis)
    return captioned(figure, describe(rows, lines, partners=partners))


def overview(rows: Sequence[CurveRow], *, columns: int = 4) -> go.Figure:
    """One small panel per task, a line per setting, all on one scale axis.

    The axis has its labels under the lowest panel of each column.

    Args:
        rows: headline metrics of any tasks; at least one.
        columns: how many panels stand side by side.
    """
    curves = [row.curve for row in rows]
    tasks = sorted({(c.suite, c.task) for c in curves})
    height = math.ceil(len(tasks) / columns)
    columns = min(columns, len(tasks))
    figure = make_subplots(
        rows=height,
        cols=columns,
        subplot_titles=[literal(task) for _, task in tasks],
        horizontal_spacing=0.2 / columns,
        vertical_spacing=_PANEL_GAP / (height * _PANEL_HEIGHT),
    )
    figure.update_layout(layout("", height=_OVERVIEW_MARGIN + height * _PANEL_HEIGHT))
    figure.update_layout(margin={"t": 84, "b": 48}, legend_y=1 + 34 / (height * _PANEL_HEIGHT))
    figure.update_annotations(font_size=13)
    lines = lines_of(curves)
    axis = scale_axis(curves, titled=False)
    drawn: list[Drawn] = []
    for number, task in enumerate(tasks, start=1):
        panel = [row for row in rows if (row.curve.suite, row.curve.task) == task]
        for row in panel:
            drawn += in_panel(number, draw_row(row, lines, weight=0.7))
        drawn += in_panel(number, draw_chance([row.curve for row in panel], axis))
    add(figure, drawn)
    figure.update_xaxes(axis, automargin=False, showticklabels=False)
    figure.update_yaxes(nticks=6)
    for number in range(max(1, len(tasks) - columns + 1), len(tasks) + 1):
        figure.update_layout({f"xaxis{number}": {"showticklabels": True}})
    caption = f"x: {AXIS_TITLES[curves[0].scale]}; y: headline metric. "
    return captioned(figure, caption + describe(rows, lines, thresholds=False))
