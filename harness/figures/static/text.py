"""Text in SVG: the few tags that our figures use, escaped, and how wide it is."""

from __future__ import annotations

import re
import unicodedata
from html import escape, unescape

from harness.figures.style import FONT_SIZE

INK = "#222222"
USUAL = f'font-size="{FONT_SIZE}" text-anchor="middle" fill="{INK}"'
"""Attributes of the root of a picture, which its texts have unless they say otherwise."""
_TAG = re.compile(r"</?b>")
_NARROW, _WIDE = frozenset("iIjlftr.,:;'|!()[]{} /-"), frozenset("mwMWGOQ%@&")
_WIDTHS = {"narrow": 0.32, "usual": 0.57, "foreign": 0.7, "wide": 0.84, "full": 1.0}
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
    if unicodedata.category(letter) == "Cf":
        return 0.0  # what tells in which direction text runs has no shape
    if unicodedata.east_asian_width(letter) in "WF":
        return _WIDTHS["full"]
    if unicodedata.bidirectional(letter) in ("R", "AL"):
        return _WIDTHS["foreign"]
    return _WIDTHS["narrow" if letter in _NARROW else "wide" if letter in _WIDE else "usual"]


def svg_text(
    text: str,
    x: float,
    y: float,
    *,
    size: float,
    anchor: str = "middle",
    baseline: float = 0.35,
    colour: str = INK,
    angle: float = 0.0,
) -> str:
    """An SVG text of one or several lines; what is usual is left out, because `USUAL` stands at the root.

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
    given = {
        "font-size": "" if size == FONT_SIZE else px(size, 2),
        "text-anchor": "" if anchor == "middle" else anchor,
        "fill": "" if colour == INK else colour,
        "transform": f"rotate({px(angle)} {px(x)} {px(y)})" if angle else "",
    }
    start = "".join(f' {name}="{value}"' for name, value in given.items() if value)
    lines = [
        (f'x="{px(x)}" y="{px(y + (baseline + 1.25 * place) * size)}"', line)
        for place, line in enumerate(lines_in(text))
    ]
    if len(lines) == 1:
        ((place, line),) = lines
        return f"<text {place}{start}{_weight(line)}>{escape(bare(line))}</text>"
    spans = (f"<tspan {place}{_weight(line)}>{escape(bare(line))}</tspan>" for place, line in lines)
    return f"<text{start}>{''.join(spans)}</text>"


def _weight(line: str) -> str:
    return ' font-weight="600"' if line.startswith("<b>") else ""


def px(value: float, digits: int = 1) -> str:
    """A number of pixels, with no more digits than a screen shows.

    >>> px(12.04), px(3.96), px(-0.01)
    ('12', '4', '0')
    """
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
