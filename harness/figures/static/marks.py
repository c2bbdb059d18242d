"""Traces as SVG: lines, points, error bars, bands, bars and heat maps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.figures.static.axes import PixelAxis
from harness.figures.static.text import INK, px, svg_text, text_width

DrawnTrace = Mapping[str, Any]
_DASHES = {"dash": "6 4", "dot": "1.5 3", "dashdot": "6 3 1.5 3", "longdash": "10 4", "longdashdot": "10 3 2 3"}
_HALF = math.sqrt(0.5)
_SHADES = 80
"""Steps of a scale of colours."""
_AROUND = 4.0
"""Least pixels of the cell of a heat map beside its text."""


def scatter(trace: DrawnTrace, x: PixelAxis, y: PixelAxis, before: DrawnTrace | None, font: float) -> Iterator[str]:
    """Everything of one scatter trace, what lies below first.

    Args:
        trace: the trace.
        x: its axis.
        y: its axis.
        before: the trace before it, up to which a band may reach.
        font: size of letters, in pixels.
    """
    points = _points(trace, x, y)
    mode, opacity = trace.get("mode", "lines"), _opacity(trace)
    if trace.get("fill") == "tonexty" and before is not None:
        yield _area([p for p in points if p] + [p for p in reversed(_points(before, x, y)) if p], trace)
    elif trace.get("fill") == "toself":
        yield from (_area(part, trace) for part in _parts(points))
    for name, along, across in (("error_y", y, x), ("error_x", x, y)):
        if (bars := trace.get(name)) and bars.get("array") is not None:
            yield error_bars(trace, bars, along, across)
    width = trace.get("line", {}).get("width", 2)
    if "lines" in mode and width:
        path = "".join("M" + " ".join(f"{px(a)} {px(b)}" for a, b in part) for part in _parts(points) if part)
        dash = _DASHES.get(trace["line"].get("dash", "solid"))
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        stroke = f'stroke="{trace["line"]["color"]}" stroke-width="{px(width, 2)}"'
        yield f'<path d="{path}" fill="none" {stroke}{dashed}{opacity}/>'
    if "markers" in mode:
        yield symbols([p for p in points if p], trace.get("marker", {}), opacity)
    if "text" in mode:
        yield from _names(points, trace, font)


def _names(points: Sequence[tuple[float, float] | None], trace: DrawnTrace, font: float) -> Iterator[str]:
    """The texts above points, to their right or to their left."""
    size, sides = trace.get("textfont", {}).get("size", font), trace.get("textposition", "top right")
    sides = [sides] * len(points) if isinstance(sides, str) else sides
    for point, text, side in zip(points, trace.get("text") or (), sides, strict=False):
        if point and text:
            away, anchor = (-size / 2, "end") if side == "top left" else (size / 2, "start")
            yield svg_text(text, point[0] + away, point[1] - 0.7 * size, size=size, anchor=anchor)


def _points(trace: DrawnTrace, x: PixelAxis, y: PixelAxis) -> list[tuple[float, float] | None]:
    placed = [(x.place(a), y.place(b)) for a, b in zip(trace.get("x") or (), trace.get("y") or (), strict=False)]
    return [None if a is None or b is None else (a, b) for a, b in placed]


def _parts(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Runs of points between gaps."""
    parts: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            parts.append([])
        else:
            parts[-1].append(point)
    return parts


def _area(points: Sequence[tuple[float, float]], trace: DrawnTrace) -> str:
    colour, opacity = plain_colour(trace.get("fillcolor", "#808080"))
    path = "L".join(f"{px(a)} {px(b)}" for a, b in points)
    return f'<path d="M{path}Z" fill="{colour}" fill-opacity="{opacity}"/>' if path else ""


