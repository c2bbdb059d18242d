"""One panel of curves over scale: lines with error bars, chance, growth forms, thresholds, the axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import plotly.graph_objects as go

from harness.analysis.curves import AXIS_TITLES, Curve, Point
from harness.analysis.growth import MISFIT, Trace
from harness.analysis.verdict import Verdict, threshold
from harness.figures.style import COLOURS, GREY, SYMBOLS, faint, literal
from harness.wording import count, counted, interval, number, one_decimal, score, span

_NAMED_GAPS = 3
_STRIP = 0.035
"""Height of a threshold's strip where several share a panel, as a share of the panel."""
_OTHER_FORMS = 0.25
"""Opacity of growth forms that describe a curve less well."""

Traces = Mapping[Curve, Sequence[Trace]]
Drawn = dict[str, Any]
"""What plotly calls a trace, as a dict: all of a figure are added at once, one by one they take thrice the time."""


class Line(NamedTuple):
    """How one setting is told from the others: by name, by colour and by shape."""

    name: str
    colour: str
    symbol: str


def lines_of(curves: Sequence[Curve]) -> dict[tuple[str, str], Line]:
    """A line for each family and setting, in the order met; the family is named only when there are several."""
    keys = list(dict.fromkeys((c.family, c.label) for c in curves))
    several = len({family for family, _ in keys}) > 1
    names = [literal(f"{family}, {label}" if several else label) for family, label in keys]
    return dict(zip(keys, map(Line, names, cycle(COLOURS), cycle(SYMBOLS)), strict=True))


def draw_curve(
    curve: Curve,
    drawn_as: Line,
    verdicts: Sequence[Verdict],
    *,
    traces: Sequence[Trace] = (),
    joined: bool = True,
    weight: float = 1.0,
) -> Iterator[Drawn]:
    """One curve with error bars, and a ring round its first reliable size.

    Its points are joined, except where a model has no score; the best growth form does that instead where one
    describes the curve. Without `joined` nothing joins them.
    """
    traces = traces if _described(traces) else ()
    for rank, trace in reversed([*enumerate(traces)]):
        yield _form(trace, drawn_as, best=rank == 0)
    places = _places(curve)
    yield {
        "type": "scatter",
        "x": [p.x for p in places],
        "y": [p.y for p in places],
        "name": drawn_as.name,
        "legendgroup": drawn_as.name,
        "mode": "lines+markers" if joined and not traces else "markers",
        "line": {"color": drawn_as.colour, "width": 2 * weight},
        "marker": {"symbol": drawn_as.symbol, "size": 7 * weight, "color": drawn_as.colour},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [p.above for p in places],
            "arrayminus": [p.below for p in places],
            "thickness": 1.2 * weight,
            "width": 3 * weight,
            "color": drawn_as.colour,
        },
        "customdata": [p.hover for p in places],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    ring = next((v for v in verdicts if v.curve == curve and v.reliable_from is not None), None)
    if ring is None:
        return
    place = curve.x.index(ring.reliable_from)
    yield {
        "type": "scatter",
        "x": [curve.x[place]],
        "y": [curve.y[place]],
        "mode": "markers",
        "marker": {
            "symbol": "circle-open",
            "size": 16 * weight,
            "color": drawn_as.colour,
            "line": {"width": 2 * weight},
        },
        "hoverinfo": "skip",
        "legendgroup": drawn_as.name,
        "showlegend": False,
    }


def _described(traces: Sequence[Trace]) -> bool:
    return bool(traces) and traces[0].scatter <= MISFIT


def _form(trace: Trace, drawn_as: Line, *, best: bool) -> Drawn:
    # Five digits are finer than a screen, and a page of hundreds of lines stays half as large.
    x, y = ([float(f"{value:.5g}") for value in along] for along in (trace.x, trace.y))
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "mode": "lines",
        "line": {"color": drawn_as.colour, "width": 1.2},
        "opacity": 1.0 if best else _OTHER_FORMS,
        "legendgroup": drawn_as.name,
        "showlegend": False,
        "hovertemplate": f"{trace.form}, weight {number(trace.weight)}<extra></extra>",
    }


class _Place(NamedTuple):
    """One x of a line as plotly wants it; y None breaks the line."""

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
    gaps = [_Place(x=gap.x) for gap in curve.missing if gap.x is not None]
    return sorted([*points, *gaps], key=lambda place: place.x)


def _hover(point: Point, curve: Curve) -> str:
    made = point.estimate
    lines = [
        f"<b>{literal(point.model)}</b> ({number(point.x)})",
        literal(f"{curve.metric.name} {score(made.value)}, {curve.family} {curve.label}"),
        "spread unknown" if point.low is None else f"95 % interval {interval(point.low, point.high)}",
        f"n = {count(made.n)}" + (f" of {count(point.n_expected)} expected" if made.n < point.n_expected else ""),
    ]
    lines += [f"{made.seeds} few-shot seeds"] if made.seeds > 1 else []
    lines += [f"{counted(point.n_truncated, 'prompt')} cut to fit"] if point.n_truncated else []
    return "<br>".join(lines)


