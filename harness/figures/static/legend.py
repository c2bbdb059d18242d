"""The legend of a figure: in rows above the axes, or in a column beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.figures.static import marks
from harness.figures.static.axes import fixed
from harness.figures.static.marks import DrawnTrace
from harness.figures.static.text import px, svg_text, text_width

_SWATCH = 26.0
"""Pixels of a line in the legend."""
_ROW = 1.5
"""Height of a row, in units of the font's size."""


@dataclass(frozen=True, slots=True)
class Legend:
    """What a figure's traces are called."""

    traces: Sequence[DrawnTrace]
    """All traces."""
    layout: Mapping[str, Any]
    """The figure's layout."""
    usual_font: float
    """Size of letters in pixels, unless the legend has its own."""
    entries: Sequence[DrawnTrace] = field(init=False)
    """The traces that have an entry."""

    def __post_init__(self) -> None:
        named = [t for t in self.traces if t.get("name") and t.get("showlegend", True) and t["type"] != "heatmap"]
        asked = self.layout.get("showlegend")
        told = len(named) > 1 or any("showlegend" in t for t in named) if asked is None else asked
        named.sort(key=lambda trace: trace.get("legendrank", 1000))
        object.__setattr__(self, "entries", named if told else [])

    @property
    def foot(self) -> float:
        """Where the rows above the axes end, as a share of their height."""
        return float(self._options.get("y", 1.0))

    def from_edge(self, width: float) -> bool:
        """True where an entry is wider than axes of this width: rows begin at the edge of the figure then."""
        return not self._vertical and any(self._width(entry) > width for entry in self.entries)

    def width_beside(self) -> float:
        """Pixels that a column beside the axes takes."""
        if not self._vertical or not self.entries:
            return 0.0
        return _SWATCH + 16 + max(text_width(entry["name"], self._font) for entry in self.entries)

    def height_above(self, width: float) -> float:
        """Pixels that rows of this width take above the axes."""
        return 0.0 if self._vertical else len(self._rows(width)) * _ROW * self._font

    def drawn(self, left: float, right: float, top: float, foot: float) -> Iterator[str]:
        """All entries as SVG.

        Args:
            left: where rows begin, in pixels.
            right: where they end, and a column begins.
            top: upper end of a column.
            foot: lower end of the rows.
        """
        row = _ROW * self._font
        if self._vertical:
            for place, entry in enumerate(self.entries):
                yield from self._entry(entry, right + 10, top + (place + 0.5) * row)
            return
        rows = self._rows(right - left)
        for place, entries in enumerate(rows):
            at = left
            for entry in entries:
                yield from self._entry(entry, at, foot - (len(rows) - place - 0.5) * row)
                at += self._width(entry)

    @property
    def _options(self) -> Mapping[str, Any]:
        return self.layout.get("legend") or {}

    @property
    def _vertical(self) -> bool:
        return bool(self._options.get("orientation") == "v")

    @property
    def _font(self) -> float:
        return float(self._options.get("font", {}).get("size", self.usual_font))

    def _rows(self, width: float) -> list[list[DrawnTrace]]:
        rows: list[list[DrawnTrace]] = []
        used = width
        for entry in self.entries:
            wide = self._width(entry)
            if used + wide > width:
                rows.append([])
                used = 0.0
            rows[-1].append(entry)
            used += wide
        return rows

    def _width(self, entry: DrawnTrace) -> float:
        return _SWATCH + 18 + text_width(entry["name"], self._font)

    def _entry(self, entry: DrawnTrace, left: float, y: float) -> Iterator[str]:
        across, up = fixed("x", left, left + _SWATCH), fixed("y", y, y + 1)
        if entry.get("fill"):
            colour, opacity = marks.plain_colour(entry["fillcolor"])
            box = f'x="{px(left)}" y="{px(y - 5)}" width="{_SWATCH}" height="10"'
            yield f'<rect {box} fill="{colour}" fill-opacity="{opacity}"/>'
        mode = "markers" if entry["type"] == "bar" else str(entry.get("mode", "lines"))
        looks = {key: entry[key] for key in ("line", "marker", "opacity") if key in entry}
        if entry["type"] == "bar":
            looks["marker"] = {**entry["marker"], "symbol": "square", "size": 10}
        if "lines" in mode:
            yield from marks.scatter({**looks, "mode": "lines", "x": [0, 1], "y": [0, 0]}, across, up, None, 0)
        if "markers" in mode:
            yield from marks.scatter({**looks, "mode": "markers", "x": [0.5], "y": [0]}, across, up, None, 0)
        yield svg_text(entry["name"], left + _SWATCH + 5, y, size=self._font, anchor="start")
