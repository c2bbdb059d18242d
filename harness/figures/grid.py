"""Panels of curves in one figure: a grid of tasks, or each sharp metric beside its smooth partner."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.analysis.curves import AXIS_TITLES, Curve
from harness.analysis.verdict import CurveRow, Judged, label_text, same_place_text
from harness.figures.axes import axis_name, counts_documents, same_place, scale_axis, score_range, score_title
from harness.figures.levels import draw_levels, threshold_key, threshold_shapes
from harness.figures.lines import Lines, lines_of
from harness.figures.panel import Drawn, add, draw_row, in_panel, name_notes
from harness.figures.style import FONT_SIZE, TITLED, UNTITLED, layout, literal
from harness.wording import shortened

_SIDE = 70.0
"""Pixels between panels side by side, for ticks and title of a y axis."""
_GAP = 26.0
"""Pixels between panels above each other, beside those for the titles of the lower one."""
_EDGES = 100.0
"""Pixels left and right of all panels together."""
_BELOW = 56.0
"""Pixels below the panels, for ticks and title of the scale."""
_LINE = 1.3 * FONT_SIZE
"""Pixels of one line of text."""
_CHARACTER = 0.53 * FONT_SIZE
"""Pixels of one letter, about."""
_NOTHING = (0.0, 1.0)
"""The range of a panel without curves."""
_NAMES = 0.3
"""Room above the curves for names of models, as a part of the axis."""
_VERDICTS_NAMED = 2
"""Up to this many verdicts are named above a panel; of more it says how many got which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureLook:
    """What a figure of curves shows, as far as its reader can choose."""

    names: bool = False
    """Write the name of each model beside its point."""
    own_axes: bool = False
    """Give each panel a y axis of its own that ends with its points, instead of one that panels share."""
    verdicts: bool = True
    """Write the verdicts above each panel, where its rows have some."""
    thresholds: bool = True
    """Draw the interval in which the ability sets in, where it is known."""
    width: float = 1000.0
    """Width of the figure in pixels, from which room between panels follows."""


class Panel(NamedTuple):
    """One pair of axes with curves of one metric."""

    title: str
    """What stands above it, as plain text; empty for nothing."""
    rows: Sequence[CurveRow]
    """The curves; at least one."""
    beside: Sequence[Judged] = ()
    """Of a panel of continuous metrics, the headline metrics of the same answers."""


def panels_figure(
    panels: Sequence[Panel], *, title: str, columns: int, panel_height: float, look: FigureLook, weight: float = 1.0
) -> go.Figure:
    """The panels row by row, all on one axis of scale, whose title stands below the lowest panel of each column.

    Args:
        panels: at least one.
        title: of the figure, as plain text; empty for none.
        columns: how many panels stand side by side.
        panel_height: height of the axes of a panel, in pixels.
        look: what is shown.
        weight: thickness of lines and markers, 1 in a large panel.
    """
    curves = [row.curve for panel in panels for row in panel.rows]
    wide = (look.width - _EDGES - (columns - 1) * _SIDE) / columns
    heads = [_head(panel, look, wide) for panel in panels]
    above = _LINE * max(head.count("<br>") + 1 if head else 0 for head in heads)
    lines, axis = lines_of(curves), scale_axis(curves, titled=columns == 1)
    untitled = {name: value for name, value in axis.items() if not name.startswith("title")}
    figure, plot = _empty(heads, columns, panel_height, above, wide)
    room = above + (TITLED if title else UNTITLED)
    figure.update_layout(layout(title, height=round(room + plot + _BELOW)))
    figure.update_layout(margin={"t": room, "b": _BELOW}, legend_y=1 + (above + 6) / plot)
    figure.update_annotations(font_size=FONT_SIZE)
    figure.update_xaxes(untitled, showticklabels=columns == 1)
    drawn: list[Drawn] = []
    shapes: list[Drawn] = []
    notes: list[Drawn] = []
    places = math.ceil(len(panels) / columns) * columns
    empty = range(len(panels) + 1, places + 1)
    axes: dict[str, Any] = {f"{letter}axis{number}": {"visible": False} for number in empty for letter in "xy"}
    for number, (panel, ends) in enumerate(zip(panels, _ranges(panels, look), strict=True), start=1):
        if not panel.rows:
            axes[f"xaxis{number}"] = axes[f"yaxis{number}"] = {"visible": False}
            continue
        axes[f"yaxis{number}"] = {"range": ends, "title": {"text": _y_title(panel, columns, panel_height)}}
        if number > len(panels) - columns:
            axes[f"xaxis{number}"] = {"showticklabels": True, "title": {"text": _x_title(curves[0], columns)}}
        if all(same_place(row.curve) for row in panel.rows):
            notes.append(_said(same_place_text(panel.rows[0].curve), wide, number))
            continue
        drawn += in_panel(number, _traces(panel, lines, axis, look, weight))
        shapes += threshold_shapes(panel.rows, lines, number) if look.thresholds else []
        notes += name_notes(panel.rows, lines, axis, wide, number) if look.names else []
    add(figure, [*drawn, *([threshold_key()] if shapes else [])])
    return figure.update_layout(axes | {"shapes": shapes, "annotations": [*figure.layout.annotations, *notes]})


