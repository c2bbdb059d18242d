"""Results sorted by scale: one curve per family, task, setting and metric, joining only what can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.analysis.curves.scale import NOT_KNOWN, Scale, position
from harness.analysis.curves.types import Curve, Gap, Measurement, Point
from harness.analysis.stats import Array, confidence_interval, estimate
from harness.plan import AXES, Cell, Setting, axes
from harness.records import CellFailure, CellResult
from harness.specs import MetricSpec
from harness.wording import number

if TYPE_CHECKING:
    from harness.store import DocumentScores

_NAMED = ("family", "task", "shots", "prompt")
"""Axes that a curve has a field for."""
_ALONG = ("model", "revision", "seed")
"""Axes on which the results of one curve differ."""
_FREE, _FIRST = (*_NAMED, *_ALONG), ("engine", "dtype", "variant")
CONDITIONS = {name: AXES[name].title or name for name in axes(free=_FREE, first=_FIRST)}
"""Every other axis -> what `Curve.conditions` calls it: results that differ on one of them are never joined."""


def curves(
    results: Iterable[CellResult],
    failures: Iterable[CellFailure] = (),
    *,
    scale: Scale = "params",
    items: Callable[[Cell], DocumentScores | None] | None = None,
) -> tuple[Curve, ...]:
    """Every curve of the results, ordered by family, task, shots, prompt, conditions and rank of the metric.

    A curve joins cells that agree in all `CONDITIONS`. `curves_of` describes what happens to the others, and to
    checkpoints of one model.

    Args:
        results: results in any order; their headers are enough.
        failures: cells that failed. Where a cell has a result too, the failure is ignored.
        scale: the x axis.
        items: returns the scores of a cell's documents, such as `Store.scores`, to fill `Curve.items`; None leaves
            them out.
    """
    done = tuple(results)
    succeeded = {r.cell.place for r in done}
    measured = [_of_result(r, items) for r in done]
    return curves_of([*measured, *(_of_failure(f) for f in failures if f.cell.place not in succeeded)], scale=scale)


def curves_of(measurements: Iterable[Measurement], *, scale: Scale) -> tuple[Curve, ...]:
    """Every curve that can be drawn from the measurements.

    Measurements with different conditions become different curves, whose `split` says what the difference is. If a
    model has several checkpoints, a curve over parameters shows only the most trained one. Over tokens each such model
    has a curve of its own, because there training varies and size does not. Over compute and loss all checkpoints are
    points of one curve.
    """
    given = tuple(measurements)
    several = _sizes_with_checkpoints(given) if scale == "tokens" else frozenset()
    grouped: dict[tuple[str, str, int, str], dict[_Conditions, list[Measurement]]] = {}
    for one in given:
        conditions = one.conditions + ((("model", one.model),) if one.size in several else ())
        grouped.setdefault(one.setting, {}).setdefault(conditions, []).append(one)
    made = []
    for parts in grouped.values():
        answered = [c for c, members in parts.items() if any(m.failure is None for m in members)]
        for conditions in answered:
            split = _difference(conditions, answered)
            made += _of_conditions(parts[conditions], scale=scale, conditions=conditions, split=split)
    return tuple(sorted(made, key=lambda c: (*c.setting, c.rank)))


_Conditions = tuple[tuple[str, str], ...]
_Size = tuple[str, float | None]


def _difference(conditions: _Conditions, others: Iterable[_Conditions]) -> str | None:
    """The conditions in which not all curves of a setting agree, in words; None when they agree in all."""
    everywhere = set.intersection(*(set(other) for other in others))
    return _text(pair for pair in conditions if pair not in everywhere) or None


def _text(conditions: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in conditions)


def _of_result(result: CellResult, items: Callable[[Cell], DocumentScores | None] | None) -> Measurement:
    return replace(
        _of_cell(result.cell),
        age=(result.cell.model.tokens or 0, result.provenance.started_at.timestamp()),
        scores={score.metric: score for score in result.scores},
        n_expected=result.n_expected,
        n_truncated=result.n_truncated,
        documents=(lambda: items(result.cell)) if items else (lambda: None),
    )


def _of_failure(failure: CellFailure) -> Measurement:
    return replace(_of_cell(failure.cell), failure=f"{failure.error}: {failure.message}")


def _of_cell(cell: Cell) -> Measurement:
    """What a measurement says about its cell, without scores."""
    model = cell.model
    return Measurement(
        family=model.family,
        task=cell.task,
        suite=cell.suite,
        kind=cell.kind,
        shots=cell.shots,
        prompt=cell.prompt,
        conditions=_conditions(cell.setting(free=_FREE, first=_FIRST)),
        model=model.name,
        revision=model.revision,
        scales={"params": model.params, "flops": model.flops, "tokens": model.tokens, "loss": model.loss},
        age=(0, 0),
        seed=cell.seed,
        metrics=cell.metrics,
        scores={},
    )


def _sizes_with_checkpoints(measurements: Iterable[Measurement]) -> frozenset[_Size]:
    """Models that were evaluated after different numbers of training tokens."""
    tokens: dict[_Size, set[float | None]] = {}
    for one in measurements:
        if one.failure is None:
            tokens.setdefault(one.size, set()).add(one.scales["tokens"])
    return frozenset(size for size, seen in tokens.items() if len(seen) > 1)


class _Checkpoint(NamedTuple):
    """One model after one amount of training."""

    seeds: Sequence[Measurement]
    """Its measurements, one per few-shot seed."""
    documents: Sequence[DocumentScores | None]
    """Scores of single documents, seed by seed; None where they cannot be read."""


def _conditions(setting: Setting) -> _Conditions:
    """Name and value of each condition, without those that go without saying."""
    return tuple(
        (CONDITIONS[name], AXES[name].text(value))
        for name, value in zip(setting.names, setting.values, strict=True)
        if not AXES[name].goes_without_saying(value)
    )


def _of_conditions(
    measurements: Sequence[Measurement], *, scale: Scale, conditions: _Conditions, split: str | None
) -> list[Curve]:
    """One curve per metric, from measurements with the same conditions."""
    failures = [m for m in measurements if m.failure is not None]
    seeds = _checkpoints([m for m in measurements if m.failure is None], final_only=scale == "params")
    checkpoints = [_Checkpoint(members, [m.documents() for m in members]) for members in seeds]
    first = replace(measurements[0], conditions=conditions)
    curves = (
        _curve(first, rank, checkpoints, failures, scale=scale, split=split) for rank in range(len(first.metrics))
    )
    return [curve for curve in curves if curve is not None]


def _curve(
    first: Measurement,
    rank: int,
    checkpoints: Sequence[_Checkpoint],
    failures: Sequence[Measurement],
    *,
    scale: Scale,
    split: str | None,
) -> Curve | None:
    """The curve of one metric; None when no checkpoint has a point on it."""
    metric = first.metrics[rank]
    placed = [(_point(checkpoint.seeds, metric, scale), checkpoint) for checkpoint in checkpoints]
    on_curve = [(point, checkpoint) for point, checkpoint in placed if isinstance(point, Point)]
    on_curve.sort(key=lambda pair: (position(scale, pair[0].x), pair[0].model))
    points = tuple(point for point, _ in on_curve)
    gaps = [gap for gap, _ in placed if isinstance(gap, Gap)]
    evaluated = {point.model for point in points} | {gap.model for gap in gaps}
    gaps += [Gap(f.model, str(f.failure), f.scales[scale]) for f in failures if f.model not in evaluated]
    if not points:
        return None
    return Curve(
        family=first.family,
        task=first.task,
        suite=first.suite,
        kind=first.kind,
        shots=first.shots,
        prompt=first.prompt,
        metric=metric,
        rank=rank,
        scale=scale,
        points=points,
        gaps=tuple(sorted(set(gaps), key=lambda gap: (gap.x or 0.0, gap.model, gap.reason))),
        conditions=_text(first.conditions),
        split=split,
        items=_items([checkpoint for _, checkpoint in on_curve], metric, points),
    )


def _checkpoints(measurements: Sequence[Measurement], *, final_only: bool) -> list[list[Measurement]]:
    """The seeds of each checkpoint, or of each model's most trained one; if equally trained, of the last evaluated."""
    grouped: dict[tuple[str, str], list[Measurement]] = {}
    final: dict[_Size, str] = {}
    for one in sorted(measurements, key=lambda m: m.age):
        grouped.setdefault((one.model, one.revision), []).append(one)
        final[one.size] = one.revision
    return [
        sorted(seeds, key=lambda m: m.seed)
        for (_, revision), seeds in grouped.items()
        if not final_only or final[seeds[0].size] == revision
    ]


