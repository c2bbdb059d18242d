"""One panel of curves over scale: lines with error bars, chance, growth forms, thresholds, the axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import plotly.graph_objects as go

from harness.analysis.curves import AXIS_TITLES, Curve, Point
from harness.analysis.growth import MISFIT, Trace
from harness.analysis.verdict import CurveRow, Judged
from harness.figures.style import COLOURS, GREY, SYMBOLS, faint, literal
from harness.wording import count, counted, interval, number, score

_STRIP = 0.035
"""Height of a threshold's strip where several share a panel, as a share of the panel."""
_OTHER_FORMS = 0.25
"""Opacity of growth forms that describe a curve less well."""

Drawn = dict[str, Any]
"""One plotly trace as a dict; a figure adds all of them at once, because adding one by one takes thrice as long."""


class Line(NamedTuple):
    """How one setting is told from the others: by name, by colour and by shape."""

    name: str
    """Family and setting, as plain text."""
    colour: str
    """Colour of line and markers."""
    symbol: str
    """Shape of the markers, as plotly names it."""


Lines = Mapping[tuple[str, str], Line]
"""Family and label of a curve -> how it is drawn."""


def lines_of(curves: Sequence[Curve]) -> Lines:
    """How to draw each family and setting, in the order of the curves; families are named when there are several."""
    keys = list(dict.fromkeys((c.family, c.label) for c in curves))
    several = len({family for family, _ in keys}) > 1
    names = [f"{family}, {label}" if several else label for family, label in keys]
    return dict(zip(keys, map(Line, names, cycle(COLOURS), cycle(SYMBOLS)), strict=True))


def draw_row(row: CurveRow, lines: Lines, *, weight: float = 1.0) -> Iterator[Drawn]:
    """One curve with error bars, and a ring round the first size from which on it is above chance.

    A line joins its points, except where a model has no score. When a growth form describes the curve, that form is
    drawn instead of the line, and further forms faintly.

    Args:
        row: the curve; a ring is drawn when it was judged.
        lines: colour and shape of each setting.
        weight: thickness of lines and markers, 1 in a large panel.
    """
    line = lines[row.curve.family, row.curve.label]
    traces = row.traces if described(row) else ()
    for rank, trace in reversed([*enumerate(traces)]):
        yield _form(trace, line, best=rank == 0)
    yield from _draw_runs(row.curve, line, weight)
    yield draw_points(row.curve, line, joined=not traces, weight=weight)
    if isinstance(row, Judged) and row.verdict.reliable_from is not None:
        yield _ring(row.curve, row.verdict.reliable_from, line, weight)


