"""Simulated families with a known truth: how an ability grows with scale, and the counts that sizes of a family show.

A truth is the expected score as a function of scale, over three decades of parameters. Training adds a shift per size
(run noise), evaluation draws documents. Where a truth has a place (a step, a midpoint) that place is drawn anew for
each study within one gap between sizes, so that no result rests on how a grid of sizes happens to lie around it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from harness.analysis.curves import Curve, Point
from harness.analysis.stats import Estimate, confidence_interval
from harness.specs import MetricSpec

Array = NDArray[np.float64]

SMALLEST = 1e7
"""Parameters of the smallest size."""
DECADES = 3.0
"""From the smallest to the largest size, in powers of ten."""
PRACTICAL_EFFECT = 0.05
"""A truth has its threshold where its mean passes chance by this much."""
ITEM_CORRELATION = 0.5
"""Between the scores of one document at two sizes, on the normal scale behind them."""
SPREAD = 0.5
"""Standard deviation between documents of the log of their loss per token."""

METRICS = {
    "acc": MetricSpec(name="acc", chance=0.25),
    "exact_match": MetricSpec(name="exact_match", chance=0.0),
    "prob_correct": MetricSpec(name="prob_correct", chance=0.25, continuous=True),
    "loglikelihood_per_token": MetricSpec(name="loglikelihood_per_token", chance=None, best=0.0, continuous=True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """How one ability grows, and what may be said about it."""

    name: str
    """Shown in the tables."""
    ability: Callable[[Array, int], Array]
    """Ability in [0, 1] at x decades above the smallest size, for a family of so many sizes."""
    chance: float = 0.25
    """Expected score without the ability."""
    right: frozenset[str]
    """Verdicts that are right, in the words of `tests.calibration.table.COLUMNS`; `inconclusive` is never wrong."""
    located: bool = True
    """Whether the growth has a place that is drawn anew for each study."""
    tokens: int = 1
    """Tokens that must all be right: the sharp score is ability to this power."""
    partner: Literal["prob_correct", "loglikelihood_per_token"] | None = None
    """Continuous metric of the same documents; None when there is only the sharp one."""

    def mean(self, x: Array, sizes: int) -> Array:
        """Expected sharp score at `x` decades above the smallest size."""
        return self.ability(x, sizes) ** self.tokens

    def threshold(self, sizes: int) -> float | None:
        """Where the mean passes chance by the practical effect, in decades; None when it does so nowhere inside."""
        x = np.linspace(0.0, DECADES, 30_001)
        above = self.mean(x, sizes) >= self.chance + PRACTICAL_EFFECT
        return float(x[above.argmax()]) if above.any() and not above[0] else None


class Simulated(NamedTuple):
    """A simulated family on one task, with what is true of it."""

    curves: tuple[Curve, ...]
    """The sharp metric, and its continuous partner where the truth has one."""
    threshold: float | None
    """True threshold in parameters; None when there is none between the smallest and the largest size."""


def simulate(
    truth: Truth, *, sizes: int, documents: int, noise: float, rng: np.random.Generator, family: str
) -> Simulated:
    """A family of `sizes` models, evaluated on `documents` documents.

    Args:
        truth: how the ability grows.
        sizes: models, evenly spaced in log10 of parameters.
        documents: the same ones for every size where there is a partner, others for each size where there is none.
        noise: standard deviation of the normal shift each training run adds to the score, which stays in [0, 1].
        rng: source of all chance.
        family: name of the family.
    """
    x = np.linspace(0.0, DECADES, sizes)
    gap = DECADES / (sizes - 1)
    shift = float(rng.uniform(-gap / 2, gap / 2)) if truth.located else 0.0
    ability = _trained(truth, truth.ability(x - shift, sizes), noise * rng.standard_normal(sizes))
    sharp = METRICS["acc" if truth.chance else "exact_match"]
    if truth.partner is None:
        right = rng.binomial(documents, ability**truth.tokens)
        curves: tuple[Curve, ...] = (_curve(family, sharp, 0, [_proportion(int(k), documents) for k in right]),)
    else:
        correct, graded = _documents(truth, ability, documents, rng)
        curves = (
            _curve(family, sharp, 0, [_proportion(int(k), documents) for k in correct.sum(axis=1)], correct),
            _curve(family, METRICS[truth.partner], 1, [_mean(row) for row in graded], graded),
        )
    return Simulated(curves, _inside(truth.threshold(sizes), shift))


def _trained(truth: Truth, ability: Array, shifts: Array) -> Array:
    """What training made of the ability: shifted, or with another loss per token where the truth is one of losses.

    There the shift is one of log loss. Both the probability of a token and that of all tokens, exp(-loss), then move by
    at most the shift: the derivative loss * exp(-loss) is never more than 1 / e.
    """
    if truth.partner == "loglikelihood_per_token":
        return ability ** np.exp(-math.e * shifts)
    return np.clip(ability + shifts, 0.0, 1.0)


def _documents(truth: Truth, ability: Array, documents: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Sharp and continuous score of each document, both of shape (sizes, documents).

    One normal number per size and document, partly shared between sizes, says how hard the document is for the model.
    It decides both scores, and the mean of each is exactly the one of the truth.
    """
    shared, own = rng.standard_normal(documents), rng.standard_normal((len(ability), documents))
    hardness = math.sqrt(ITEM_CORRELATION) * shared + math.sqrt(1 - ITEM_CORRELATION) * own
    mean = ability[:, None]
    rank = ndtr(hardness)
    correct = (rank < mean**truth.tokens).astype(float)
    if truth.partner == "loglikelihood_per_token":
        return correct, np.log(mean) * np.exp(SPREAD * hardness - SPREAD**2 / 2)
    # U^a of a uniform U has mean 1 / (1 + a)
    return correct, (1 - rank) ** ((1 - mean) / mean)


