"""How families and settings are told apart: by colour, shape and dash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, product
from typing import NamedTuple

from harness.analysis.curves import Curve
from harness.figures.style import COLOURS, DASHES, GREY, SYMBOLS
from harness.wording import counted, natural_order


class Line(NamedTuple):
    """How one setting is told from the others."""

    name: str
    """Family and setting, as plain text."""
    colour: str
    """Colour of line and markers."""
    symbol: str
    """Shape of the markers, as plotly names it."""
    dash: str = "solid"
    """Dash of the line, as plotly names it."""
    place: int = 0
    """Place in the legend, among the settings."""


Lines = Mapping[tuple[str, str], Line]
"""Family and label of a curve -> how it is drawn."""


def lines_of(curves: Sequence[Curve]) -> Lines:
    """How to draw each family and setting, families in the order of the curves and settings by their shots.

    A colour never stands for two families: each of several families has one, and its settings differ in dash. Families
    for which no colour is left share grey. The settings of a single family differ in colour as well. Results of others
    that one's own are compared with have open markers.
    """
    found = {key: line._replace(place=place) for place, (key, line) in enumerate(_of_settings(curves).items())}
    others = {(c.family, c.label) for c in curves if c.source is not None}
    return {key: line._replace(symbol=f"{line.symbol}-open") if key in others else line for key, line in found.items()}


def _of_settings(curves: Sequence[Curve]) -> Lines:
    families = list(dict.fromkeys(curve.family for curve in curves))
    labels = sorted({curve.label for curve in curves}, key=natural_order)
    there = {(curve.family, curve.label) for curve in curves}
    keys = [key for key in product(families, labels) if key in there]
    dashes = dict(zip(labels, cycle(DASHES), strict=False))
    if len(families) == 1:
        looks = zip(cycle(COLOURS), cycle(SYMBOLS), strict=True)
        return {
            key: Line(key[1], colour, symbol, dashes[key[1]])
            for key, (colour, symbol) in zip(keys, looks, strict=False)
        }
    own = families if len(families) <= len(COLOURS) else families[: len(COLOURS) - 1]
    rest = counted(len(families) - len(own), "more family", "more families")
    shapes = cycle(SYMBOLS)
    coloured = {name: (name, colour, next(shapes)) for name, colour in zip(own, COLOURS, strict=False)}
    drawn = {}
    for family, label in keys:
        name, colour, symbol = coloured.get(family, (rest, GREY, "circle"))
        drawn[family, label] = Line(f"{name}, {label}", colour, symbol, dashes[label])
    return drawn


def grey_families(lines: Lines) -> list[str]:
    """The families that share grey, because there are more of them than colours."""
    return list(dict.fromkeys(family for (family, _), line in lines.items() if line.colour == GREY))
