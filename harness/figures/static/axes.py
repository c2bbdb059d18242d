"""An axis of a figure: where its values lie, and its ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.wording import number

_PIXELS_PER_TICK = {"x": 70, "y": 38}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PixelAxis:
    """One axis with its place on the picture."""

    letter: str
    """`x` or `y`."""
    options: Mapping[str, Any]
    """What the figure says of it."""
    ends: tuple[float, float]
    """Values at its beginning and end, as plotly counts: exponents on a log axis, places in a list of categories."""
    pixels: tuple[float, float]
    """Where these lie; of a y axis the first is the lower one."""
    categories: Mapping[object, int]
    """Category -> place; empty for numbers."""

    def place(self, value: object) -> float | None:
        """Pixels of a value; None for one that has no place."""
        if value is None:
            return None
        if self.categories:
            at: float = self.categories.get(value, -1)
        else:
            at = float(value)  # type: ignore[arg-type]
            if self.options.get("type") == "log":
                if at <= 0:
                    return None
                at = math.log10(at)
        return self.at(at)

    def at(self, position: float) -> float:
        """Pixels of an exponent, of a place in a list, or of a value on a linear axis."""
        (low, high), (start, end) = self.ends, self.pixels
        return start + (position - low) / ((high - low) or 1.0) * (end - start)

    def share(self, part: float) -> float:
        """Pixels of a share of the whole axis."""
        return self.pixels[0] + part * (self.pixels[1] - self.pixels[0])

    def holds(self, pixel: float) -> bool:
        """True when a place lies on the axis."""
        return min(self.pixels) - 0.5 <= pixel <= max(self.pixels) + 0.5

    def ticks(self) -> list[tuple[float, str]]:
        """Pixels and text of each tick."""
        if self.categories:
            return [(self.at(place), str(name)) for name, place in self.categories.items()]
        values, texts = self.options.get("tickvals"), self.options.get("ticktext")
        if values is not None:
            named = [*zip(values, texts or map(number, values), strict=False)]
        elif self.options.get("type") == "log":
            exponents = range(math.ceil(min(self.ends)), math.floor(max(self.ends)) + 1)
            named = [(10.0**e, number(10.0**e)) for e in exponents]
        elif (step := self.options.get("dtick")) is not None:
            numbers = range(math.ceil(min(self.ends) / step - 1e-9), math.floor(max(self.ends) / step + 1e-9) + 1)
            named = [(n * step, number(n * step)) for n in numbers]
        else:
            named = _round_values(min(self.ends), max(self.ends), self._most_ticks())
        found = [(self.place(value), text) for value, text in named]
        return [(pixel, text) for pixel, text in found if pixel is not None and self.holds(pixel)]

    def _most_ticks(self) -> float:
        return max(2.0, abs(self.pixels[1] - self.pixels[0]) / _PIXELS_PER_TICK[self.letter])


def fixed(letter: str, start: float, end: float) -> PixelAxis:
    """An axis from 0 to 1 between two places, in pixels."""
    return PixelAxis(letter=letter, options={}, ends=(0.0, 1.0), pixels=(start, end), categories={})


def _round_values(low: float, high: float, most: float) -> list[tuple[float, str]]:
    """Round values between two ends, at least two, with as many decimals as tell them apart."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if last <= first and high > low:  # one number would not tell how far apart others are
        return _round_values(low, high, 2 * most)
    return [(n * step, f"{n * step:.{decimals}f}".replace("-", "\N{MINUS SIGN}")) for n in range(first, last + 1)]


def ends_of(options: Mapping[str, Any], values: Iterable[object], categories: Sequence[object]) -> tuple[float, float]:
    """The ends of an axis: those that the figure gives, or those that hold all values.

    Args:
        options: what the figure says of the axis.
        values: every value that is drawn on it.
        categories: its categories; empty for numbers.
    """
    if (given := options.get("range")) is not None:
        return (float(given[0]), float(given[1]))
    if categories:
        low, high = -0.5, len(categories) - 0.5
    else:
        low, high = _around(options, values)
    return (high, low) if options.get("autorange") == "reversed" else (low, high)


def _around(options: Mapping[str, Any], values: Iterable[object]) -> tuple[float, float]:
    known = [float(v) for v in values if v is not None]  # type: ignore[arg-type]
    if options.get("type") == "log":
        known = [math.log10(v) for v in known if v > 0]
    if options.get("rangemode") == "tozero":
        known.append(0.0)
    low, high = min(known, default=0.0), max(known, default=1.0)
    room = 0.06 * (high - low) or 0.5
    return (0.0 if options.get("rangemode") == "tozero" and low == 0 else low - room), high + room
