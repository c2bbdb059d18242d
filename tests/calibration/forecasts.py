"""How often intervals of forecasts hold what comes: families that grow smoothly, forecast beyond their largest size.

Every truth rises monotonically and smoothly; none is a jump. The score that is forecast is that of one more model of
the family: with a shift by its training run, and with documents of its own.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.analysis.forecast import Forecast, forecasts
from harness.cli.output import table
from tests.calibration.families import DECADES, SMALLEST, Truth, counted_curve
from tests.calibration.pages import write_section
from tests.calibration.table import Rate

Array = NDArray[np.float64]

SIZES = (6, 8, 12)
DOCUMENTS = (200, 1000)
NOISE = (0.0, 0.006, 0.02)
"""Standard deviations between training runs."""
SHRINKING, CONSTANT = "at one half, less near 0 and 1", "at every score"
"""Where the noise between training runs has that standard deviation."""
AHEAD = (0.3, 0.6, 1.0)
"""Decades beyond the largest size."""
SMOOTH = frozenset({"smooth"})
GOAL = 0.92
"""Share of forecasts whose 95 % interval is to hold the score, for families of six sizes or more."""


def _rising(shape: Callable[[Array], Array], chance: float) -> Callable[[Array, int], Array]:
    return lambda x, sizes: chance + (1 - chance) * np.clip(shape(x), 0.0, 1.0)


def _logistic(middle: float, width: float, top: float = 1.0) -> Callable[[Array], Array]:
    """From 10 % to 90 % of its rise within `width` decades around `middle`."""
    return lambda x: top / (1 + np.exp(-2 * math.log(9) / width * (x - middle)))


def _all_tokens(loss: float, exponent: float) -> Callable[[Array], Array]:
    """An answer of many tokens whose loss is a power of scale."""
    return lambda x: np.exp(-loss * 10.0 ** (-exponent * x))


def _error_power(error: float, exponent: float) -> Callable[[Array], Array]:
    """The error is a power of scale."""
    return lambda x: 1 - error * 10.0 ** (-exponent * x)


TRUTHS = tuple(
    Truth(name=name, ability=_rising(shape, chance), chance=chance, right=SMOOTH, located=False)
    for name, chance, shape in (
        ("line", 0.25, lambda x: 0.05 + 0.13 * x),
        ("slow line", 0.0, lambda x: 0.1 + 0.05 * x),
        ("wide logistic, half way", 0.25, _logistic(1.5, 2.5)),
        ("wide logistic, early", 0.0, _logistic(3.5, 2.5)),
        ("wide logistic, late", 0.25, _logistic(0.5, 2.5)),
        ("logistic that levels off at 0.6", 0.0, _logistic(1.5, 2.0, 0.6)),
        ("logistic that will level off at 0.5", 0.25, _logistic(2.7, 2.0, 0.5)),
        ("power of the error", 0.25, _error_power(0.9, 0.15)),
        ("loss of all tokens", 0.0, _all_tokens(6.0, 0.25)),
        ("loss of all tokens, early", 0.0, _all_tokens(20.0, 0.25)),
        ("power of scale", 0.0, lambda x: 0.01 * 10.0 ** (0.4 * x)),
    )
)
"""Truths that rise smoothly and monotonically."""


class Held(NamedTuple):
    """One forecast of a simulated family."""

    truth: str
    """Name of the truth."""
    sizes: int
    """Sizes the forecast rests on."""
    documents: int
    """Documents per size."""
    noise: float
    """Standard deviation between training runs."""
    kind: str
    """`SHRINKING` or `CONSTANT`."""
    ahead: float
    """Decades beyond the largest size."""
    inside: bool
    """Whether the 95 % interval holds the score."""
    width: float
    """Width of the interval."""
    error: float
    """Distance of the forecast from the score."""
    naive: float
    """Distance of the score of the largest size from the score."""


def measured(
    truths: Iterable[Truth], sizes: int, simulations: int, *, ahead: Sequence[float] = AHEAD, draws: int = 100
) -> list[Held]:
    """Forecasts of families of so many sizes, at every number of documents and noise; always the same again.

    Args:
        truths: how the families grow.
        sizes: how many sizes each has.
        simulations: families per truth, documents and noise.
        ahead: decades beyond the largest size.
        draws: redrawn curves behind each interval.
    """
    found: list[Held] = []
    for truth in truths:
        rng = np.random.default_rng([*truth.name.encode(), sizes])
        kinds = [(sd, kind) for sd in NOISE for kind in (SHRINKING, CONSTANT) if sd or kind == SHRINKING]
        asked = [(n, *noise) for n in DOCUMENTS for noise in kinds for _ in range(simulations)]
        mean = truth.mean(np.linspace(0.0, DECADES, sizes), sizes)
        curves = [
            counted_curve(str(i), _drawn(mean, n, sd, kind, rng), n, chance=truth.chance)
            for i, (n, sd, kind) in enumerate(asked)
        ]
        for far in ahead:
            expected = truth.mean(np.array([DECADES + far]), sizes)
            made = forecasts(curves, SMALLEST * 10 ** (DECADES + far), draws=draws, back_tests=False)
            for (n, sd, kind), curve, one in zip(asked, curves, made, strict=True):
                assert isinstance(one, Forecast)
                score = float(_drawn(expected, n, sd, kind, rng)[0]) / n
                inside = one.low - 1e-9 <= score <= one.high + 1e-9
                error, naive = abs(one.value - score), abs(curve.y[-1] - score)
                found.append(Held(truth.name, sizes, n, sd, kind, far, inside, one.high - one.low, error, naive))
    return found


def _drawn(mean: Array, documents: int, noise: float, kind: str, rng: np.random.Generator) -> Array:
    """Right answers of one model per expected score; scores end at 0 and 1 whatever the noise."""
    shape = 2 * np.sqrt(mean * (1 - mean)) if kind == SHRINKING else 1.0
    shift = noise * shape * rng.standard_normal(len(mean))
    return rng.binomial(documents, np.clip(mean + shift, 0.0, 1.0)).astype(float)


HEAD = ("of", "held, %", "95 % from", "to", "mean width", "mean error", "error of the largest size", "forecasts")


def rows(held: Sequence[Held]) -> list[tuple[object, ...]]:
    """How often the interval held the score: over all, then by each thing that the families differ in."""
    parts: dict[str, list[Held]] = {"all": list(held)}
    for name, of in (
        ("{} sizes", lambda one: one.sizes),
        ("{} documents", lambda one: one.documents),
        ("{}", lambda one: f"noise {one.noise:g} {one.kind}" if one.noise else "noise 0"),
        ("{:g} decades ahead", lambda one: one.ahead),
        ("{}", lambda one: one.truth),
    ):
        for one in held:
            parts.setdefault(name.format(of(one)), []).append(one)
    return [_row(name, members) for name, members in parts.items()]


def _row(name: str, held: Sequence[Held]) -> tuple[object, ...]:
    rate = Rate(sum(one.inside for one in held), len(held))
    low, high = rate.interval
    means = (float(np.mean([getattr(one, what) for one in held])) for what in ("width", "error", "naive"))
    return (
        name,
        *(f"{100 * share:.1f}" for share in (rate.share or 0.0, low, high)),
        *(f"{mean:.3f}" for mean in means),
        len(held),
    )


_TEXT = (
    "Written by `python -m tests.calibration.forecasts --markdown docs/calibration.md`.\n\n"
    "Families that grow smoothly and monotonically, forecast beyond their largest size; how often the 95 % interval "
    "holds the score\nof one more model, with its own documents and its own noise between training runs: a standard "
    "deviation that a score of one\nhalf has and scores near 0 and 1 less of, or one that every score has. Goal: at "
    "least 92 % for six sizes or more. It is missed\nwhere noise of the same size at every score meets the floor at 0: "
    "scores there can only be too large, and what looks like a\nslow beginning is not (`loss of all tokens, early`)."
)


def main() -> None:
    """Simulate, forecast and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibration.forecasts", description=__doc__)
    parser.add_argument(
        "--sims", type=int, default=10, metavar="N", help="families per cell of the table; 10 otherwise"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to this page as well")
    options = parser.parse_args()
    held = [one for sizes in SIZES for one in measured(TRUTHS, sizes, options.sims)]
    found = rows(held)
    print(table(HEAD, found))
    if options.markdown:
        write_section(options.markdown, "Forecasts", _TEXT, HEAD, found)


if __name__ == "__main__":
    main()
