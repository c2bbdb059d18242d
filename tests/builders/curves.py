"""Curves of every kind of growth, as counts over three decades of sizes, and the verdict on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.curves import Curve, curves
from harness.analysis.growth import Counts
from harness.analysis.verdict import Verdict, judge
from tests.builders.cells import ACC, PROB, grown, task

X = np.linspace(7.0, 10.0, 8)
"""Eight sizes over three decades, as log10 of parameters."""

# Documents of 200 that are right at each of eight sizes; chance is 50.
FLAT = (50, 48, 52, 49, 51, 50, 47, 53)
RISE = (50, 52, 75, 90, 110, 125, 140, 160)
STEP = (50, 49, 51, 50, 48, 52, 50, 160)
TWO = (50, 49, 51, 50, 48, 52, 150, 160)
BREAK = (50, 49, 51, 50, 150, 152, 149, 151)
FALL = (100, 95, 88, 80, 72, 65, 58, 50)
HIGH = (80, 82, 79, 81, 80, 83, 78, 81)
DIP = (100, 80, 60, 48, 50, 60, 80, 100)
HUMP = (50, 60, 80, 102, 100, 80, 60, 50)

EARLY = (0.25, 0.28, 0.31, 0.34, 0.37, 0.40, 0.43, 0.80)
"""A continuous score that improves long before accuracy jumps (`STEP`), by a third of its range."""
LATE = (0.25, 0.251, 0.249, 0.25, 0.251, 0.25, 0.249, 0.60)
"""One that jumps with it."""


def counts(k: ArrayLike, n: float = 200.0, chance: float = 0.25) -> Counts:
    """Curves over three decades, one per row of `k`."""
    k = np.atleast_2d(np.asarray(k, dtype=float))
    x = np.tile(np.linspace(7.0, 10.0, k.shape[1]), (len(k), 1))
    return Counts(x=x, k=k, n=np.broadcast_to(n, k.shape).astype(float), chance=np.full(len(k), chance))


def only(drawn: Sequence[Curve]) -> Curve:
    """The one curve that was drawn."""
    (curve,) = drawn
    return curve


def curve(right: Sequence[int], *, n: int | Sequence[int] = 200, name: str = "colours", **metric: Any) -> Curve:
    """The headline curve of a task: `right` of `n` at each size; `metric` are changes of its metric."""
    asked = task(name, metrics=(replace(ACC, **metric), PROB))
    return next(one for one in curves(grown(right, n=n, of=asked)) if one.rank == 0)


def judged(right: Sequence[int], n: int | Sequence[int] = 200, **metric: Any) -> Verdict:
    """The verdict on one curve, without an interval of its threshold."""
    (verdict,) = verdicts([curve(right, n=n, **metric)], draws=0)
    return verdict


def verdicts(drawn: Iterable[Curve], **options: Any) -> list[Verdict]:
    """The verdicts on the headline curves among some, in their order; the options are those of `judge`."""
    return [row.verdict for row in judge(drawn, **options)]
