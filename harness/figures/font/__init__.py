"""The font that SVG pictures bring along: Arimo, as wide as Arial, under the SIL Open Font License (see `LICENSE`).

Letters of other scripts come from the machine on which a picture is looked at.
"""

from __future__ import annotations

import base64
from functools import cache
from importlib.resources import files
from typing import NamedTuple

FAMILY = "Arimo, 'Liberation Sans', Arial, Helvetica, 'Noto Sans', 'DejaVu Sans', sans-serif"
"""The font, and what stands in for it."""


class _Part(NamedTuple):
    """The letters of one script."""

    file: str
    ranges: tuple[tuple[int, int], ...]
    """First and last code point of each range."""


_PARTS = (
    _Part("arimo-latin.woff2", ((0x0, 0xFF), (0x131, 0x131), (0x152, 0x153), (0x2000, 0x206F), (0x2212, 0x2212))),
    _Part("arimo-greek.woff2", ((0x370, 0x377), (0x37A, 0x3FF))),
    _Part("arimo-cyrillic.woff2", ((0x400, 0x45F), (0x490, 0x491))),
)


def font_face(text: str) -> str:
    """The style sheet with those parts of the font that a text needs.

    >>> "unicode-range:U+0370" in font_face("score"), "unicode-range:U+0370" in font_face("α")
    (False, True)
    """
    return "".join(_rule(part) for part in _PARTS if any(_holds(part, letter) for letter in set(text)))


def _holds(part: _Part, letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in part.ranges)


@cache
def _rule(part: _Part) -> str:
    packed = base64.b64encode((files(__package__) / part.file).read_bytes()).decode()
    ranges = ",".join(f"U+{first:04X}-{last:04X}" for first, last in part.ranges)
    source = f"src:url(data:font/woff2;base64,{packed}) format('woff2');unicode-range:{ranges}"
    return f"@font-face{{font-family:Arimo;{source}}}"
