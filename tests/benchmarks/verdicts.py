"""How long a large study takes to judge: 1,000 curves of 12 sizes, each threshold with 200 bootstrap refits."""

from __future__ import annotations

import time

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.verdict import judge
from tests.benchmarks.timing import load
from tests.calibration.families import TRUTHS, simulate

CURVES = 1000
SIZES = 12
DOCUMENTS = 200
GOAL_SECONDS = 60.0
"""For all of them, on two cores."""


def rows(count: int = CURVES) -> list[tuple[object, ...]]:
    """Wall and CPU seconds of one call, growth of every simulated kind in equal parts."""
    drawn = headlines(count)
    wall, cpu = time.perf_counter(), time.process_time()
    judge(drawn)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return [(count, SIZES, f"{wall:.1f}", f"{cpu:.1f}", f"{1000 * wall / count:.1f}", GOAL_SECONDS, load())]


def headlines(count: int) -> list[Curve]:
    """One curve per simulated family, the truths in turns; a partner stays with its headline."""
    rng = np.random.default_rng(0)
    drawn: list[Curve] = []
    for number in range(count):
        truth = TRUTHS[number % len(TRUTHS)]
        drawn += simulate(
            truth, sizes=SIZES, documents=DOCUMENTS, noise=0.006, rng=rng, family=f"family-{number}"
        ).curves
    return drawn