def _point(seeds: Sequence[Measurement], metric: MetricSpec, scale: Scale) -> Point | Gap:
    """The point of one checkpoint, from all its seeds; a gap when it has no score or no place on the x axis."""
    model, x = seeds[0].model, seeds[0].scales[scale]
    scores = [m.scores[metric.name] for m in seeds if metric.name in m.scores]
    if not scores:
        return Gap(model, f"no score for {metric.name}", x)
    if x is None:
        return Gap(model, NOT_KNOWN[scale], None)
    if x <= 0 and scale != "loss":
        return Gap(model, f"{number(x)} {scale} have no place on a log axis", None)
    pooled = estimate(scores, metric)
    low, high = confidence_interval(pooled)
    return Point(
        model=model,
        x=float(x),
        estimate=pooled,
        low=low,
        high=high,
        n_expected=min(m.n_expected for m in seeds),
        n_truncated=sum(m.n_truncated for m in seeds),
    )


def _items(checkpoints: Sequence[_Checkpoint], metric: MetricSpec, points: Sequence[Point]) -> Array | None:
    """Scores by size, seed and document, documents ordered by their hashes; None for the reasons of `Curve.items`."""
    if len({tuple(m.seed for m in one.seeds) for one in checkpoints}) > 1:
        return None
    every: list[list[Array]] = []
    hashes: list[str] | None = None
    for _, documents in checkpoints:
        rows = []
        for read in documents:
            if read is None or not read.doc_hash or metric.name not in read.scores:
                return None
            order = sorted(range(len(read.doc_hash)), key=read.doc_hash.__getitem__)
            here = [read.doc_hash[i] for i in order]
            if hashes not in (None, here):
                return None
            hashes = here
            rows.append(read.scores[metric.name][order])
        every.append(rows)
    items = np.array(every)
    # A score of a whole corpus, such as span F1, is not the mean over its documents, and they cannot be resampled for
    # it.
    values = [p.estimate.value for p in points]
    return items if np.allclose(items.mean(axis=(1, 2)), values, rtol=1e-6, atol=1e-9) else None
