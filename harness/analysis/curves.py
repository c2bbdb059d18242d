"""Results sorted by scale: one curve per family, task, setting and metric, joining only what can be compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.analysis.uncertainty import Estimate, estimate, interval
from harness.plan import Cell
from harness.records import CellFailure, CellResult, Score
from harness.specs import Kind, MetricSpec, ModelSpec

Scale = Literal["params", "flops", "tokens", "loss"]
AXIS_TITLES: Mapping[Scale, str] = {
    "params": "Parameters (log scale)",
    "flops": "Training compute 6ND, FLOPs (log scale)",
    "tokens": "Training tokens (log scale)",
    "loss": "Loss of the model (smaller is better)",
}
_UNKNOWN: Mapping[Scale, str] = {
    "params": "parameters not known",
    "flops": "training tokens not known",
    "tokens": "training tokens not known",
    "loss": "loss not known",
}


def position(scale: Scale, x: float) -> float:
    """Where `x` stands among sizes, ascending with ability: log10 of a size, and -x of a loss.

    >>> position("params", 1e9), position("loss", 2.5)
    (9.0, -2.5)
    """
    return -x if scale == "loss" else math.log10(x)


def scale_value(scale: Scale, position: float) -> float:
    """The size or loss at a position: the inverse of `position`.

    >>> scale_value("params", 9.0), scale_value("loss", -2.5)
    (1000000000.0, 2.5)
    """
    return -position if scale == "loss" else 10.0**position


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One model on a curve, all its few-shot seeds taken together."""

    model: str
    """Model name."""
    x: float
    """Scale, in the unit of the curve's axis."""
    estimate: Estimate
    """Score with its standard error and number of documents."""
    low: float | None
    """Lower end of the 95 % interval; None when the spread is unknown."""
    high: float | None
    """Upper end of the 95 % interval; None when the spread is unknown."""
    n_expected: int
    """Documents the cell should have had; more than `estimate.n` when some are missing."""
    n_truncated: int = 0
    """Prompts that did not fit the model's context, over all seeds."""


