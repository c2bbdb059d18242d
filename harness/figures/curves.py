"""Curves over scale: one metric, the sharp one beside the smooth one, or many tasks at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import plotly.graph_objects as go

from harness.analysis.curves import Curve, overlaid
from harness.analysis.verdict import CurveRow, Judged, partner_rows
from harness.figures.captions import describe
from harness.figures.grid import FigureLook, Panel, panels_figure
from harness.figures.lines import lines_of
from harness.figures.style import captioned

_Row = TypeVar("_Row", bound=CurveRow)
_SMALL = 0.7
"""Thickness of lines in small panels."""


def curve_figure(rows: Sequence[CurveRow], *, look: FigureLook | None = None) -> go.Figure:
    """One metric of one task over scale, a line per setting (family, shots, prompt).

    A ring marks the first size from which on a curve is above chance. Its threshold and its growth forms are drawn too,
    as far as its row has them.

    Args:
        rows: of one task, one metric and one scale axis; at least one.
        look: what is shown besides.

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
    look, first = look or FigureLook(), rows[0].curve
    title = f"{first.task}: {first.metric.name}"
    figure = panels_figure([Panel("", rows)], title=title, columns=1, panel_height=290, look=look)
    return captioned(figure, describe(rows, lines_of([row.curve for row in rows]), thresholds=look.thresholds))


def sharp_and_smooth(
    rows: Sequence[Judged], *, look: FigureLook | None = None, beside: Sequence[Curve] = ()
) -> go.Figure:
    """The headline metric beside the continuous one of the same answers: a jump in both is no metric artefact.

    Args:
        rows: of one task and one scale axis, at least one; those with a partner get a line in the second panel.
        beside: curves of others; those of the same task, shots and metric are drawn too.
        look: what is shown besides.

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
    look, partners = look or FigureLook(), partner_rows(rows)
    shown, smooth = _with_others(rows, beside), _with_others(partners, beside)
    panels = [Panel("", shown), *([Panel("", smooth, rows)] if smooth else [])]
    figure = panels_figure(panels, title=rows[0].curve.task, columns=len(panels), panel_height=250, look=look)
    lines = lines_of([row.curve for panel in panels for row in panel.rows])
    return captioned(figure, describe(shown, lines, partners=smooth, thresholds=look.thresholds))


def overview(
    rows: Sequence[CurveRow], *, columns: int = 4, look: FigureLook | None = None, beside: Sequence[Curve] = ()
) -> go.Figure:
    """One small panel for each metric of a task, a line per setting, all on one scale axis.

    Args:
        rows: any metrics of any tasks; at least one.
        columns: how many panels stand side by side at most.
        look: what is shown besides.
        beside: curves of others; those of the same task, shots and metric are drawn too.
    """
    look = look or FigureLook()
    panels = [Panel(group[0].curve.task, _with_others(group, beside)) for group in _by_metric(rows)]
    rows = [row for panel in panels for row in panel.rows]
    columns = min(columns, len(panels))
    height, weight = (170, _SMALL) if len(panels) > 1 else (230, 1.0)
    figure = panels_figure(panels, title="", columns=columns, panel_height=height, look=look, weight=weight)
    return captioned(figure, describe(rows, lines_of([row.curve for row in rows]), thresholds=look.thresholds))


def pairs(rows: Sequence[Judged], *, look: FigureLook | None = None) -> go.Figure:
    """The headline metric of each task beside the continuous one of the same answers, a task below the other.

    Args:
        rows: headline metrics of any tasks, on one scale axis; at least one. Beside a task without a partner nothing
            is drawn.
        look: what is shown besides.
    """
    look = look or FigureLook()
    panels: list[Panel] = []
    for group in _by_metric(rows):
        panels += [Panel(group[0].curve.task, group), Panel("", partner_rows(group), group)]
    figure = panels_figure(panels, title="", columns=2, panel_height=170, look=look, weight=_SMALL)
    partners = [row for panel in panels[1::2] for row in panel.rows]
    lines = lines_of([row.curve for row in (*rows, *partners)])
    return captioned(figure, describe(rows, lines, partners=partners, thresholds=look.thresholds))


def _with_others(rows: Sequence[CurveRow], beside: Sequence[Curve]) -> list[CurveRow]:
    """The rows of one metric, and the curves of others that belong into their panel."""
    return [*rows, *(CurveRow(curve=curve) for curve in overlaid([row.curve for row in rows], beside))]


def _by_metric(rows: Sequence[_Row]) -> list[list[_Row]]:
    """The rows of each metric of a task, tasks by suite and name and metrics in their order."""
    groups: dict[tuple[str, str, int, str], list[_Row]] = {}
    for row in rows:
        curve = row.curve
        groups.setdefault((curve.suite, curve.task, curve.rank, curve.metric.name), []).append(row)
    return [groups[key] for key in sorted(groups)]