def draw_chance(panel: Sequence[Curve], axis: Mapping[str, Any]) -> Iterator[Drawn]:
    """A dashed line over the whole axis. A trace, not a shape: adding shapes one by one takes plotly quadratic time."""
    for chance in sorted({c.metric.chance for c in panel if c.metric.chance is not None}):
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


def in_panel(number: int, drawn: Iterable[Drawn]) -> Iterator[Drawn]:
    """`drawn` on the axes of a panel of `make_subplots`, which counts from 1, row by row."""
    for each in drawn:
        yield {**each, "xaxis": f"x{number}", "yaxis": f"y{number}"}


def add(figure: go.Figure, drawn: Iterable[Drawn]) -> None:
    """Put `drawn` into the figure, with one entry in the legend for all of a name."""
    seen: set[object] = set()
    shown = []
    for each in drawn:
        name = each.get("name")
        shown.append(each if name is None else {**each, "showlegend": name not in seen})
        seen.add(name)
    figure.add_traces(shown)


def draw_thresholds(
    figure: go.Figure, curves: Sequence[Curve], lines: Mapping[tuple[str, str], Line], verdicts: Sequence[Verdict]
) -> None:
    """A shaded band over the interval of the threshold; strips at the head of the panel when there are several.

    Shapes and not traces, because they must not stretch the axes; drawn in the first panel.
    """
    found = thresholds_of(curves, verdicts)
    shapes = []
    for place, verdict in enumerate(found):
        foot, head = (0.0, 1.0) if len(found) == 1 else (1 - (place + 0.8) * _STRIP, 1 - place * _STRIP)
        colour = lines[verdict.curve.family, verdict.curve.label].colour
        ends = min(verdict.curve.x), max(verdict.curve.x)
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


def thresholds_of(curves: Sequence[Curve], verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on these curves that name a threshold."""
    return [v for v in verdicts if v.threshold is not None and v.curve in curves]


def score_title(curve: Curve) -> str:
    """What the y axis shows, in which unit, and which way is better if it is down."""
    metric = curve.metric
    direction = "" if metric.higher_is_better else ", lower is better"
    unit = "share of documents" if metric.best == 1.0 and not metric.continuous else "mean"
    return f"{metric.name} ({unit}{direction})"


def scale_axis(curves: Sequence[Curve], *, titled: bool, also: Sequence[float] = ()) -> dict[str, Any]:
    """A log axis with the tick labels of model names, 100k, 1M, 10M; or a loss, falling to the right.

    Small untitled panels get fewer ticks. `also` are further places to be seen.
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


def describe(curves: Sequence[Curve], verdicts: Sequence[Verdict], traces: Traces, *, thresholds: bool) -> str:
    """The caption of panels: error bars, documents, rings, bands, forms, gaps."""
    documents = span(n for c in curves for n in c.n)
    seeds = max(e.seeds for c in curves for e in c.estimates)
    parts = [
        f"Bars: 95 % interval (Wilson for proportions, else normal). n = {documents} documents per point"
        + (f", mean of up to {seeds} few-shot seeds." if seeds > 1 else ".")
    ]
    drawn = [c for c in curves if c.rank == 0]
    if any(v.reliable_from is not None for v in verdicts if v.curve in drawn):
        parts.append("Ring: this size and all larger ones are above chance.")
    found = thresholds_of(drawn, verdicts) if thresholds else []
    if found:
        each = "; ".join(f"{v.curve.label} {threshold(v)}" for v in found)
        where = "Shaded" if len(found) == 1 else "Strips"
        parts.append(f"{where}: where the curve passes chance by 5 points of 100, with its 95 % interval: {each}.")
    best = {c.label: traces[c] for c in drawn if traces.get(c)}
    forms = [f"{name} {found[0].form} ({number(found[0].weight)})" for name, found in best.items() if _described(found)]
    if forms:
        parts.append(f"Thin lines: the growth form that describes each curve best (Akaike weight): {', '.join(forms)}.")
    without = [f"{name} ({one_decimal(found[0].scatter)})" for name, found in best.items() if not _described(found)]
    if without:
        parts.append(
            "No growth form describes these: sizes scatter more than documents explain, by the factor in brackets: "
            f"{', '.join(without)}."
        )
    missing = list(dict.fromkeys(f"{gap.model} {c.task} {c.shots}-shot" for c in curves for gap in c.missing))
    if missing:
        more = f" and {len(missing) - _NAMED_GAPS} more" if len(missing) > _NAMED_GAPS else ""
        parts.append(f"No point where there is no score: {', '.join(missing[:_NAMED_GAPS])}{more}.")
    return " ".join(parts)