def counted_curve(family: str, right: Array, documents: int, *, chance: float = 0.25) -> Curve:
    """The curve of a family from the right answers of its sizes, smallest first."""
    sharp = METRICS["acc" if chance else "exact_match"]
    return _curve(family, sharp, 0, [_proportion(int(k), documents) for k in right])


def _inside(threshold: float | None, shift: float) -> float | None:
    if threshold is None or not 0.0 < threshold + shift < DECADES:
        return None
    return float(SMALLEST * 10 ** (threshold + shift))


def _proportion(right: int, documents: int) -> Estimate:
    p = right / documents
    error = math.sqrt(p * (1 - p) / (documents - 1))
    return Estimate(value=p, stderr=error, n=documents, seeds=1, proportion=True)


def _mean(scores: Array) -> Estimate:
    error = float(scores.std(ddof=1)) / math.sqrt(len(scores))
    return Estimate(value=float(scores.mean()), stderr=error, n=len(scores), seeds=1, proportion=False)


def _curve(family: str, metric: MetricSpec, rank: int, estimates: list[Estimate], items: Array | None = None) -> Curve:
    points = []
    for x, estimate in zip(np.linspace(0.0, DECADES, len(estimates)), estimates, strict=True):
        params = float(SMALLEST * 10**x)
        low, high = confidence_interval(estimate)
        points.append(
            Point(model=f"{params:.3g}", x=params, estimate=estimate, low=low, high=high, n_expected=estimate.n)
        )
    return Curve(
        family=family,
        task="simulated",
        suite="",
        kind="qa",
        shots=0,
        prompt="default",
        metric=metric,
        rank=rank,
        scale="params",
        points=tuple(points),
        conditions="",
        items=None if items is None else items[:, None, :],
    )


def _flat(level: float) -> Callable[[Array, int], Array]:
    return lambda x, sizes: np.full_like(x, level)


def _linear(chance: float) -> Callable[[Array, int], Array]:
    """A tenth per decade."""
    return lambda x, sizes: chance + 0.1 * x


def _power(chance: float) -> Callable[[Array, int], Array]:
    """Exponent 1: ten times further above chance with each decade, 0.3 above it at the largest size."""
    return lambda x, sizes: chance + np.minimum(0.3 * 10.0 ** (x - DECADES), 1 - chance)


def _logistic(chance: float, *, middle: float, width: float) -> Callable[[Array, int], Array]:
    """Rises by a half around `middle`; from 10 % to 90 % of that within `width` decades."""
    return lambda x, sizes: chance + 0.5 / (1 + np.exp(-2 * math.log(9) / width * (x - middle)))


