"""Results sorted by scale: one curve per family, task, setting and metric, joining only what can be compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.analysis.curves.replicates import named_apart, noise_between, point_of, sizes
from harness.analysis.curves.scale import NOT_KNOWN, Scale
from harness.analysis.curves.stages import Stages, pooled, stages_of
from harness.analysis.curves.types import Curve, Gap, Measurement, Point, TrainingRun
from harness.analysis.stats import Array, confidence_interval, estimate
from harness.plan import AXES, Cell, Setting, axes
from harness.records import CellFailure, CellResult
from harness.specs import MetricSpec
from harness.wording import number

if TYPE_CHECKING:
    from harness.store import DocumentScores

_HASH = re.compile(r"[0-9a-f]{8,}")
"""The revision of a commit or a folder, which tells people nothing."""
_NAMED = ("family", "task", "shots", "prompt")
"""Axes that a curve has a field for."""
_ALONG = ("model", "revision", "run", "seed")
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

    A curve joins cells that agree in all `CONDITIONS`. `curves_of` describes what happens to the others, to
    checkpoints of one model, and to training runs of one size.

    Args:
        results: results in any order; their headers are enough.
        failures: cells that failed. Where a cell has a result too, the failure is ignored.
        scale: the x axis.
        items: returns the scores of a cell's documents, such as `Store.scores`, to fill `Curve.items`; None leaves
            them out.
    """
    return curves_of(measured_results(results, failures, items=items), scale=scale)


def measured_results(
    results: Iterable[CellResult],
    failures: Iterable[CellFailure] = (),
    *,
    items: Callable[[Cell], DocumentScores | None] | None = None,
) -> tuple[Measurement, ...]:
    """The measurements that results hold; the arguments are those of `curves`."""
    done, failures = tuple(results), tuple(failures)
    succeeded = {r.cell.place for r in done} if failures else frozenset()
    failed = (_of_failure(f) for f in failures if f.cell.place not in succeeded)
    return (*(_of_result(r, items) for r in done), *failed)


def headlined(drawn: Sequence[Curve]) -> tuple[Curve, ...]:
    """The curves, with rank 0 for every sharp metric, and for continuous ones without a sharp one beside them."""
    with_sharp = {c.setting for c in drawn if not c.metric.continuous}
    return tuple(c if c.metric.continuous and c.setting in with_sharp else replace(c, rank=0) for c in drawn)


def curves_of(measurements: Iterable[Measurement], *, scale: Scale) -> tuple[Curve, ...]:
    """Every curve that can be drawn from the measurements.

    Measurements with different conditions become different curves, whose `split` says what the difference is. If sizes
    have several checkpoints, a curve over parameters or compute shows only the most trained one of each. Over tokens
    each such size has a curve of its own, because there training varies and size does not. Over loss, and over compute
    when there is one size only, all checkpoints are points of one curve. The module `stages` says why.

    Models with the same parameters and the same training tokens are training runs of one size: they share a point,
    whose score is their mean, see `sizes`.
    """
    given = tuple(measurements)
    stages = stages_of(given)
    grouped: dict[tuple[str, str, int, str], dict[_Conditions, list[Measurement]]] = {}
    for one in given:
        own = stages.labels.get(stages.training(one)) if scale == "tokens" else None
        conditions = one.conditions + ((own,) if own else ())
        grouped.setdefault(one.setting, {}).setdefault(conditions, []).append(one)
    made = []
    for parts in grouped.values():
        answered = [c for c, members in parts.items() if any(m.failure is None for m in members)]
        for conditions in answered:
            split = _difference(conditions, answered)
            made += _of_conditions(parts[conditions], stages, scale=scale, conditions=conditions, split=split)
    return tuple(sorted(made, key=lambda c: (*c.setting, c.rank)))


_Conditions = tuple[tuple[str, str], ...]
_Trained = tuple[str, float | None, str | None]


def _difference(conditions: _Conditions, others: Iterable[_Conditions]) -> str | None:
    """The conditions in which not all curves of a setting agree, in words; None when they agree in all."""
    everywhere = set.intersection(*(set(other) for other in others))
    return _text(pair for pair in conditions if pair not in everywhere) or None


def _text(conditions: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in conditions)


