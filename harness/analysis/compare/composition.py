"""Is a composite ability more than its parts? The scores of a task beside those that its parts give, size by size.

An answer that takes several things at once is right when all of them are. If each succeeds by itself, the composite
knows the product of what its parts know:

    s = c + (b - c) · Π a_i^(k_i · λ),    a_i = (s_i - c_i) / (b_i - c_i)

with chance c and best score b of each task, and k_i times that part i is needed. λ = 1 says that nothing but the parts
is needed; λ > 1 that to put them together is an ability of its own (the compositionality gap of Press et al. 2022,
arXiv:2210.03350). A product of smooth parts can look like a jump without being one (Okawa et al. 2023,
arXiv:2310.09336; Schaeffer et al. 2023, arXiv:2304.15004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from harness.analysis.curves import Curve
from harness.analysis.stats import ALPHA, PRACTICAL_EFFECT, Array, Estimate, holm
from harness.errors import PlanError
from harness.specs import MetricSpec
from harness.wording import counted

DRAWS = 20_000
"""Draws of the scores within their errors."""
_RATIOS = np.geomspace(0.05, 20.0, 301)
"""Values of λ that are tried."""
_SEED = 20_220_310
_SMALLEST = 1e-9
_NONE = 0.01
ENOUGH = 2 * PRACTICAL_EFFECT
"""Difference, as a share of the range from chance to the best score, that no size may have for the parts to explain the
composite: its whole interval lies within."""

WhetherExplained = Literal["explained", "falls short", "exceeds", "both", "cannot tell"]
"""Whether the parts explain the composite. `falls short`: it is worse than they give; `exceeds`: it is better; `both`:
worse at some sizes and better at others; `cannot tell`: no size differs, but a difference that matters is possible."""


class TaskPart(NamedTuple):
    """A task that a composite is made of."""

    curve: Curve
    """Its scores over the same models."""
    times: float = 1.0
    """How often it is needed for one answer of the composite."""


class SizeBesideParts(NamedTuple):
    """One size: the score of the composite beside what its parts give; in units of the score."""

    model: str
    """The size."""
    x: float
    """Its scale, in the unit of the axis."""
    observed: float
    """Score of the composite."""
    observed_low: float
    """Lower end of its 95 % interval."""
    observed_high: float
    """Upper end of that interval."""
    predicted: float
    """Score that the parts give."""
    predicted_low: float
    """Lower end of its 95 % interval, from the errors of the parts."""
    predicted_high: float
    """Upper end of that interval."""
    difference: float
    """Observed minus predicted; what is observed below chance counts as chance."""
    low: float
    """Lower end of its 95 % interval."""
    high: float
    """Upper end of that interval."""
    p: float
    """Two-sided p of `difference`, corrected over the sizes (Holm)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Composition:
    """A composite task beside its parts."""

    target: Curve
    """Scores of the composite."""
    parts: tuple[TaskPart, ...]
    """What it is made of."""
    sizes: tuple[SizeBesideParts, ...]
    """Sizes at which all of them have a score, ascending."""
    answer: WhetherExplained
    """Whether the parts explain it."""
    explained: float | None
    """Share of the variance of the composite over the sizes that the prediction explains; below 0 where the mean of all
    sizes is nearer. None where the composite is the same everywhere."""
    ratio: float
    """λ that describes the composite best: how many times the parts are needed, over what was said."""
    ratio_low: float
    """Lower end of its 95 % interval."""
    ratio_high: float
    """Upper end of that interval."""

    @property
    def different(self) -> tuple[str, ...]:
        """Sizes at which the composite differs from what its parts give; one alone may be a run that failed."""
        return tuple(size.model for size in self.sizes if size.p < ALPHA)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Sizes of the composite at which a part has no score."""
        shown = {size.model for size in self.sizes}
        return tuple(name for name in self.target.names if name not in shown)


def compose(target: Curve, parts: Sequence[TaskPart]) -> Composition:
    """Predict a composite from its parts at each size, and compare.

    Args:
        target: scores of the composite.
        parts: what it is made of, with curves of the same models on the same axis; at least one.

    Raises:
        PlanError: fewer than two sizes have all scores with a known error, or a score has no range.
    """
    for curve in (target, *(part.curve for part in parts)):
        _check(curve)
    names = [name for name in target.names if all(name in part.curve.names for part in parts)]
    if len(names) < 2:
        raise PlanError(
            f"{target.task} and its parts have {counted(len(names), 'size')} in common; at least 2 are needed: "
            + "; ".join(f"{part.curve.task} has {', '.join(part.curve.names)}" for part in parts)
        )
    random = np.random.default_rng(_SEED)
    observed = _drawn(target, names, random)
    knows = [_known(_drawn(part.curve, names, random), part.curve.metric) for part in parts]
    product: Array = np.prod([known**part.times for known, part in zip(knows, parts, strict=True)], axis=0)
    predicted = _score(product, target.metric)
    point = _point(parts, names)
    sizes = _sizes(target, names, observed, predicted, _score(point, target.metric))
    ratios = _ratios(_known(observed, target.metric), product)
    best = _ratios(_known(_values(target, names)[None], target.metric), point[None])
    return Composition(
        target=target,
        parts=tuple(parts),
        sizes=sizes,
        answer=_answer(sizes, ENOUGH * _range(target.metric)),
        explained=_explained(sizes),
        ratio=float(best[0]),
        ratio_low=float(np.quantile(ratios, ALPHA / 2)),
        ratio_high=float(np.quantile(ratios, 1 - ALPHA / 2)),
    )


def _check(curve: Curve) -> None:
    metric = curve.metric
    if metric.continuous or not metric.higher_is_better or metric.best is None or _range(metric) <= 0:
        raise PlanError(
            f"{curve.task}: {metric.name} is not a share of right answers, which is what can be multiplied; "
            "name one with TASK/METRIC"
        )
    if any(e.stderr is None for e in curve.run_estimates):
        raise PlanError(f"{curve.task}: the error of {metric.name} is not known, so nothing can be compared")


def _estimates(curve: Curve, names: Sequence[str]) -> list[Estimate]:
    by_name = dict(zip(curve.names, curve.run_estimates, strict=True))
    return [by_name[name] for name in names]


def _values(curve: Curve, names: Sequence[str]) -> Array:
    return np.array([e.value for e in _estimates(curve, names)])


def _drawn(curve: Curve, names: Sequence[str], random: np.random.Generator) -> Array:
    """Scores within their errors, (draws, sizes): shares as a beta distribution, which has a width at 0 and 1 too."""
    best = curve.metric.best or 1.0
    drawn = []
    for e in _estimates(curve, names):
        mean = min(max(e.value / best, 0.0), 1.0)
        n = float(max(e.n, 1))
        spread = (e.stderr or 0.0) / best
        if spread > 0 and 0 < mean < 1:
            n = min(n, max(mean * (1 - mean) / spread**2 - 1, 1.0))
        drawn.append(best * random.beta(n * mean + 0.5, n * (1 - mean) + 0.5, size=DRAWS))  # Jeffreys
    return np.stack(drawn, axis=1)


def _range(metric: MetricSpec) -> float:
    """From chance to the best score."""
    return (metric.best or 1.0) - (metric.chance or 0.0)


def _known(scores: Array, metric: MetricSpec) -> Array:
    """Share that is known, where the rest is guessed."""
    return np.clip((scores - (metric.chance or 0.0)) / _range(metric), 0.0, 1.0)


def _score(known: Array, metric: MetricSpec) -> Array:
    return (metric.chance or 0.0) + _range(metric) * known


def _point(parts: Sequence[TaskPart], names: Sequence[str]) -> Array:
    known = [_known(_values(part.curve, names), part.curve.metric) ** part.times for part in parts]
    return np.asarray(np.prod(known, axis=0), dtype=float)


def _sizes(
    target: Curve, names: Sequence[str], observed: Array, predicted: Array, at: Array
) -> tuple[SizeBesideParts, ...]:
    by_name = dict(zip(target.names, target.points, strict=True))
    values = _values(target, names)
    differences = _score(_known(observed, target.metric), target.metric) - predicted
    shown = _score(_known(values, target.metric), target.metric)
    none = _NONE * _range(target.metric)  # clipped at chance, both sides are equal but for rounding
    not_below, not_above = (np.mean(side, axis=0) for side in (differences >= -none, differences <= none))
    p = np.clip(2 * np.minimum(not_below, not_above), 1 / DRAWS, 1.0)
    ends = [np.quantile(each, [ALPHA / 2, 1 - ALPHA / 2], axis=0).T for each in (observed, predicted, differences)]
    return tuple(
        SizeBesideParts(
            model=name,
            x=by_name[name].x,
            observed=float(values[i]),
            observed_low=float(ends[0][i, 0]),
            observed_high=float(ends[0][i, 1]),
            predicted=float(at[i]),
            predicted_low=float(ends[1][i, 0]),
            predicted_high=float(ends[1][i, 1]),
            difference=float(shown[i] - at[i]),
            low=float(ends[2][i, 0]),
            high=float(ends[2][i, 1]),
            p=corrected,
        )
        for i, (name, corrected) in enumerate(zip(names, holm(list(p)), strict=True))
    )


def _answer(sizes: Sequence[SizeBesideParts], matters: float) -> WhetherExplained:
    different = [size for size in sizes if size.p < ALPHA]
    worse = any(size.difference < 0 for size in different)
    better = any(size.difference > 0 for size in different)
    if worse and better:
        return "both"
    if different:
        return "falls short" if worse else "exceeds"
    if all(-matters < size.low and size.high < matters for size in sizes):
        return "explained"
    return "cannot tell"


def _explained(sizes: Sequence[SizeBesideParts]) -> float | None:
    observed = np.array([size.observed for size in sizes])
    spread = float(np.sum((observed - observed.mean()) ** 2))
    if spread == 0:
        return None
    return 1 - float(np.sum([size.difference**2 for size in sizes])) / spread


def _ratios(known: Array, product: Array) -> Array:
    """λ with the smallest squared error for each draw, (draws,)."""
    logs = np.log(np.maximum(product, _SMALLEST))
    errors = [np.sum((known - np.exp(ratio * logs)) ** 2, axis=1) for ratio in _RATIOS]
    best: Array = _RATIOS[np.argmin(errors, axis=0)]
    return best