class Gap(NamedTuple):
    """A model without a point, and why."""

    model: str
    """Model name."""
    reason: str
    """What happened, for people."""
    x: float | None
    """Where its point would be; None when its scale is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One metric over the sizes of one family, everything else held equal."""

    family: str
    """Family name."""
    task: str
    """Task name."""
    suite: str
    """Home suite of the task; empty when a table does not say."""
    kind: Kind | Literal[""]
    """Kind of ability; empty when a table does not say."""
    shots: int
    """Demonstrations before the question."""
    prompt: str
    """Prompt variant."""
    metric: MetricSpec
    """What is measured."""
    rank: int
    """Position among the task's metrics; 0 is the headline."""
    scale: Scale
    """What x means."""
    points: tuple[Point, ...]
    """Ascending by position (size up, loss down), at least one."""
    missing: tuple[Gap, ...] = ()
    """Models that were asked and have no point: failed, or of unknown scale. They are never drawn as 0."""
    conditions: str
    """What all points share: engine, dtype, variant, task digest, limit."""
    split: str | None = None
    """How this curve differs from others of the same setting that it must not be joined with; None when it is whole."""
    items: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)
    """Score of each document, (sizes, seeds, documents), the same documents in the same order throughout, so that
    the mean over seeds and documents is `y`; None when they were not read, differ between sizes or seeds, or the
    metric is no mean over documents."""

    @property
    def x(self) -> tuple[float, ...]:
        """Scale of each point, in the unit of the axis."""
        return tuple(p.x for p in self.points)

    @property
    def position(self) -> tuple[float, ...]:
        """Scale of each point as statistics use it, ascending with ability: log10 x, or -x for a loss."""
        return tuple(position(self.scale, p.x) for p in self.points)

    @property
    def y(self) -> tuple[float, ...]:
        """Score of each point."""
        return tuple(p.estimate.value for p in self.points)

    @property
    def low(self) -> tuple[float | None, ...]:
        """Lower end of each 95 % interval."""
        return tuple(p.low for p in self.points)

    @property
    def high(self) -> tuple[float | None, ...]:
        """Upper end of each 95 % interval."""
        return tuple(p.high for p in self.points)

    @property
    def n(self) -> tuple[int, ...]:
        """Documents behind each point."""
        return tuple(p.estimate.n for p in self.points)

    @property
    def stderr(self) -> tuple[float | None, ...]:
        """Standard error of each point."""
        return tuple(p.estimate.stderr for p in self.points)

    @property
    def models(self) -> tuple[str, ...]:
        """Model of each point."""
        return tuple(p.model for p in self.points)

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Score of each point with its uncertainty."""
        return tuple(p.estimate for p in self.points)

    @property
    def setting(self) -> tuple[str, str, int, str, str]:
        """Equal for the metrics of the same samples: family, task, shots, prompt, conditions."""
        return (self.family, self.task, self.shots, self.prompt, self.conditions)

    @property
    def label(self) -> str:
        """Short text for legends within one family: shots, prompt variant, and what sets the curve apart."""
        parts = [f"{self.shots}-shot"]
        parts += [self.prompt] if self.prompt != "default" else []
        parts += [self.split] if self.split else []
        return ", ".join(parts)


def curves(
    results: Iterable[CellResult], failures: Iterable[CellFailure] = (), *, scale: Scale = "params"
) -> tuple[Curve, ...]:
    """Every curve the results hold, by family, task, shots, prompt, conditions and rank of the metric.

    A curve joins cells of equal engine, dtype, variant, task digest and limit. Cells that differ in one of these
    become curves of their own, and `split` says in what. Of several checkpoints of a model only the one with most
    training tokens stands on the params axis; on the tokens axis each such model has a curve of its own, because
    its size is then not what varies.

    Args:
        results: in any order; headers are enough.
        failures: cells without a result; a result for the same cell wins.
        scale: the x axis.
    """
    done = list(results)
    succeeded = {r.cell.key for r in done}
    gone = [f for f in failures if f.cell.key not in succeeded]
    several = _models_with_checkpoints(done) if scale == "tokens" else frozenset()
    grouped: dict[tuple[str, str, int, str], dict[_Conditions, list[CellResult]]] = {}
    for result in done:
        conditions = _Conditions.of(result.cell, several)
        grouped.setdefault(_setting(result.cell), {}).setdefault(conditions, []).append(result)
    made = [
        curve
        for setting, parts in grouped.items()
        for conditions, members in parts.items()
        for curve in _curves_of(
            members,
            [f for f in gone if _setting(f.cell) == setting and _Conditions.of(f.cell, several) == conditions],
            scale=scale,
            conditions=conditions,
            split=conditions.difference(tuple(parts)),
        )
    ]
    return tuple(sorted(made, key=lambda c: (*c.setting, c.rank)))


class _Conditions(NamedTuple):
    """What must be equal for two cells to lie on one curve, beside family, task, shots and prompt."""

    engine: str
    dtype: str
    variant: str
    task: str
    documents: str
    model: str

    @classmethod
    def of(cls, cell: Cell, several: frozenset[str]) -> _Conditions:
        return cls(
            engine=cell.engine,
            dtype=cell.model.dtype,
            variant=cell.model.variant or "plain",
            task=cell.task_digest,
            documents="all" if cell.limit is None else f"first {cell.limit}",
            model=cell.model.name if cell.model.name in several else "",
        )

    def text(self, fields: Iterable[str]) -> str:
        return ", ".join(f"{name} {getattr(self, name)}" for name in fields if getattr(self, name))

    def difference(self, others: Sequence[_Conditions]) -> str | None:
        differing = [name for name in self._fields if len({getattr(o, name) for o in others}) > 1]
        return self.text(differing) or None


def _setting(cell: Cell) -> tuple[str, str, int, str]:
    return (cell.model.family, cell.task, cell.shots, cell.prompt)


def _models_with_checkpoints(results: Iterable[CellResult]) -> frozenset[str]:
    tokens: dict[str, set[int | None]] = {}
    for result in results:
        tokens.setdefault(result.cell.model.name, set()).add(result.cell.model.tokens)
    return frozenset(name for name, seen in tokens.items() if len(seen) > 1)


def _curves_of(
    results: Sequence[CellResult],
    failures: Sequence[CellFailure],
    *,
    scale: Scale,
    conditions: _Conditions,
    split: str | None,
) -> list[Curve]:
    """One curve per metric of cells that can all be compared."""
    first = results[0].cell
    by_model = _by_model(results, final_only=scale == "params")
    made = []
    for rank, metric in enumerate(first.metrics):
        points, missing = _points(by_model.values(), metric, scale)
        seen = {p.model for p in points} | {g.model for g in missing}
        missing += [_gap(f, scale) for f in failures if f.cell.model.name not in seen]
        if points:
            made.append(
                Curve(
                    family=first.model.family,
                    task=first.task,
                    suite=first.suite,
                    kind=first.kind,
                    shots=first.shots,
                    prompt=first.prompt,
                    metric=metric,
                    rank=rank,
                    scale=scale,
                    points=tuple(sorted(points, key=lambda p: (position(scale, p.x), p.model))),
                    missing=tuple(sorted(set(missing), key=lambda g: (g.x or 0.0, g.model, g.reason))),
                    conditions=conditions.text(conditions._fields),
                    split=split,
                )
            )
    return made


def _by_model(results: Sequence[CellResult], *, final_only: bool) -> dict[tuple[str, str], list[CellResult]]:
    """The seeds of each checkpoint; or of each model's most trained one, with equal tokens the one evaluated last."""
    grouped: dict[tuple[str, str], list[CellResult]] = {}
    for result in sorted(results, key=_age):
        grouped.setdefault((result.cell.model.name, result.cell.model.revision), []).append(result)
    if not final_only:
        return grouped
    latest = {r.cell.model.name: r.cell.model.revision for r in sorted(results, key=_age)}
    return {(name, revision): seeds for (name, revision), seeds in grouped.items() if latest[name] == revision}