def _of_result(result: CellResult, items: Callable[[Cell], DocumentScores | None] | None) -> Measurement:
    return Measurement(
        **_of_cell(result.cell),
        age=(result.cell.model.tokens or 0, result.provenance.started_at.timestamp()),
        scores={score.metric: score for score in result.scores},
        n_expected=result.n_expected,
        n_truncated=result.n_truncated,
        documents=(lambda: items(result.cell)) if items else _no_documents,
    )


def _no_documents() -> None:
    return None


def _of_failure(failure: CellFailure) -> Measurement:
    return Measurement(**_of_cell(failure.cell), age=(0, 0), scores={}, failure=f"{failure.error}: {failure.message}")


def _of_cell(cell: Cell) -> dict[str, Any]:
    """What a measurement says about its cell."""
    model = cell.model
    return {
        "family": model.family,
        "task": cell.task,
        "suite": cell.suite,
        "kind": cell.kind,
        "shots": cell.shots,
        "prompt": cell.prompt,
        "conditions": _conditions(cell.setting(free=_FREE, first=_FIRST)),
        "model": model.name,
        "revision": model.revision,
        "run": None if model.run is None else str(model.run),
        "stage": model.revision,
        "scales": {
            "params": model.params,
            "params_non_embedding": model.params_non_embedding,
            "params_active": model.params_active or model.params,
            "flops": model.flops,
            "tokens": model.tokens,
            "loss": model.loss,
        },
        "seed": cell.seed,
        "metrics": cell.metrics,
    }


class _Checkpoint(NamedTuple):
    """One training run of a model after one amount of training."""

    seeds: Sequence[Measurement]
    """Its measurements, one per few-shot seed."""
    documents: Sequence[DocumentScores | None]
    """Scores of single documents, seed by seed; None where they cannot be read."""


class _About(NamedTuple):
    """What all metrics of the same answers have in common."""

    first: Measurement
    """One of the measurements, with the conditions of all."""
    split: str | None
    """As `Curve.split`."""
    of_checkpoints: bool
    """As `Curve.of_checkpoints`."""
    left_out: int
    """As `Curve.left_out`."""


@lru_cache(maxsize=10_000)  # thousands of cells share a few
def _conditions(setting: Setting) -> _Conditions:
    """Name and value of each condition, without those that go without saying."""
    return tuple(
        (CONDITIONS[name], AXES[name].text(value))
        for name, value in zip(setting.names, setting.values, strict=True)
        if not AXES[name].goes_without_saying(value)
    )


def _of_conditions(
    measurements: Sequence[Measurement],
    stages: Stages,
    *,
    scale: Scale,
    conditions: _Conditions,
    split: str | None,
) -> list[Curve]:
    """One curve per metric, from measurements with the same conditions."""
    failures = [m for m in measurements if m.failure is not None]
    done = [m for m in measurements if m.failure is None]
    kept = pooled(scale, stages, done)
    seeds = _checkpoints(kept)
    checkpoints = [_Checkpoint(members, [m.documents() for m in members]) for members in seeds]
    trained = {(stages.training(one), one.scales["tokens"]) for one in kept}
    about = _About(
        first=replace(measurements[0], conditions=conditions),
        split=split,
        of_checkpoints=len({training for training, _ in trained}) < len(trained),
        left_out=0 if len(kept) == len(done) else len(_checkpoints(done)) - len(seeds),
    )
    made = (_curve(about, rank, checkpoints, failures, stages, scale=scale) for rank in range(len(about.first.metrics)))
    return [curve for curve in made if curve is not None]