def draw_points(curve: Curve, line: Line, *, joined: bool, weight: float = 1.0) -> Drawn:
    """The points of one curve with error bars."""
    places = _places(curve)
    return {
        "type": "scatter",
        "x": [p.x for p in places],
        "y": [p.y for p in places],
        "name": literal(line.name),
        "legendgroup": literal(line.name),
        "mode": "lines+markers" if joined else "markers",
        "line": {"color": line.colour, "width": 2 * weight},
        "marker": {"symbol": line.symbol, "size": 7 * weight, "color": line.colour},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [p.above for p in places],
            "arrayminus": [p.below for p in places],
            "thickness": 1.2 * weight,
            "width": 3 * weight,
            "color": line.colour,
        },
        "customdata": [p.hover for p in places],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _draw_runs(curve: Curve, line: Line, weight: float) -> Iterator[Drawn]:
    """A faint dot for each training run of the sizes that have several."""
    repeated = [point for point in curve.points if len(point.runs) > 1]
    runs = [named for point in repeated for named in zip(point.run_names, point.runs, strict=True)]
    if runs:
        yield {
            "type": "scatter",
            "x": [run.x for _, run in runs],
            "y": [run.estimate.value for _, run in runs],
            "mode": "markers",
            "marker": {"symbol": "circle", "size": 4 * weight, "color": line.colour, "opacity": 0.5},
            "legendgroup": literal(line.name),
            "showlegend": False,
            "customdata": [
                f"<b>{literal(run.model)}</b> run {literal(name)}<br>{score(run.estimate.value)}" for name, run in runs
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        }


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
        "line": {"color": line.colour, "width": 1.2},
        "opacity": 1.0 if best else _OTHER_FORMS,
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


def draw_chance(curves: Sequence[Curve], axis: Mapping[str, Any]) -> Iterator[Drawn]:
    """A dashed line over the whole axis for each chance level of the curves.

    It is a trace and not a shape, because plotly takes quadratic time to add shapes one by one.
    """
    for chance in sorted({c.metric.chance for c in curves if c.metric.chance is not None}):
        yield {
            "type": "scatter",
            "x": axis["range"] if axis["type"] == "linear" else [10.0**end for end in axis["range"]],
            "y": [chance, chance],
            "name": "chance",
            "legendgroup": "chance",
            "mode": "lines",
            "line": {"color": GREY, "dash": "dash", "width": 1.2},
            "hoverinfo": "skip",
        }


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


def draw_thresholds(figure: go.Figure, rows: Sequence[CurveRow], lines: Lines) -> None:
    """Shade the interval of the threshold in the first panel; several thresholds become strips at its upper edge.

    Bands and strips are shapes and not traces, because they must not stretch the axes.
    """
    found = with_threshold(rows)
    shapes = []
    for place, row in enumerate(found):
        curve, verdict = row.curve, row.verdict
        foot, head = (0.0, 1.0) if len(found) == 1 else (1 - (place + 0.8) * _STRIP, 1 - place * _STRIP)
        colour = lines[curve.family, curve.label].colour
        ends = min(curve.x), max(curve.x)
        low, high = (
            end if bound is None else bound
            for end, bound in zip(ends, (verdict.threshold_low, verdict.threshold_high), strict=True)
        )
        common = {"xref": "x", "yref": "y domain", "y0": foot, "y1": head, "layer": "below"}
        band = faint(colour, 0.12 if len(found) == 1 else 0.3)
        shapes.append({"type": "rect", "x0": low, "x1": high, "fillcolor": band, "line": {"width": 0}, **common})
        line = {
            "color": colour,
            "width": 1.4 if len(found) == 1 else 2.5,
            "dash": "dot" if len(found) == 1 else "solid",
        }
        shapes.append({"type": "line", "x0": verdict.threshold, "x1": verdict.threshold, "line": line, **common})
    figure.update_layout(shapes=shapes)


def with_threshold(rows: Sequence[CurveRow]) -> list[Judged]:
    """The judged rows whose threshold can be drawn."""
    return [row for row in rows if isinstance(row, Judged) and row.verdict.threshold is not None]


def score_title(curve: Curve) -> str:
    """What the y axis shows and in which unit; says so when lower is better."""
    metric = curve.metric
    direction = "" if metric.higher_is_better else ", lower is better"
    unit = "share of documents" if metric.best == 1.0 and not metric.continuous else "mean"
    return f"{metric.name} ({unit}{direction})"


def scale_axis(curves: Sequence[Curve], *, titled: bool, also: Sequence[float] = ()) -> dict[str, Any]:
    """A logarithmic axis with ticks written as in names of models (100k, 1M, 10M); or a loss that falls to the right.

    Args:
        curves: the curves that are drawn on it.
        titled: the axis gets a title; panels without one are small, and get fewer ticks.
        also: further places that must lie on the axis, in its unit.
    """
    places = [*also, *(x for curve in curves for x in curve.x)]
    low, high = min(places), max(places)
    title = {"title_text": AXIS_TITLES[curves[0].scale]} if titled else {}
    if curves[0].scale == "loss":
        room = 0.04 * (high - low or 1.0)
        return {"type": "linear", "range": [high + room, low - room], **title}
    steps = (1, 2, 5) if high / low < (1e3 if titled else 30) else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**d for d in decades for step in steps if low / 1.5 <= step * 10.0**d <= high * 1.5]
    return {
        "type": "log",
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [*map(number, ticks)],
        # Room on both sides, so that no marker is cut at the edge of the panel.
        "range": [math.log10(low) - 0.12, math.log10(high) + 0.12],
        **title,
    }