def _age(result: CellResult) -> tuple[int, float]:
    return (result.cell.model.tokens or 0, result.provenance.started_at.timestamp())


def _points(groups: Iterable[Sequence[CellResult]], metric: MetricSpec, scale: Scale) -> tuple[list[Point], list[Gap]]:
    points, missing = [], []
    for results in groups:
        model = results[0].cell.model
        scores = [s for r in results if (s := _score(r, metric)) is not None]
        x = _scale_of(model, scale)
        if not scores:
            missing.append(Gap(model.name, f"no score for {metric.name}", x))
        elif x is None:
            missing.append(Gap(model.name, _UNKNOWN[scale], None))
        else:
            pooled = estimate(scores, metric)
            low, high = interval(pooled)
            points.append(
                Point(
                    model=model.name,
                    x=x,
                    estimate=pooled,
                    low=low,
                    high=high,
                    n_expected=min(r.n_expected for r in results),
                    n_truncated=sum(r.n_truncated for r in results),
                )
            )
    return points, missing


def _gap(failure: CellFailure, scale: Scale) -> Gap:
    model = failure.cell.model
    return Gap(model.name, f"{failure.error}: {failure.message}", _scale_of(model, scale))


def _score(result: CellResult, metric: MetricSpec) -> Score | None:
    return next((s for s in result.scores if s.metric == metric.name), None)


def _scale_of(model: ModelSpec, scale: Scale) -> float | None:
    value = {"params": model.params, "flops": model.flops, "tokens": model.tokens, "loss": model.loss}[scale]
    return None if value is None else float(value)