def _step(chance: float, last: Callable[[int], int]) -> Callable[[Array, int], Array]:
    """A quarter more for the largest `last(sizes)` sizes; the step lies in the middle of the gap before them."""
    return lambda x, sizes: chance + 0.25 * (x >= DECADES - (last(sizes) - 0.5) * DECADES / (sizes - 1))


def _hinge(chance: float) -> Callable[[Array, int], Array]:
    """Chance over the lower half of the sizes, from there a fifth per decade."""
    return lambda x, sizes: chance + 0.2 * np.maximum(x - DECADES / 2, 0.0)


def _valley(x: Array, sizes: int) -> Array:
    """From 0.5 down to 0.4 in the middle and up again."""
    return 0.4 + 0.1 * (x / (DECADES / 2) - 1) ** 2


def _token(loss: float, exponent: float) -> Callable[[Array, int], Array]:
    """Probability of a right token, exp(-CE), with a loss CE of so many nats that falls as a power law of scale."""
    return lambda x, sizes: np.exp(-loss * 10.0 ** (-exponent * x))


SMOOTH = frozenset({"smooth"})
ARTEFACT = frozenset({"metric-artefact"})
EMERGENT = frozenset({"emergent, sharp", "emergent, apparent", "emergent"})
LATE = frozenset({"smooth", "emergent, apparent"})
"""Of growth that is smooth, yet cannot be foreseen from sizes at which nothing shows."""

FLAT = (
    Truth(name="flat", ability=_flat(0.25), right=frozenset({"flat"}), located=False),
    Truth(name="flat, chance 0", ability=_flat(0.0), chance=0.0, right=frozenset({"flat"}), located=False),
    Truth(name="flat above chance", ability=_flat(0.45), right=frozenset({"flat-above-chance"}), located=False),
)
LINEAR = (
    Truth(name="linear", ability=_linear(0.25), right=SMOOTH, located=False),
    Truth(name="linear, chance 0", ability=_linear(0.0), chance=0.0, right=SMOOTH, located=False),
)
WIDE = (
    Truth(name="wide logistic", ability=_logistic(0.25, middle=1.5, width=1.8), right=SMOOTH),
    Truth(name="wide logistic, chance 0", ability=_logistic(0.0, middle=1.5, width=1.8), chance=0.0, right=SMOOTH),
)
STEPS = (
    Truth(name="step at the top", ability=_step(0.25, lambda sizes: 1), right=EMERGENT),
    Truth(name="step at the top two", ability=_step(0.25, lambda sizes: 2), right=EMERGENT),
    Truth(name="step in the middle", ability=_step(0.25, lambda sizes: sizes // 2), right=EMERGENT),
    Truth(name="step at the top, chance 0", ability=_step(0.0, lambda sizes: 1), chance=0.0, right=EMERGENT),
)
SHARP_METRIC = tuple(
    Truth(
        name=f"{tokens} tokens, all right",
        ability=_token(loss, exponent),
        chance=0.0,
        right=right,
        located=located,
        tokens=tokens,
        partner="loglikelihood_per_token",
    )
    for tokens, loss, exponent, located, right in (
        (5, 3.0, 0.5, True, ARTEFACT | SMOOTH),  # rises over all sizes, to 0.62
        (20, 8.0, 0.75, True, ARTEFACT),  # rises at the last sizes, to 0.41
        (100, 3.0, 0.6, False, ARTEFACT | {"flat"}),  # stays below 0.01
    )
)
TRUTHS = (
    *FLAT,
    *LINEAR,
    *WIDE,
    Truth(name="late power law", ability=_power(0.25), right=LATE),
    Truth(name="late power law, chance 0", ability=_power(0.0), chance=0.0, right=LATE),
    Truth(name="hinge", ability=_hinge(0.25), right=LATE),
    Truth(name="narrow logistic", ability=_logistic(0.25, middle=2.25, width=0.3), right=EMERGENT),
    *STEPS,
    Truth(name="step, its partner too", ability=_step(0.25, lambda sizes: 2), right=EMERGENT, partner="prob_correct"),
    *SHARP_METRIC,
    Truth(name="valley", ability=_valley, right=frozenset({"u-shaped"}), located=False),
)
"""All truths, in the order of the tables."""
