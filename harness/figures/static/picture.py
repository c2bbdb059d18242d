"""A whole figure as SVG: axes, traces, shapes, legend and titles in their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import chain, count, pairwise
from typing import Any, NamedTuple

import plotly.graph_objects as go

from harness.figures.static import marks
from harness.figures.static.axes import PixelAxis, ends_of, fixed
from harness.figures.static.legend import Legend
from harness.figures.static.marks import DrawnTrace
from harness.figures.static.text import INK, USUAL, lines_in, px, svg_text, text_width

Options = Mapping[str, Any]
_GRID = "#d9d9d9"
_TICK = 5.0
"""Pixels of a tick, and of the room between it and its text."""
_SLANTED = 1.3
"""Least distance of two slanted texts, in units of their size."""
_BETWEEN = 1.1
"""Least distance of two ticks, in units of the width of their texts."""


class _Box(NamedTuple):
    """Where the axes lie, in pixels from the upper left."""

    left: float
    top: float
    right: float
    bottom: float


def to_svg(figure: go.Figure, *, width: float, size: str | None = None, style: str = "") -> str:
    """The figure as SVG on a transparent ground; its height is the figure's own, or more where a legend needs it.

    Args:
        figure: a figure of this package.
        width: in pixels.
        size: the width as the file says it, such as `3.3in`; None for pixels.
        style: a style sheet that goes into the picture, such as one with its font.
    """
    return _Picture(figure, width).svg(size, style)


class _Picture:
    """One figure on its way to SVG."""

    def __init__(self, figure: go.Figure, width: float) -> None:
        told = figure.to_dict()
        self.traces: list[DrawnTrace] = [trace for trace in told["data"] if trace.get("visible", True) is True]
        self.layout: Options = told["layout"]
        self.template: Options = (self.layout.get("template") or {}).get("layout", {})
        font = {**self.template.get("font", {}), **self.layout.get("font", {})}
        self.font, self.family = float(font.get("size", 12)), str(font.get("family", "sans-serif"))
        self.width, self.height = width, float(self.layout.get("height", 400))
        self.legend = Legend(self.traces, self.layout, self.font)
        told_axes = {"x" + name.removeprefix("xaxis") for name in self.layout if name.startswith("xaxis")}
        self.names = sorted({"x", *told_axes}, key=lambda name: int(name[1:] or 1))
        self.box = self._box()
        self.axes = dict(self._axes())

    # -- where things lie ---------------------------------------------------------------------------------------------

    def _options(self, name: str) -> Options:
        """What the figure says of an axis called `x2`."""
        return {**self.template.get(f"{name[0]}axis", {}), **self.layout.get(f"{name[0]}axis{name[1:]}", {})}

    def _domain(self, name: str) -> tuple[float, float]:
        low, high = self._options(name).get("domain", (0.0, 1.0))
        return low, high

    def _box(self) -> _Box:
        margin = self.layout.get("margin", {})
        rough = _Box(margin.get("l", 60), margin.get("t", 60), self.width - margin.get("r", 20), self.height)
        self.box, self.axes = rough, {}
        left, right = float(rough.left), self.width - rough.right
        for name in self.names:
            if self._domain(name)[0] < 0.01:
                left = max(left, self._room_left("y" + name[1:]))
        right += self.legend.width_beside()
        if any(trace.get("colorbar") or trace["type"] == "heatmap" for trace in self.traces):
            right += 70
        self.box = _Box(left, rough.top, self.width - right, self.height - margin.get("b", 60))
        more = max(0.0, self.legend.height_above(self.box.right - self._legend_left()) - self._room_above())
        more = max(more, self._colour_title() - margin.get("t", 60))
        bottom = max(margin.get("b", 60), self._room_below())
        self.height += more + bottom - margin.get("b", 60)
        return _Box(left, rough.top + more, self.width - right, self.height - bottom)

    def _room_left(self, name: str) -> float:
        """Pixels for ticks and title of a y axis."""
        options = self._options(name)
        axis = self._axis(name, (0.0, 1.0), (300.0, 0.0))
        ticks = max((text_width(text, self._tick_font(options)) for _, text in axis.ticks()), default=0.0)
        return 2 * _TICK + (ticks if options.get("showticklabels", True) else 0) + self._title_room(options) + 4

    def _room_below(self) -> float:
        """Pixels for ticks and titles of the x axes."""
        most = 0.0
        for name in self.names:
            options = self._options(name)
            if self._domain("y" + name[1:])[0] > 0.01 or not options.get("showticklabels", True):
                continue
            size = self._tick_font(options)
            slanted = options.get("tickangle")
            texts = [text for _, text in self._axis(name, (0.0, 1.0), (0.0, 300.0)).ticks()]
            deep = 0.65 * max((text_width(t, size) for t in texts), default=0.0) + size if slanted else 1.3 * size
            most = max(most, 2 * _TICK + deep + self._title_room(options))
        return most

    def _title_room(self, options: Options) -> float:
        title = options.get("title", {})
        text = title.get("text")
        return 0.0 if not text else title.get("standoff", 8) + 1.25 * self._title_font(options) * len(lines_in(text))

    def _tick_font(self, options: Options) -> float:
        return float(options.get("tickfont", {}).get("size", self.font))

    def _title_font(self, options: Options) -> float:
        return float(options.get("title", {}).get("font", {}).get("size", self.font))

    def _axes(self) -> Iterator[tuple[str, PixelAxis]]:
        box = self.box
        for name in self.names:
            number = name[1:]
            (x0, x1), (y0, y1) = self._domain(name), self._domain(f"y{number}")
            across, up = box.right - box.left, box.bottom - box.top
            yield name, self._axis(name, (x0, x1), (box.left + x0 * across, box.left + x1 * across))
            yield f"y{number}", self._axis(f"y{number}", (y0, y1), (box.bottom - y0 * up, box.bottom - y1 * up))

    def _axis(self, name: str, domain: tuple[float, float], pixels: tuple[float, float]) -> PixelAxis:
        options, letter = self._options(name), name[0]
        drawn = [t for t in self.traces if t.get(f"{letter}axis", letter) == name]
        values = [value for trace in drawn for value in _values(trace, letter)]
        names: list[object] = []
        if options.get("type") == "category" or any(isinstance(value, str) for value in values):
            names = list(options.get("categoryarray") or dict.fromkeys(v for v in values if v is not None))
        return PixelAxis(
            letter=letter,
            options=options,
            ends=ends_of(options, values, names),
            pixels=pixels,
            categories={category: place for place, category in enumerate(names)},
        )

    # -- what is drawn ------------------------------------------------------------------------------------------------

    def svg(self, size: str | None, style: str) -> str:
        """The picture."""
        meta = self.layout.get("meta") or {}
        wide = (size or px(self.width)).replace(" ", "")
        told = f"<title>{escape(str(meta.get('heading') or 'Figure'))}</title>"
        if style:  # a file of its own, beside which no caption stands
            told += f"<desc>{escape(str(meta.get('caption', '')))}</desc><style>{style}</style>"
        unit = wide.lstrip("0123456789.")
        height = f"{px(float(wide.removesuffix(unit)) * self.height / self.width, 3)}{unit}"
        ground = self.layout.get("paper_bgcolor", "")
        white = '<rect width="100%" height="100%" fill="white"/>' if ground == "white" else ""
        inside = "".join(part for draw in (self._below, self._traces, self._above) for part in draw())
        box = f'viewBox="0 0 {px(self.width)} {px(self.height)}"'
        family = escape(self.family, quote=True)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{height}" {box} role="img" '
            f'font-family="{family}" {USUAL}>{told}{white}{inside}</svg>'
        )

    def _below(self) -> Iterator[str]:
        for name in self.names:
            if self._options(name).get("visible", True):
                yield from self._frame(name)
        for shape in self.layout.get("shapes", ()):
            yield self._shape(shape)

    def _frame(self, name: str) -> Iterator[str]:
        """Grid, axes, ticks and titles of one panel."""
        x, y = self.axes[name], self.axes[f"y{name[1:]}"]
        (left, right), (bottom, top) = x.pixels, y.pixels
        ticks = [*((axis, pixel, text) for axis in (x, y) for pixel, text in self._ticks(axis))]
        across = {x: f"M{{}} {px(bottom)}V{px(top)}", y: f"M{px(left)} {{}}H{px(right)}"}
        grid = [across[axis].format(px(pixel)) for axis, pixel, _ in ticks if axis.options.get("showgrid", True)]
        if grid:
            yield f'<path class="grid" d="{"".join(grid)}" fill="none" stroke="{_GRID}"/>'
        line = x.options.get("linecolor", "#808080")
        small = "".join(
            f"M{px(pixel)} {px(bottom)}v{_TICK}" if axis is x else f"M{px(left)} {px(pixel)}h-{_TICK}"
            for axis, pixel, _ in ticks
        )
        edges = f"M{px(left)} {px(top)}V{px(bottom)}H{px(right)}{small}"
        yield f'<path d="{edges}" fill="none" stroke="{line}"/>'
        for axis, pixel, text in ticks:
            if axis.options.get("showticklabels", True):
                yield self._tick(axis, pixel, text, left, bottom)
        yield from self._titles(x, y)

    def _ticks(self, axis: PixelAxis) -> list[tuple[float, str]]:
        """The ticks of an axis; of a crowded one, some of them, so that no text lies on another."""
        ticks, size = axis.ticks(), self._tick_font(axis.options)
        slanted = bool(axis.options.get("tickangle"))
        if axis.letter == "y" or (axis.categories and not slanted) or not axis.options.get("showticklabels", True):
            return ticks

        def needed(one: str, other: str) -> float:
            return _SLANTED * size if slanted else _BETWEEN * (text_width(one, size) + text_width(other, size)) / 2

        def apart(kept: Sequence[tuple[float, str]]) -> bool:
            return all(abs(b - a) >= needed(one, other) for (a, one), (b, other) in pairwise(kept))

        # of 1, 2, 5, 10, 20, ... every third is one of each decade
        steps = chain((1,), count(3, 3)) if axis.options.get("type") == "log" else count(1)
        return next(kept for step in steps if apart(kept := ticks[::step]))

    def _tick(self, axis: PixelAxis, pixel: float, text: str, left: float, bottom: float) -> str:
        size = self._tick_font(axis.options)
        if axis.letter == "y":
            return svg_text(text, left - 1.6 * _TICK, pixel, size=size, anchor="end")
        if angle := axis.options.get("tickangle"):
            return svg_text(text, pixel, bottom + 2 * _TICK, size=size, anchor="end", angle=float(angle))
        return svg_text(text, pixel, bottom + 1.6 * _TICK, size=size, baseline=0.9)

    def _titles(self, x: PixelAxis, y: PixelAxis) -> Iterator[str]:
        (left, right), (bottom, top) = x.pixels, y.pixels
        for axis in (x, y):
            title = axis.options.get("title", {})
            if not title.get("text"):
                continue
            size, room = self._title_font(axis.options), self._title_room(axis.options)
            if axis is x:
                below = self._room_below() if bottom >= self.box.bottom - 1 else 2 * _TICK + 1.3 * size + room
                lines = len(lines_in(title["text"]))
                yield svg_text(
                    title["text"], (left + right) / 2, bottom + below - size * (1.25 * lines - 0.6), size=size
                )
            else:
                at = left - self._room_left_of(y) + room - title.get("standoff", 8) - 0.65 * size
                at -= 1.25 * size * (len(lines_in(title["text"])) - 1)
                yield svg_text(title["text"], at, (bottom + top) / 2, size=size, angle=-90)

    def _room_left_of(self, y: PixelAxis) -> float:
        size = self._tick_font(y.options)
        ticks = max((text_width(text, size) for _, text in y.ticks()), default=0.0)
        return 2 * _TICK + ticks + self._title_room(y.options)

    def _shape(self, shape: Options) -> str:
        x0, x1 = (self._of("x", shape, end) for end in ("x0", "x1"))
        y0, y1 = (self._of("y", shape, end) for end in ("y0", "y1"))
        if shape["type"] == "line":
            line = {"color": "#808080", "width": 1, **shape.get("line", {})}
            trace = {"mode": "lines", "line": line}
            straight = {**trace, "x": [0, 1], "y": [0, 1]}
            return "".join(marks.scatter(straight, fixed("x", x0, x1), fixed("y", y0, y1), None, self.font))
        colour, opacity = marks.plain_colour(shape.get("fillcolor", "#808080"))
        corner = f'x="{px(min(x0, x1))}" y="{px(min(y0, y1))}"'
        extent = f'width="{px(abs(x1 - x0))}" height="{px(abs(y1 - y0))}"'
        return f'<rect {corner} {extent} fill="{colour}" fill-opacity="{opacity}"/>'

    def _of(self, letter: str, shape: Options, end: str) -> float:
        """Pixels of one end of a shape."""
        name = str(shape.get(f"{letter}ref", letter))
        if name == "paper":
            return self._paper(letter, float(shape[end]))
        axis = self.axes[name.partition(" ")[0]]
        if name.endswith("domain"):
            return axis.share(float(shape[end]))
        found = axis.place(shape[end])
        low, high = sorted(axis.pixels)
        return min(max(found if found is not None else low, low), high)

    def _paper(self, letter: str, share: float) -> float:
        box = self.box
        if letter == "x":
            return box.left + share * (box.right - box.left)
        return box.bottom - share * (box.bottom - box.top)

    def _traces(self) -> Iterator[str]:
        bars = [trace for trace in self.traces if trace["type"] == "bar"]
        if bars:
            yield from marks.bars(bars, self.axes["x"], self.axes["y"], self.font)
        before: DrawnTrace | None = None
        for trace in self.traces:
            x, y = self.axes[trace.get("xaxis", "x")], self.axes[trace.get("yaxis", "y")]
            if trace["type"] == "heatmap":
                yield from marks.heat(trace, x, y, self.font)
                yield from self._colour_bar(trace, y)
            elif trace["type"] == "scatter":
                yield from marks.scatter(trace, x, y, before, self.font)
            before = trace

    def _colour_bar(self, trace: DrawnTrace, beside: PixelAxis) -> Iterator[str]:
        bottom, top = beside.pixels
        left, low, high = self.box.right + 12, trace["zmin"], trace["zmax"]
        axis = PixelAxis(letter="y", options={}, ends=(low, high), pixels=(bottom, top), categories={})
        steps = 32
        for step in range(steps):
            colour = marks.scale_colour(trace, low + (step + 0.5) / steps * (high - low))
            at = bottom + (step + 1) / steps * (top - bottom)
            yield (
                f'<rect x="{px(left)}" y="{px(at)}" width="12" height="{px((bottom - top) / steps + 0.5)}" '
                f'fill="{colour}"/>'
            )
        for pixel, text in axis.ticks():
            yield svg_text(text, left + 16, pixel, size=self.font, anchor="start")
        if title := trace.get("colorbar", {}).get("title", {}).get("text"):
            yield svg_text(title, self.width - 4, top - self._colour_title() + self.font, size=self.font, anchor="end")

    def _colour_title(self) -> float:
        """Pixels above the axes for what stands above a scale of colours."""
        titles = [trace.get("colorbar", {}).get("title", {}).get("text") or "" for trace in self.traces]
        return max((1.25 * self.font * len(lines_in(title)) + 12 for title in titles if title), default=0.0)

    def _room_above(self) -> float:
        """Pixels between what stands above the plot (its title) and the foot of the legend."""
        margin = self.layout.get("margin", {}).get("t", 60)
        foot = (self.legend.foot - 1.0) * (self.box.bottom - self.box.top)
        title = self.layout.get("title") or {}
        if not title.get("text"):
            return float(margin - foot - 4)
        more = 1.25 * title.get("font", {}).get("size", self.font) * (len(lines_in(title["text"])) - 1)
        return float(margin - foot - 36 - more)

    def _legend_left(self) -> float:
        """Pixels at which rows of the legend begin."""
        return 0.0 if self.legend.from_edge(self.box.right - self.box.left) else self.box.left

    def _above(self) -> Iterator[str]:
        box = self.box
        yield from self.legend.drawn(self._legend_left(), box.right, box.top, self._paper("y", self.legend.foot))
        title = self.layout.get("title") or {}
        if title.get("text"):
            size = float(title.get("font", {}).get("size", self.font))
            left = title["x"] * self.width if title.get("xref") == "container" else self.box.left
            yield svg_text(title["text"], left, 22, size=size, anchor="start")
        for note in self.layout.get("annotations", ()):
            yield self._annotation(note)

    def _annotation(self, note: Options) -> str:
        at = {letter: self._place_of(letter, note) for letter in "xy"}
        size = float(note.get("font", {}).get("size", self.font))
        lines = len(lines_in(note["text"]))
        anchor = {"left": "start", "center": "middle", "right": "end"}[note.get("xanchor", "center")]
        down = {"top": 0.9, "middle": 0.35 - 0.625 * (lines - 1), "bottom": -0.3 - 1.25 * (lines - 1)}
        baseline, angle = down[note.get("yanchor", "middle")], float(note.get("textangle", 0))
        if angle == -90 and note.get("yanchor") == "bottom":  # it begins at its lower end
            anchor, baseline = "start", 0.35
        return svg_text(
            note["text"],
            at["x"] + note.get("xshift", 0),
            at["y"] - note.get("yshift", 0),
            size=size,
            anchor=anchor,
            baseline=baseline,
            colour=note.get("font", {}).get("color", INK),
            angle=angle,
        )

    def _place_of(self, letter: str, note: Options) -> float:
        name = str(note.get(f"{letter}ref", "paper"))
        if name == "paper":
            return self._paper(letter, float(note[letter]))
        axis = self.axes[name.partition(" ")[0]]
        if name.endswith("domain"):
            return axis.share(float(note[letter]))
        return axis.at(float(note[letter]))  # plotly counts places of annotations on log axes in exponents


def _values(trace: DrawnTrace, letter: str) -> Iterator[object]:
    """Everything of a trace that has to be on an axis."""
    own: Sequence[Any] = trace.get(letter) or ()
    if trace["type"] == "bar" and letter == "x":
        yield 0.0
    yield from own
    bars = trace.get(f"error_{letter}") or {}
    if bars.get("array") is not None:
        below = bars.get("arrayminus") or bars["array"]
        for value, up, down in zip(own, bars["array"], below, strict=False):
            if value is not None and up is not None and down is not None:
                yield value + up
                yield value - down
