"""One panel of curves over scale: lines with error bars or bands, growth forms, rings, names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from harness.analysis.curves import Curve, Point
from harness.analysis.growth import MISFIT, Trace
from harness.analysis.verdict import CurveRow, Judged
from harness.figures.axes import axis_name, same_place
from harness.figures.lines import Line, Lines
from harness.figures.style import faint, literal
from harness.wording import count, counted, interval, number, score

_BAND = 0.18
"""Opacity of a band."""
_NAME_ROOM = 15
"""Pixels between two upright names, below which they would lie on each other."""

Drawn = dict[str, Any]
"""One plotly trace as a dict; a figure adds all of them at once, because adding one by one takes thrice as long."""


_USUAL_RANK = 1000
"""Place in the legend that plotly gives to traces without one, such as chance and the ceiling, which come first."""


def draw_row(row: CurveRow, lines: Lines, *, weight: float = 1.0) -> Iterator[Drawn]:
    """One curve with its intervals, and a ring round the first size from which on it is above chance.

    A line joins its points, except where a model has no score. When a growth form describes the curve, that form is
    drawn instead of the line, and further forms thinly. A curve of several training runs or few-shot seeds has a band
    for its intervals and a dot for each of them; any other has error bars.

    Args:
        row: the curve; a ring is drawn when it was judged.
        lines: colour, shape and dash of each setting.
        weight: thickness of lines and markers, 1 in a large panel.
    """
    line, curve = lines[row.curve.family, row.curve.label], row.curve
    traces = row.traces if described(row) else ()
    banded = repeated(curve)
    if banded:
        yield _draw_band(curve, line)
    for rank, trace in reversed([*enumerate(traces)]):
        yield _form(trace, line, best=rank == 0)
    yield from _draw_dots(curve, line, weight)
    points = draw_points(curve, line, joined=not (traces or same_place(curve)), bars=not banded, weight=weight)
    yield points | {"legendrank": _USUAL_RANK + line.place}
    if isinstance(row, Judged) and row.verdict.reliable_from is not None:
        yield _ring(curve, row.verdict.reliable_from, line, weight)


def draw_points(curve: Curve, line: Line, *, joined: bool, bars: bool = True, weight: float = 1.0) -> Drawn:
    """The points of one curve, with error bars where these are asked for."""
    places = _places(curve)
    drawn = {
        "type": "scatter",
        "x": [p.x for p in places],
        "y": [p.y for p in places],
        "name": literal(line.name),
        "legendgroup": literal(line.name),
        "mode": "lines+markers" if joined else "markers",
        "line": {"color": line.colour, "width": 2 * weight, "dash": line.dash},
        "marker": {"symbol": line.symbol, "size": 7 * weight, "color": line.colour},
        "customdata": [p.hover for p in places],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    if bars:
        drawn["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": [p.above for p in places],
            "arrayminus": [p.below for p in places],
            "thickness": 1.2 * weight,
            "width": 3 * weight,
            "color": line.colour,
        }
    return drawn


def repeated(curve: Curve) -> bool:
    """True for a curve whose intervals are drawn as a band: sizes with several training runs or few-shot seeds."""
    several = any(len(point.runs) > 1 or point.estimate.seeds > 1 for point in curve.points)
    return several and len(curve.points) > 1 and not same_place(curve)


def _draw_band(curve: Curve, line: Line) -> Drawn:
    """The intervals of a curve as one area, with a gap where a model has no score or its spread is not known."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    for part in _unbroken(_places(curve)):
        there = [(p.x, (p.y or 0.0) + (p.above or 0.0)) for p in part]
        back = [(p.x, (p.y or 0.0) - (p.below or 0.0)) for p in reversed(part)]
        for x, y in (*there, *back):
            xs.append(x)
            ys.append(y)
        xs.append(None)
        ys.append(None)
    return {
        "type": "scatter",
        "x": xs[:-1],
        "y": ys[:-1],
        "mode": "lines",
        "line": {"color": line.colour, "width": 0},
        "fill": "toself",
        "fillcolor": faint(line.colour, _BAND),
        "legendgroup": literal(line.name),
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _unbroken(places: Sequence[_Place]) -> list[list[_Place]]:
    """Runs of neighbouring places that have an interval."""
    parts: list[list[_Place]] = [[]]
    for place in places:
        if place.above is None or place.below is None:
            parts.append([])
        else:
            parts[-1].append(place)
    return [part for part in parts if part]


def _draw_dots(curve: Curve, line: Line, weight: float) -> Iterator[Drawn]:
    """A small dot for each training run of the sizes that have several, or for each few-shot seed where none has."""
    dots = [dot for point in curve.points for dot in _repetitions(point)]
    if dots:
        yield {
            "type": "scatter",
            "x": [x for x, _, _ in dots],
            "y": [y for _, y, _ in dots],
            "mode": "markers",
            "marker": {"symbol": "circle", "size": 3.5 * weight, "color": line.colour},
            "legendgroup": literal(line.name),
            "showlegend": False,
            "customdata": [hover for _, _, hover in dots],
            "hovertemplate": "%{customdata}<extra></extra>",
        }


def _repetitions(point: Point) -> Iterator[tuple[float, float, str]]:
    """Place, score and name of each training run, or else of each few-shot seed."""
    if len(point.runs) > 1:
        for name, run in zip(point.run_names, point.runs, strict=True):
            text = f"<b>{literal(run.model)}</b> run {literal(name)}<br>{score(run.estimate.value)}"
            yield run.x, run.estimate.value, text
        return
    for run in point.runs:
        for place, value in enumerate(run.of_seeds):
            yield run.x, value, f"<b>{literal(run.model)}</b> few-shot seed {place}<br>{score(value)}"


def _ring(curve: Curve, x: float, line: Line, weight: float) -> Drawn:
    return {
        "type": "scatter",
        "x": [x],
        "y": [curve.y[curve.x.index(x)]],
        "mode": "markers",
        "marker": {
            "symbol": "circle-open",
            "size": 16 * weight,
            "color": line.colour,
            "line": {"width": 2 * weight},
        },
        "hoverinfo": "skip",
        "legendgroup": literal(line.name),
        "showlegend": False,
    }


def described(row: CurveRow) -> bool:
    """True when the best growth form is near enough to the curve to be drawn through it."""
    return bool(row.traces) and row.traces[0].scatter <= MISFIT


def _form(trace: Trace, line: Line, *, best: bool) -> Drawn:
    # Five digits are finer than a screen, and a page of hundreds of lines stays half as large.
    x, y = ([float(f"{value:.5g}") for value in along] for along in (trace.x, trace.y))
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "mode": "lines",
        "line": {"color": line.colour, "width": 1.4 if best else 0.7, "dash": line.dash if best else "dot"},
        "legendgroup": literal(line.name),
        "showlegend": False,
        "hovertemplate": f"{trace.form}, weight {number(trace.weight)}<extra></extra>",
    }


