"""Curves over scale: one metric, the sharp one beside the smooth one, or all tasks at a glance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.analysis.curves import AXIS_TITLES, Curve
from harness.analysis.verdict import Verdict
from harness.figures.panel import (
    Drawn,
    Traces,
    add,
    describe,
    draw_chance,
    draw_curve,
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


def curve_figure(curves: Sequence[Curve], verdicts: Sequence[Verdict] = (), traces: Traces | None = None) -> go.Figure:
    """One metric of one task over scale, a line per setting (family, shots, prompt).

    Args:
        curves: of one task, one metric and one scale axis; at least one.
        verdicts: mark the first size reliably above chance and the threshold on the curves they judge.
        traces: growth forms of some curves, best first; those after the first are drawn faintly.
    """
    first, forms = curves[0], traces or {}
    figure = go.Figure(layout=layout(f"{first.task}: {first.metric.name}", height=400))
    lines = lines_of(curves)
    axis = scale_axis(curves, titled=True)
    drawn = [
        draw_curve(curve, lines[curve.family, curve.label], verdicts, traces=forms.get(curve, ())) for curve in curves
    ]
    add(figure, chain(*drawn, draw_chance(curves, axis)))
    draw_thresholds(figure, curves, lines, verdicts)
    figure.update_xaxes(axis)
    figure.update_yaxes(title_text=literal(score_title(first)))
    return captioned(figure, describe(curves, verdicts, forms, thresholds=True))


def sharp_and_smooth(
    sharp: Sequence[Curve], smooth: Sequence[Curve], verdicts: Sequence[Verdict] = (), traces: Traces | None = None
) -> go.Figure:
    """The headline metric beside the continuous one of the same samples: a jump in both is no metric artefact.

    Args:
        sharp: headline curves of one task; at least one.
        smooth: continuous curves of the same settings; may be empty.
        verdicts: mark the first size reliably above chance and the threshold on the headline curves.
        traces: growth forms of some curves, best first; those after the first are drawn faintly.
    """
    pair, forms = [group for group in (sharp, smooth) if group], traces or {}
    figure = make_subplots(rows=1, cols=len(pair), horizontal_spacing=0.12)
    figure.update_layout(layout(sharp[0].task, height=360))
    lines = lines_of([*sharp, *smooth])
    axis = scale_axis([*sharp, *smooth], titled=True)
    drawn: list[Drawn] = []
    for place, group in enumerate(pair, start=1):
        for curve in group:
            drawn_as = lines[curve.family, curve.label]
            drawn += in_panel(place, draw_curve(curve, drawn_as, verdicts, traces=forms.get(curve, ())))
        drawn += in_panel(place, draw_chance(group, axis))
        figure.update_yaxes(title_text=literal(score_title(group[0])), row=1, col=place)
    add(figure, drawn)
    draw_thresholds(figure, sharp, lines, verdicts)
    figure.update_xaxes(axis)
    return captioned(figure, describe([*sharp, *smooth], verdicts, forms, thresholds=True))


def overview(curves: Sequence[Curve], verdicts: Sequence[Verdict] = (), *, columns: int = 4) -> go.Figure:
    """One small panel per task with its headline metric, a line per setting, all on one scale axis.

    The axis has its labels under the lowest panel of each column.

    Args:
        curves: other metrics than the headline are left out; at least one headline.
        verdicts: mark the first size reliably above chance.
        columns: panels side by side.
    """
    headlines = [c for c in curves if c.rank == 0]
    tasks = sorted({(c.suite, c.task) for c in headlines})
    rows = math.ceil(len(tasks) / columns)
    columns = min(columns, len(tasks))
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[literal(task) for _, task in tasks],
        horizontal_spacing=0.2 / columns,
        vertical_spacing=_PANEL_GAP / (rows * _PANEL_HEIGHT),
    )
    figure.update_layout(layout("", height=_OVERVIEW_MARGIN + rows * _PANEL_HEIGHT))
    figure.update_layout(margin={"t": 84, "b": 48}, legend_y=1 + 34 / (rows * _PANEL_HEIGHT))
    figure.update_annotations(font_size=13)
    lines = lines_of(headlines)
    axis = scale_axis(headlines, titled=False)
    drawn: list[Drawn] = []
    for place, (_, task) in enumerate(tasks, start=1):
        panel = [c for c in headlines if c.task == task]
        for curve in panel:
            drawn += in_panel(place, draw_curve(curve, lines[curve.family, curve.label], verdicts, weight=0.7))
        drawn += in_panel(place, draw_chance(panel, axis))
    add(figure, drawn)
    figure.update_xaxes(axis, automargin=False, showticklabels=False)
    figure.update_yaxes(nticks=6)
    for number in range(max(1, len(tasks) - columns + 1), len(tasks) + 1):
        figure.update_layout({f"xaxis{number}": {"showticklabels": True}})
    caption = f"x: {AXIS_TITLES[headlines[0].scale]}; y: headline metric. "
    return captioned(figure, caption + describe(headlines, verdicts, {}, thresholds=False))
