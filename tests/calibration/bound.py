"""How many narrow rises any test can find, and how many the test of verdicts finds.

A verdict says `sharp` of a rise that no smooth rise of a decade or more explains, at a level of 1 %. By the lemma of
Neyman and Pearson, no test of that level can find a rise more often than the likelihood ratio test that knows both the
rise and the one smooth curve that is most like it. How often that test finds it is a bound for all tests, which know
neither the place nor the height of the rise.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.analysis.growth import FORMS, RUN_SD, Counts, effective_documents, fit
from harness.analysis.stats import PRACTICAL_EFFECT
from harness.analysis.verdict.curve_tests import ALPHA_EXT
from harness.analysis.verdict.extrapolation import SMOOTH_WIDTH, narrow
from harness.cli.output import table
from tests.calibration.families import DECADES, Array
from tests.calibration.pages import write_section
from tests.calibration.runs import DOCUMENTS, SIZES, rise
from tests.calibration.table import Rate

WIDTH = 0.8
"""Decades within which the rise makes 10 % to 90 % of its way."""
CHANCES = (0.0, 0.25)
PLACES = 9
"""Places of the rise within one gap between sizes over which the bound is a mean."""
HEAD = ("chance", "sizes", "any test, at most %", "found, %", "95 % from", "to", "studies", "goal of 75 %")
GOAL = 0.75


class Found(NamedTuple):
    """How often a rise is found in families of one kind."""

    chance: float
    """Score without the ability."""
    sizes: int
    """Sizes of the family."""
    bound: float
    """Largest share that any test of the level can find."""
    found: Rate
    """What the jump test finds."""


def means(chance: float, sizes: int, shifts: Sequence[float] | Array, width: float = WIDTH) -> Array:
    """Expected scores of families that rise at places shifted by so many decades, (shifts, sizes)."""
    x = np.linspace(0.0, DECADES, sizes)
    return np.stack([rise(chance, width).ability(x - shift, sizes) for shift in shifts])


def bound(chance: float, sizes: int, *, draws: int = 4000, seed: int = 0) -> float:
    """The largest share of rises within `WIDTH` decades that any test of level 1 % can find, without noise.

    Both distributions of the likelihood ratio are drawn, so that nothing is approximated but by the number of draws.

    Args:
        chance: score without the ability.
        sizes: sizes of the family.
        draws: families drawn of each truth.
        seed: seed of the draws.
    """
    rng = np.random.default_rng(seed)
    gap = DECADES / (sizes - 1)
    truth = means(chance, sizes, np.linspace(-gap / 2, gap / 2, PLACES))
    smooth = _nearest(truth, chance)
    weight = np.log(truth / smooth) - np.log1p(-truth) + np.log1p(-smooth)
    under_smooth, under_truth = (
        (rng.binomial(DOCUMENTS, mean, size=(draws, *mean.shape)) * weight).sum(axis=2) for mean in (smooth, truth)
    )
    level = np.quantile(under_smooth, 1 - ALPHA_EXT, axis=0)
    return float((under_truth > level).mean())


def _nearest(truth: Array, chance: float) -> Array:
    """The rise of a decade or more that is hardest to tell from each truth: the likeliest one for the truth itself."""
    documents = np.full(truth.shape, float(DOCUMENTS))
    exact = Counts(
        x=np.tile(np.linspace(0.0, DECADES, truth.shape[1]), (len(truth), 1)),
        k=truth * documents,
        n=documents,
        chance=np.full(len(truth), chance),
    )
    wide = FORMS["logistic-top"].bounded(upper={"k": 2 * np.log(9) / SMOOTH_WIDTH})
    return fit(wide, exact).mean(exact.x)


def found(chance: float, sizes: int, studies: int, *, width: float = WIDTH, seed: int = 1) -> Rate:
    """How often the jump test finds a rise, at a place drawn anew each time, without noise between training runs.

    Args:
        chance: score without the ability.
        sizes: sizes of the family.
        studies: families simulated.
        width: decades within which the rise makes 10 % to 90 % of its way.
        seed: seed of the families.
    """
    rng = np.random.default_rng(seed)
    gap = DECADES / (sizes - 1)
    mean = means(chance, sizes, rng.uniform(-gap / 2, gap / 2, studies), width)
    worth = effective_documents(np.full(mean.shape, float(DOCUMENTS)), RUN_SD)
    counts = Counts(
        x=np.tile(np.linspace(0.0, DECADES, sizes), (studies, 1)),
        k=rng.binomial(DOCUMENTS, mean) / DOCUMENTS * worth,
        n=worth,
        chance=np.full(studies, chance),
    )
    return Rate(int((narrow(counts, PRACTICAL_EFFECT).p < ALPHA_EXT).sum()), studies)


def measured(studies: int) -> list[Found]:
    """Bound and share found for every chance level and number of sizes."""
    return [
        Found(chance, sizes, bound(chance, sizes), found(chance, sizes, studies))
        for chance in CHANCES
        for sizes in SIZES
    ]


def rows(measured: Sequence[Found]) -> list[tuple[object, ...]]:
    """One row per kind of family; columns as in `HEAD`."""
    return [
        (
            f"{one.chance:g}",
            one.sizes,
            f"{100 * one.bound:.0f}",
            *(f"{100 * share:.1f}" for share in (one.found.share or 0.0, *one.found.interval)),
            one.found.studies,
            "met" if (one.found.share or 0.0) >= GOAL else "out of reach" if one.bound < GOAL else "no",
        )
        for one in measured
    ]


_TEXT = (
    "Written by `python -m tests.calibration.bound --markdown docs/calibration.md`.\n\n"
    f"A score rises by 0.6, 10 % to 90 % of it within {WIDTH:g} decades; {DOCUMENTS:,} documents, no noise between "
    "training runs. A verdict\nsays that no rise of a decade or more explains it, at a level of 1 %. No test can do so "
    "more often than the likelihood ratio test\nthat knows the rise, and the smooth curve most like it (Neyman and "
    "Pearson)."
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibration.bound", description=__doc__)
    parser.add_argument("--studies", type=int, default=2000, metavar="N", help="families per row; 2000 otherwise")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to this page as well")
    options = parser.parse_args()
    made = rows(measured(options.studies))
    print(table(HEAD, made))
    if options.markdown:
        write_section(options.markdown, "What any test can find", _TEXT, HEAD, made)


if __name__ == "__main__":
    main()