class _Place(NamedTuple):
    """One place on a line as plotly wants it; where y is None, the line is broken."""

    x: float
    y: float | None = None
    above: float | None = None
    below: float | None = None
    hover: str = ""


def _places(curve: Curve) -> list[_Place]:
    points = [
        _Place(
            x=p.x,
            y=p.estimate.value,
            above=None if p.high is None else p.high - p.estimate.value,
            below=None if p.low is None else p.estimate.value - p.low,
            hover=_hover(p, curve),
        )
        for p in curve.points
    ]
    gaps = [_Place(x=gap.x) for gap in curve.gaps if gap.x is not None]
    return sorted([*points, *gaps], key=lambda place: place.x)


def _hover(point: Point, curve: Curve) -> str:
    estimate = point.estimate
    expected = f" of {count(point.n_expected)} expected" if estimate.n < point.n_expected else ""
    lines = [
        f"<b>{literal(point.name)}</b> ({number(point.x)})",
        literal(f"{curve.metric.name} {score(estimate.value)}, {curve.family} {curve.label}"),
        "spread unknown" if point.low is None else f"95 % interval {interval(point.low, point.high)}",
        "n unknown" if estimate.n_known is None else f"n = {count(estimate.n)}{expected}",
    ]
    lines += [f"mean of {len(point.runs)} training runs"] if len(point.runs) > 1 else []
    lines += [f"{estimate.seeds} few-shot seeds"] if estimate.seeds > 1 else []
    lines += [f"{counted(point.n_truncated, 'prompt')} cut to fit"] if point.n_truncated else []
    return "<br>".join(lines)


def in_panel(panel: int, drawn: Iterable[Drawn]) -> Iterator[Drawn]:
    """The same traces on the axes of one panel of `make_subplots`, which numbers panels from 1, row by row."""
    for each in drawn:
        yield {**each, "xaxis": f"x{panel}", "yaxis": f"y{panel}"}


def add(figure: go.Figure, drawn: Iterable[Drawn]) -> None:
    """Add the traces to the figure, with one entry in the legend for all traces of a name."""
    seen: set[object] = set()
    shown = []
    for each in drawn:
        name = each.get("name")
        shown.append(each if name is None else {**each, "showlegend": name not in seen})
        seen.add(name)
    figure.add_traces(shown)


def name_notes(
    rows: Sequence[CurveRow], lines: Lines, axis: Mapping[str, Any], width: float, panel: int
) -> Iterator[Drawn]:
    """The names of models, upright above their points: of each family once, where there is room.

    Args:
        rows: the curves of the panel.
        lines: colour of each setting.
        axis: the axis of scale.
        width: of the panel in pixels.
        panel: its number.
    """
    left, right = axis["range"]
    named: set[str] = set()
    for row in rows:
        curve = row.curve
        if curve.family in named:
            continue
        named.add(curve.family)
        last = -math.inf
        for point in sorted(curve.points, key=lambda p: p.x):
            place = point.x if axis["type"] == "linear" else math.log10(point.x)
            pixel = abs((place - left) / (right - left)) * width
            if abs(pixel - last) < _NAME_ROOM:
                continue
            last = pixel
            yield {
                "x": place,
                "y": point.estimate.value if point.high is None else point.high,
                "xref": axis_name("x", panel),
                "yref": axis_name("y", panel),
                "text": literal(point.name),
                "textangle": -90,
                "xanchor": "center",
                "yanchor": "bottom",
                "yshift": 5,
                "showarrow": False,
                "font": {"size": 10.5, "color": lines[curve.family, curve.label].colour},
            }
