"""Text in SVG: the few tags that our figures use, escaped, and how wide it is."""

from __future__ import annotations

import re
import unicodedata
from html import escape, unescape

_TAG = re.compile(r"</?b>")
_NARROW, _WIDE = frozenset("iIjlftr.,:;'|!()[]{} /-"), frozenset("mwMWGOQ%@&")
_WIDTHS = {"narrow": 0.32, "usual": 0.57, "wide": 0.84, "full": 1.0}
"""Widths of characters of a sans-serif font, in units of its size; a little more than Helvetica's."""


def lines_in(text: str) -> list[str]:
    """The lines of a text of a figure, each still with its tags."""
    return re.split(r"<br ?/?>", text)


def bare(text: str) -> str:
    """A line as people read it."""
    return unescape(_TAG.sub("", text))


def text_width(text: str, size: float) -> float:
    """Width of the longest line in pixels, never less than it turns out."""
    return size * max(sum(map(_width, bare(line))) for line in lines_in(text))


def _width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return _WIDTHS["full"]
    return _WIDTHS["narrow" if letter in _NARROW else "wide" if letter in _WIDE else "usual"]


def svg_text(
    text: str,
    x: float,
    y: float,
    *,
    size: float,
    anchor: str = "middle",
    baseline: float = 0.35,
    colour: str = "#222222",
    angle: float = 0.0,
) -> str:
    """An SVG text of one or several lines.

    Args:
        text: as plotly takes it: escaped, with `<br>` and `<b>`.
        x: where it is anchored, in pixels.
        y: the middle of its first line, if `baseline` is as it is.
        size: of the font, in pixels.
        anchor: `start`, `middle` or `end`.
        baseline: how far below `y` the first line stands, in units of the font's size.
        colour: of the letters.
        angle: in degrees, clockwise.
    """
    parts = []
    for place, line in enumerate(lines_in(text)):
        bold = ' font-weight="600"' if line.startswith("<b>") else ""
        down = baseline + 1.25 * place
        parts.append(f'<tspan x="{px(x)}" y="{px(y + down * size)}"{bold}>{escape(bare(line))}</tspan>')
    turned = f' transform="rotate({px(angle)} {px(x)} {px(y)})"' if angle else ""
    start = f'<text font-size="{px(size, 2)}" text-anchor="{anchor}" fill="{colour}"{turned}>'
    return f"{start}{''.join(parts)}</text>"


def px(value: float, digits: int = 1) -> str:
    """A number of pixels, with no more digits than a screen shows.

    >>> px(12.04), px(3.96), px(-0.01)
    ('12', '4', '0')
    """
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
