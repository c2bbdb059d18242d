"""What a fitted law is to be drawn as: scores, the fit, and how sure it is. `harness.figures` draws it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.laws import Hinge
from harness.analysis.stats import CONFIDENCE, Array
from harness.analysis.stats.distributions import norm, t
from harness.wording import number, score

Values = tuple[float, ...]
_STEPS = 160
"""Places at which a fitted law is drawn."""
SURE = float(norm.ppf((1 + CONFIDENCE) / 2))
"""Standard errors on each side of a 95 % interval."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dots:
    """Scores of one kind."""

    name: str
    """In the legend."""
    x: Values
    """Places on the axis."""
    y: Values
    """Scores."""
    models: tuple[str, ...]
    """Whose they are, one name for each."""
    error: Values = ()
    """Half the 95 % interval of each; empty where nothing is known of it."""
    joined: bool = False
    """True for dots that follow one another along the axis."""
    foretold: bool = False
    """True for predictions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LawLine:
    """A fitted law."""

    name: str
    """In the legend."""
    x: Values
    """Places on the axis."""
    y: Values
    """What the law says there."""
    low: Values = ()
    """Lower end of the 95 % interval for one model; empty for no interval."""
    high: Values = ()
    """Its upper end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One fit of a law."""

    title: str
    """Task, metric and whatever else sets the fit apart."""
    x_title: str
    """Of the axis."""
    y_title: str
    """Of the scores."""
    axis: Literal["log", "loss", "linear"]
    """Logarithmic; a loss, which falls to the right; or plain."""
    dots: tuple[Dots, ...]
    """Scores."""
    lines: tuple[LawLine, ...] = ()
    """The law; empty where none could be fitted."""
    strip: tuple[float, float] | None = None
    """95 % interval of the place that the law is about; None for no such place."""
    chance: float | None = None
    """Score without the ability; None where it is not known."""
    says: str = ""
    """What the figure shows, in sentences."""


def title_of(setting: Mapping[str, Any]) -> str:
    """What sets a fit apart, in a line."""
    parts = [str(setting["task"]), str(setting["metric"]), f"{setting['shots']}-shot"]
    return ", ".join([*parts, *(str(setting[name]) for name in ("prompt", "condition") if setting[name])])


def values(column: ArrayLike) -> Values:
    """The numbers of a column."""
    return tuple(np.asarray(column, dtype=float).ravel().tolist())


def line(
    name: str, law: Callable[[Array], Array], x: ArrayLike, y: ArrayLike, *, parameters: int, log: bool, to: float = 0.0
) -> LawLine:
    """A law over the places of the scores that it was fitted to, with the interval that these leave for one more model.

    The interval is that of the residuals, t s sqrt(1 + p / n) for n scores and p parameters: what the scores scatter,
    and on average what the parameters are unsure of.

    Args:
        name: in the legend.
        law: the score at places.
        x: places of the scores.
        y: the scores.
        parameters: free parameters of the law.
        log: the axis is logarithmic.
        to: a further place that the line must reach; 0 for none.
    """
    at, seen = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    ends = [at.min(), at.max(), *([to] if to else [])]
    places = (np.geomspace if log else np.linspace)(min(ends), max(ends), _STEPS)
    mean, free = law(places), len(at) - parameters
    if free < 1:
        return LawLine(name=name, x=values(places), y=values(mean))
    spread = math.sqrt(float(np.sum((seen - law(at)) ** 2)) / free * (1 + parameters / len(at)))
    half = float(t.ppf((1 + CONFIDENCE) / 2, free)) * spread
    return LawLine(name=name, x=values(places), y=values(mean), low=values(mean - half), high=values(mean + half))


def hinge_line(hinge: Hinge, x: ArrayLike, y: ArrayLike, *, loss: bool) -> LawLine:
    """A hinge as a line over FLOPs, or over losses.

    Args:
        hinge: in log10 of FLOPs, or in a loss.
        x: FLOPs or losses of the scores.
        y: the scores, less what exposure adds to them.
        loss: True over losses.
    """

    def law(at: Array) -> Array:
        beyond = hinge.at - at if loss else np.log10(at) - hinge.at
        return np.asarray(hinge.floor + hinge.slope * np.maximum(beyond, 0.0))

    return line("hinge", law, x, y, parameters=2 + (hinge.theta is not None), log=not loss)


def hinge_says(hinge: Hinge, *, loss: bool) -> str:
    """What a hinge says, with its interval; or why it must not be read."""
    if hinge.refusal is not None:
        return hinge.refusal
    what, at = ("loss", hinge.at) if loss else ("FLOPs", 10**hinge.at)
    ends = [end if loss or end is None else 10**end for end in (hinge.low, hinge.high)]
    between = "" if None in ends else f", 95 % interval {number(ends[0] or 0.0)} to {number(ends[1] or 0.0)} (shaded)"
    unit = "unit of loss" if loss else "decade"
    says = f"The score leaves {score(hinge.floor)} at {what} {number(at)}{between}, by {score(hinge.slope)} per {unit}."
    return says + " Band: 95 % of single models."


def strip_of(ends: Sequence[float | None]) -> tuple[float, float] | None:
    """Both ends of an interval, or None where one is not known."""
    low, high = ends
    return None if low is None or high is None else (low, high)
