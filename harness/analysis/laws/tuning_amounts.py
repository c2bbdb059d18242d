"""How the point where an ability leaves chance moves with the number of documents that models are tuned on.

    y = r0 + k (x - x_e(D))+        x_e(D) = e - s log10 D

with x = log10 of parameters or of training compute and D documents of the task. Snell, Wallace, Klein and Levine 2024,
"Predicting Emergent Capabilities by Finetuning" (arXiv 2411.16035), fit such a law to models that were tuned on
several amounts and extrapolate it to as few documents as a prompt holds, to forecast where untuned models will leave
chance. They take the loss for x and draw from a posterior; here x is a scale, the shift is a straight line in log D,
and the interval comes from resampling models. In this form amounts of documents count like scale: with
u = x + s log10 D all amounts lie on one hinge, which is found exactly, and s is what makes it fit best.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.laws.exposure import elbow_profile, expanded_tail
from harness.analysis.laws.inputs import finite_column, group_resamples
from harness.analysis.laws.types import Threshold, TuningLaw
from harness.analysis.stats import Array
from harness.errors import HarnessError
from harness.wording import number

MOST_SHIFT = 2.0
"""Largest shift that is looked for, in decades of scale per decade of documents, in either direction."""
_STEPS = 81
_FEWEST = 5
_FAR = 2.0
"""Decades of documents beyond the amounts that were tried, from which on a forecast says little."""


def fit_tuning_law(
    x: ArrayLike,
    y: ArrayLike,
    documents: ArrayLike,
    floor: float,
    *,
    at: Sequence[float] = (),
    groups: Sequence[object] | None = None,
    resamples: int = 400,
    seed: int = 0,
) -> TuningLaw:
    """The law that fits best by least squares, and where models leave chance with other numbers of documents.

    Args:
        x: scale of each tuned model, log10 of parameters or FLOPs, shape (n,).
        y: its score, shape (n,).
        documents: number of documents that it was tuned on, shape (n,).
        floor: score without the ability (r0), usually chance.
        at: numbers of documents to forecast the threshold for: the number of examples of a few-shot prompt.
        groups: what to resample together, n long: the model that was tuned; None resamples single points.
        resamples: bootstrap replicates for the intervals; 0 for none.
        seed: seed of the bootstrap.

    Raises:
        HarnessError: fewer than two amounts, than five points or than three scales, or a value that is not a number.

    >>> sizes, amounts = np.meshgrid([6.0, 7.0, 8.0, 9.0], [10.0, 100.0, 1000.0])
    >>> scores = 0.25 + 0.2 * np.maximum(0.0, sizes + 0.5 * np.log10(amounts) - 8.0)
    >>> law = fit_tuning_law(sizes.ravel(), scores.ravel(), amounts.ravel(), 0.25, at=[1], resamples=0)
    >>> round(law.shift, 2), [round(one.at, 2) for one in law.thresholds]
    (0.5, [8.0, 7.5, 7.0, 6.5])
    """
    scale, score, amount = finite_column("x", x), finite_column("y", y), finite_column("documents", documents)
    _check(scale, amount)
    data = np.log10(amount)
    shifts = np.linspace(-MOST_SHIFT, MOST_SHIFT, _STEPS)
    ones = np.ones((1, len(scale)))
    best = _best(scale, score - floor, data, shifts, ones)
    fine = np.linspace(best[0, 0] - shifts[1] + shifts[0], best[0, 0] + shifts[1] - shifts[0], _STEPS)
    best = _best(scale, score - floor, data, fine, ones)
    again, tail = None, 0.0
    if resamples:
        together = list(range(len(scale))) if groups is None else list(groups)
        drawn = group_resamples(together, resamples, np.random.default_rng(seed))
        again = _best(scale, score - floor, data, shifts, drawn)
        tail = expanded_tail(len(set(together)), 3)
    wanted = [*at, *np.unique(amount)]
    spread = None if again is None else _between(again[:, 0], tail)
    flat = float(np.sum((score - score.mean()) ** 2))
    return TuningLaw(
        shift=float(best[0, 0]),
        shift_low=None if spread is None else spread[0],
        shift_high=None if spread is None else spread[1],
        slope=float(best[0, 2]),
        floor=floor,
        thresholds=tuple(_threshold(count, best, again, tail) for count in wanted),
        r2=1 - float(best[0, 3]) / flat if flat else 0.0,
        refusal=_refusal(best, wanted, amount, flat),
    )


def _check(scale: Array, amount: Array) -> None:
    if (amount <= 0).any():
        raise HarnessError(f"documents: {number(float(amount.min()))} is no number of documents; expected 1 or more")
    amounts, scales = len(np.unique(amount)), len(np.unique(scale))
    if amounts < 2 or scales < 3 or len(scale) < _FEWEST:
        raise HarnessError(
            f"a law of amounts needs 2 amounts of documents, 3 scales and {_FEWEST} points at least; got {amounts}, "
            f"{scales} and {len(scale)}: tune more models, or on more amounts"
        )


def _best(scale: Array, y: Array, data: Array, shifts: Array, weights: Array) -> Array:
    """For each row of weights the best shift, with the elbow at one document, the slope and the squared error there."""
    found = []
    for shift in shifts:
        u = scale + shift * data
        profile = elbow_profile(u, y, np.empty((len(u), 0)), weights, leftmost=float(2 * u.min() - u.max()))
        found.append(np.column_stack([np.full(len(weights), shift), profile.elbow, profile.beta[:, 0], profile.rss]))
    every = np.stack(found)
    # of shifts that fit equally well the smallest: no movement is claimed that the numbers do not show
    order = np.lexsort((np.abs(every[..., 0]).T, np.round(every[..., 3], 12).T))[:, 0]
    return np.asarray(every[order, np.arange(len(weights))])


def _threshold(documents: float, best: Array, again: Array | None, tail: float) -> Threshold:
    moved = np.log10(documents)
    spread = None if again is None else _between(again[:, 1] - again[:, 0] * moved, tail)
    return Threshold(
        documents=float(documents),
        at=float(best[0, 1] - best[0, 0] * moved),
        low=None if spread is None else spread[0],
        high=None if spread is None else spread[1],
    )


def _between(values: Array, tail: float) -> tuple[float, float]:
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _refusal(best: Array, wanted: Sequence[float], amount: Array, flat: float) -> str | None:
    if flat == 0:
        return "All models score the same."
    if best[0, 2] <= 0:
        return "The score falls beyond the elbow: nothing emerges there."
    if abs(best[0, 0]) >= MOST_SHIFT:
        return "No amount of scale makes up for documents within what is looked for: the law does not fit."
    decades = [max(np.log10(amount.min() / one), np.log10(one / amount.max())) for one in wanted]
    if max(decades) > _FAR:
        return f"The forecast lies {number(float(max(decades)))} decades of documents beyond what was tried."
    return None
