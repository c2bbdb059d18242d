"""Figures for a paper: as wide as its column, with every text in one size and its font inside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from harness.errors import PlanError
from harness.figures.font import FAMILY
from harness.figures.narrow import narrowed
from harness.figures.style import FONT_SIZE

_PIXELS = {"in": 96.0, "cm": 96 / 2.54, "mm": 9.6 / 2.54, "pt": 96 / 72, "px": 1.0}
"""Pixels of CSS in each unit."""
_LENGTH = re.compile(r"(\d{1,4}(?:\.\d{1,4})?) ?(in|cm|mm|pt|px)")
_NARROWEST, _WIDEST = 1.0, 60.0
_SMALLEST, _LARGEST = 4.0, 72.0
_LENGTHS = frozenset("width thickness standoff xshift yshift l r t b height size".split())
"""Names of what is measured in pixels in a figure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """The place that a figure has to fit."""

    width: str = "5.5in"
    """Width as the file says it, such as `3.3in`."""
    font: float = 8.0
    """Size of all letters, in points."""

    def __post_init__(self) -> None:
        length = _LENGTH.fullmatch(self.width)
        if length is None or not _NARROWEST <= self.pixels / 96 <= _WIDEST:
            raise PlanError(f"--width {self.width}: expected a width such as 3.3in, 84mm or 600px, of 1 to 60 inches")
        if not _SMALLEST <= self.font <= _LARGEST:
            raise PlanError(f"--font {self.font:g}: expected a size of {_SMALLEST:g} to {_LARGEST:g} points")

    @property
    def pixels(self) -> float:
        """The width in pixels, 96 to the inch."""
        length = _LENGTH.fullmatch(self.width)
        return float(length[1]) * _PIXELS[length[2]] if length else 0.0

    @property
    def scale(self) -> float:
        """Size of the letters over that in figures for the screen."""
        return self.font * _PIXELS["pt"] / FONT_SIZE

    @property
    def drawn_width(self) -> float:
        """Width that a figure must be drawn for, so that it has this one when its letters have their size."""
        return self.pixels / self.scale


def on_paper(figure: go.Figure, paper: Paper) -> go.Figure:
    """The figure on white with all letters in the size that is asked for, and lines and symbols to match."""
    narrow = narrowed(figure, paper.drawn_width)
    fitted = go.Figure(_scaled(narrow.to_dict(), paper.scale, paper.font * _PIXELS["pt"]))
    return fitted.update_layout(
        width=paper.pixels,
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"family": FAMILY, "size": paper.font * _PIXELS["pt"]},
    )


def _scaled(part: Any, by: float, font: float, name: str = "") -> Any:
    """The same part of a figure, called `name` in it, with all lengths times `by` and letters of size `font`."""
    if isinstance(part, Mapping):
        inside = {key: _scaled(value, by, font, key) for key, value in part.items()}
        return inside | {"size": font} if name.endswith("font") else inside
    if isinstance(part, list | tuple):
        return [_scaled(one, by, font) for one in part] if part and isinstance(part[0], Mapping) else part
    return part * by if name in _LENGTHS and isinstance(part, int | float) else part