def _curve(
    about: _About,
    rank: int,
    checkpoints: Sequence[_Checkpoint],
    failures: Sequence[Measurement],
    stages: Stages,
    *,
    scale: Scale,
) -> Curve | None:
    """The curve of one metric; None when no checkpoint has a point on it."""
    first = about.first
    metric = first.metrics[rank]
    placed = [(_training_run(checkpoint.seeds, metric, scale), checkpoint) for checkpoint in checkpoints]
    on_curve = [(run, checkpoint) for run, checkpoint in placed if isinstance(run, TrainingRun)]
    if not on_curve:
        return None
    runs = [run for run, _ in on_curve]
    grouped = sizes(runs, [checkpoint.seeds[0].scales for _, checkpoint in on_curve], scale)
    trainings = [stages.training(on_curve[members[0]][1].seeds[0])[:3] for members in grouped]
    noise = noise_between([[runs[i] for i in members] for members in grouped], metric, trainings)
    of_sizes = named_apart([point_of([runs[i] for i in members], noise) for members in grouped])
    points = _named(of_sizes, [on_curve[members[0]][1].seeds[0] for members in grouped])
    gaps = [gap for gap, _ in placed if isinstance(gap, Gap)]
    evaluated = {checkpoint.seeds[0].name for checkpoint in checkpoints}
    gaps += [Gap(f.name, str(f.failure), f.scales[scale]) for f in failures if f.name not in evaluated]
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
        format=dict(first.conditions).get("format"),
        of_checkpoints=about.of_checkpoints,
        left_out=about.left_out,
        split=about.split,
        noise=noise,
        items=_items([[on_curve[i][1] for i in members] for members in grouped], metric, points),
    )


def _checkpoints(measurements: Sequence[Measurement]) -> list[list[Measurement]]:
    """The seeds of each checkpoint."""
    grouped: dict[tuple[_Trained, str], list[Measurement]] = {}
    for one in sorted(measurements, key=lambda m: m.age):
        grouped.setdefault((one.trained, one.revision), []).append(one)
    return [sorted(seeds, key=lambda m: m.seed) for seeds in grouped.values()]


def _training_run(seeds: Sequence[Measurement], metric: MetricSpec, scale: Scale) -> TrainingRun | Gap:
    """The score of one checkpoint, from all its seeds; a gap when it has no score or no place on the x axis."""
    first, x = seeds[0], seeds[0].scales[scale]
    scores = [score for m in seeds if (score := m.scores.get(metric.name)) is not None]
    if not scores:
        return Gap(first.name, f"no score for {metric.name}", x)
    if x is None:
        return Gap(first.name, NOT_KNOWN[scale], None)
    if x <= 0 and scale != "loss":
        return Gap(first.name, f"{number(x)} {scale} have no place on a log axis", None)
    pooled = estimate(scores, metric)
    low, high = confidence_interval(pooled)
    return TrainingRun(
        model=first.model,
        run=first.run,
        x=float(x),
        estimate=pooled,
        low=low,
        high=high,
        n_expected=min([m.n_expected for m in seeds]),
        n_truncated=sum([m.n_truncated for m in seeds]),
        of_seeds=tuple(one.value for one in scores) if len(scores) > 1 else (),
    )


def _named(points: Sequence[Point], of: Sequence[Measurement]) -> tuple[Point, ...]:
    """The points, with the names of their checkpoints where several are of one model."""
    times = Counter([point.model for point in points])
    if len(times) == len(points):
        return tuple(points)
    return tuple(
        replace(point, checkpoint=_checkpoint_name(point.model, one)) if times[point.model] > 1 else point
        for point, one in zip(points, of, strict=True)
    )


def _checkpoint_name(model: str, one: Measurement) -> str:
    tokens, params = one.scales["tokens"], one.scales["params"]
    if one.stage and not (tokens and _HASH.fullmatch(one.stage)):
        return f"{model}@{one.stage}"
    return f"{model} after {number(tokens)} tokens" if tokens else f"{model} of {number(params or 0)} parameters"


def _items(grouped: Sequence[Sequence[_Checkpoint]], metric: MetricSpec, points: Sequence[Point]) -> Array | None:
    """Scores by size, seed and document, documents ordered by their hashes; None for the reasons of `Curve.items`."""
    checkpoints = [one for runs in grouped for one in runs]
    if checkpoints[0].documents[0] is None:
        return None
    if len({tuple(m.seed for m in one.seeds) for one in checkpoints}) > 1:
        return None
    hashes: list[str] | None = None
    every: list[Array] = []
    for runs in grouped:
        of_runs = []
        for _, documents in runs:
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
            of_runs.append(rows)
        every.append(np.mean(of_runs, axis=0))
    items = np.array(every)
    # A score of a whole corpus, such as span F1, is not the mean over its documents, and they cannot be resampled for
    # it.
    values = [p.estimate.value for p in points]
    return items if np.allclose(items.mean(axis=(1, 2)), values, rtol=1e-6, atol=1e-9) else None