def error_bars(trace: DrawnTrace, of: Mapping[str, Any], along: PixelAxis, across: PixelAxis) -> str:
    """The bars of all points as one path, with caps where they are asked for."""
    upright = along.letter == "y"
    values, others = (trace["y"], trace["x"]) if upright else (trace["x"], trace["y"])
    above, below = of["array"], of.get("arrayminus") or of["array"]
    cap = of.get("width", 4)
    path = []
    for value, other, up, down in zip(values, others, above, below, strict=False):
        at = across.place(other)
        if at is None or value is None or up is None or down is None:
            continue
        places = [along.place(value + up), along.place(value - down)]
        ends = [along.share(0.0) if place is None else place for place in places]
        first, last = (min(max(end, min(along.pixels)), max(along.pixels)) for end in ends)
        caps = [end for end in ends if cap and along.holds(end)]  # a bar that leaves the axes has no end on them
        if upright:
            path.append(f"M{px(at)} {px(first)}V{px(last)}")
            path += [f"M{px(at - cap)} {px(end)}h{px(2 * cap)}" for end in caps]
        else:
            path.append(f"M{px(first)} {px(at)}H{px(last)}")
            path += [f"M{px(end)} {px(at - cap)}v{px(2 * cap)}" for end in caps]
    colour, opacity = plain_colour(of.get("color", "#808080"))
    thin = px(of.get("thickness", 1), 2)
    shine = "" if opacity == "1" else f' stroke-opacity="{opacity}"'
    return f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="{thin}"{shine}/>' if path else ""


def symbols(points: Sequence[tuple[float, float]], marker: Mapping[str, Any], opacity: str = "") -> str:
    """The markers of a trace as one path."""
    if not points:
        return ""
    kind, size = marker.get("symbol", "circle"), marker.get("size", 6)
    colour = marker.get("color", "#222222")
    if "opacity" in marker and marker["opacity"] != 1:
        opacity = f' opacity="{px(marker["opacity"], 2)}"'
    edge = marker.get("line", {}).get("width", 0)
    if kind == "circle":  # a dot is a line of no length with round ends
        path = "".join(f"M{px(a)} {px(b)}h0" for a, b in points)
        looks = f'stroke="{colour}" stroke-width="{px(size)}" stroke-linecap="round"'
    else:
        path = "".join(_SHAPES[kind.removesuffix("-open")](a, b, size / 2) for a, b in points)
        if kind.endswith("-open") or kind == "line-ew":
            edge_colour = marker.get("line", {}).get("color", colour)
            looks = f'fill="none" stroke="{edge_colour}" stroke-width="{px(edge or 1.5, 2)}"'
        else:
            looks = f'fill="{colour}"'
    return f'<path d="{path}" {looks}{opacity}/>'


def _polygon(corners: Sequence[tuple[float, float]]) -> Callable[[float, float, float], str]:
    """A shape from its corners, given for a marker of size 2 about the origin."""

    def draw(x: float, y: float, r: float) -> str:
        return "M" + "L".join(f"{px(x + a * r)} {px(y + b * r)}" for a, b in corners) + "Z"

    return draw


def _circle(x: float, y: float, r: float) -> str:
    d = px(2 * r)
    return f"M{px(x - r)} {px(y)}a{px(r)} {px(r)} 0 1 0 {d} 0a{px(r)} {px(r)} 0 1 0 -{d} 0"


def _turned(corners: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(_HALF * (a - b), _HALF * (a + b)) for a, b in corners]