def _traces(panel: Panel, lines: Lines, axis: Mapping[str, Any], look: FigureLook, weight: float) -> Iterator[Drawn]:
    """The levels below the curves, so that none is hidden by them."""
    yield from draw_levels([row.curve for row in panel.rows], axis, ceiling=not look.own_axes)
    for row in panel.rows:
        yield from draw_row(row, lines, weight=weight)


def _empty(
    heads: Sequence[str], columns: int, panel_height: float, above: float, wide: float
) -> tuple[go.Figure, float]:
    """Panels without curves, and the height of all axes together with the room between them."""
    rows = math.ceil(len(heads) / columns)
    gap = above + _GAP
    plot = rows * panel_height + (rows - 1) * gap
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[*heads] if any(heads) else None,
        horizontal_spacing=_SIDE / (columns * wide + (columns - 1) * _SIDE) if columns > 1 else 0.0,
        vertical_spacing=gap / plot if rows > 1 else 0.0,
    )
    return figure, plot


def _ranges(panels: Sequence[Panel], look: FigureLook) -> list[tuple[float, float]]:
    """The y range of each panel: panels of scores between 0 and 1, and those of one metric, share theirs."""

    def shared(panel: Panel) -> str:
        curve = panel.rows[0].curve
        return "a share" if counts_documents(curve) else curve.metric.name

    together: dict[str, list[CurveRow]] = {}
    for panel in panels:
        if panel.rows:
            together.setdefault(shared(panel), []).extend(panel.rows)
    if look.own_axes:
        ranges = [score_range(panel.rows, tight=True) if panel.rows else _NOTHING for panel in panels]
    else:
        of_group = {name: score_range(rows) for name, rows in together.items()}
        ranges = [of_group[shared(panel)] if panel.rows else _NOTHING for panel in panels]
    return [(low, high + (_NAMES * (high - low) if look.names else 0.0)) for low, high in ranges]


def _head(panel: Panel, look: FigureLook, wide: float) -> str:
    """What stands above a panel: its title, and the verdicts on its curves."""
    said = ""
    if look.verdicts:
        said = _early(panel.beside) or verdicts_said([row for row in panel.rows if isinstance(row, Judged)])
    most = max(12, int(wide / _CHARACTER))
    title = [f"<b>{literal(shortened(panel.title, most))}</b>"] if panel.title else []
    return "<br>".join([*title, *(literal(line) for line in textwrap.wrap(said, most))])


def _early(rows: Sequence[Judged]) -> str:
    """Whether the continuous metric improves where the headline shows nothing yet; empty where that is not known."""
    trends = [row.verdict.partner_trend for row in rows]
    early = [trend.rises_below for trend in trends if trend is not None and trend.rises_below is not None]
    if not any(early):
        return "does not improve earlier" if early else ""
    where = "" if all(early) else f" in {sum(early)} of {len(early)} settings"
    return f"improves earlier than the headline{where}"


def verdicts_said(rows: Sequence[Judged]) -> str:
    """The verdicts on the curves of a panel: one that all have, each of two, or how many got which."""
    said = Counter(label_text(row.verdict) for row in rows)
    if len(said) < 2:
        return next(iter(said), "")
    if len(rows) <= _VERDICTS_NAMED:
        several = len({row.curve.family for row in rows}) > 1
        return "; ".join(
            f"{row.curve.family if several else row.curve.label}: {label_text(row.verdict)}" for row in rows
        )
    return "; ".join(f"{number}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{label}" for label, number in said.most_common())


def _y_title(panel: Panel, columns: int, height: float) -> str:
    """Metric and unit, on two lines beside a small panel, or one that is not as high as they are long."""
    title = score_title(panel.rows[0].curve)
    name, bracket, unit = title.partition(" (")
    if columns == 1 and len(title) * _CHARACTER <= height:
        return literal(title)
    return literal(name) + (f"<br>{literal(bracket.strip() + unit)}" if unit else "")


def _x_title(curve: Curve, columns: int) -> str:
    title = AXIS_TITLES[curve.scale]
    return title if columns == 1 else title.removesuffix(" (log scale)")


def _said(sentence: str, wide: float, number: int) -> Drawn:
    """A sentence in the middle of a panel that has no curves."""
    lines = textwrap.wrap(f"No curve: {sentence}.", max(12, int(0.9 * wide / _CHARACTER)))
    return {
        "text": "<br>".join(map(literal, lines)),
        "xref": f"{axis_name('x', number)} domain",
        "yref": f"{axis_name('y', number)} domain",
        "x": 0.5,
        "y": 0.5,
        "showarrow": False,
    }