_QUARTER = [(0.35, -1.1), (0.35, -0.35), (1.1, -0.35)]
_PLUS = [
    *_QUARTER,
    *((a, -b) for a, b in reversed(_QUARTER)),
    *((-a, -b) for a, b in _QUARTER),
    *((-a, b) for a, b in reversed(_QUARTER)),
]
_SHAPES: Mapping[str, Callable[[float, float, float], str]] = {
    "circle": _circle,
    "square": _polygon([(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
    "diamond": _polygon([(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)]),
    "triangle-up": _polygon([(0, -1.15), (1.1, 0.75), (-1.1, 0.75)]),
    "cross": _polygon(_PLUS),
    "x": _polygon(_turned(_PLUS)),
    "line-ew": lambda x, y, r: f"M{px(x - 1.4 * r)} {px(y)}h{px(2.8 * r)}",
}


def _opacity(trace: DrawnTrace) -> str:
    value = trace.get("opacity", 1)
    return "" if value == 1 else f' opacity="{px(value, 2)}"'


def plain_colour(colour: str) -> tuple[str, str]:
    """A colour and its opacity apart, because not every program reads `rgba`."""
    if not colour.startswith("rgba"):
        return colour, "1"
    *parts, opacity = colour[5:-1].split(",")
    return "#{:02x}{:02x}{:02x}".format(*(int(float(part)) for part in parts)), px(float(opacity), 3)


def bars(traces: Sequence[DrawnTrace], x: PixelAxis, y: PixelAxis, font: float) -> Iterator[str]:
    """Horizontal bars of several traces, stacked."""
    reached: dict[object, float] = {}
    height = 0.75 * abs(y.at(1) - y.at(0))
    for trace in traces:
        for name, value, text in zip(trace["y"], trace["x"], trace.get("text") or (), strict=False):
            begin = reached.get(name, 0.0)
            reached[name] = begin + value
            left, right, middle = x.at(begin), x.at(begin + value), y.place(name)
            if not value or middle is None:
                continue
            box = f'x="{px(left)}" y="{px(middle - height / 2)}" width="{px(right - left)}"'
            yield f'<rect {box} height="{px(height)}" fill="{trace["marker"]["color"]}"/>'
            yield svg_text(str(text), (left + right) / 2, middle, size=font, colour="#ffffff")


def heat(trace: DrawnTrace, x: PixelAxis, y: PixelAxis, font: float) -> Iterator[str]:
    """The cells of a heat map, those of one colour together, with their texts where they have some."""
    wide, high = abs(x.at(1) - x.at(0)), abs(y.at(1) - y.at(0))
    box = f"h{px(wide - 2)}v{px(high - 2)}h-{px(wide - 2)}z"
    texts = trace.get("text")
    if texts and max(text_width(text, font) for row in texts for text in row) > wide - _AROUND:
        texts = None  # which would run into each other
    cells: dict[str, list[str]] = {}
    said = []
    for row, name in enumerate(trace["y"]):
        for column, model in enumerate(trace["x"]):
            value, middle, centre = trace["z"][row][column], x.place(model), y.place(name)
            if value is None or middle is None or centre is None:
                continue
            colour = scale_colour(trace, value)
            cells.setdefault(colour, []).append(f"M{px(middle - wide / 2 + 1)} {px(centre - high / 2 + 1)}{box}")
            if texts:
                said.append(svg_text(texts[row][column], middle, centre, size=font, colour=_readable_on(colour)))
    yield from (f'<path fill="{colour}" d="{"".join(paths)}"/>' for colour, paths in cells.items())
    yield from said


def scale_colour(trace: DrawnTrace, value: float) -> str:
    """The colour of a value on the colour scale of a heat map."""
    low, high = trace["zmin"], trace["zmax"]
    share = min(1.0, max(0.0, (value - low) / ((high - low) or 1.0)))
    share = round(share * _SHADES) / _SHADES
    stops = trace["colorscale"]
    after = next((i for i, stop in enumerate(stops) if stop[0] >= share), len(stops) - 1)
    (a, first), (b, last) = stops[max(0, after - 1)], stops[after]
    part = (share - a) / ((b - a) or 1.0)
    mixed = (round(p + part * (q - p)) for p, q in zip(_rgb(first), _rgb(last), strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def _rgb(colour: str) -> tuple[int, ...]:
    if colour.startswith("#"):
        return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return tuple(int(float(part)) for part in colour[colour.index("(") + 1 : -1].split(",")[:3])


def _readable_on(colour: str) -> str:
    red, green, blue = _rgb(colour)
    return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else INK
