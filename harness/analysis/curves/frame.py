"""Results as a tidy table, one row per cell and metric, with the columns that leaderboards promise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from harness.analysis.curves.types import Curve
from harness.analysis.stats import confidence_interval, estimate, normalised
from harness.plan import AXES, Cell
from harness.records import CellFailure, CellResult, Score
from harness.specs import MetricSpec

# Nullable types: a missing number stays missing, and does not turn the integers of its column into floats.
_DTYPES = {
    "family": "string",
    "model": "string",
    "revision": "string",
    "variant": "string",
    "params": "Int64",
    "tokens": "Int64",
    "flops": "Float64",
    "suite": "string",
    "task": "string",
    "task_version": "string",
    "kind": "string",
    "shots": "Int64",
    "prompt": "string",
    "seed": "Int64",
    "metric": "string",
    "value": "Float64",
    "stderr": "Float64",
    "ci_low": "Float64",
    "ci_high": "Float64",
    "n": "Int64",
    "n_expected": "Int64",
    "chance": "Float64",
    "best": "Float64",
    "normalized": "Float64",
    "status": "string",
    "engine": "string",
    "dtype": "string",
    "seconds": "Float64",
    "energy_wh": "Float64",
    "key": "string",
    "harness_version": "string",
    "date": "string",
    "higher_is_better": "boolean",
    "continuous": "boolean",
    "metric_rank": "Int64",
    "loss": "Float64",
    "task_digest": "string",
    "limit": "Int64",
    "n_truncated": "Int64",
}
_DTYPES.update({name: "string" for name in AXES if name not in _DTYPES})  # an axis that was added later
_DTYPES.update({"params_non_embedding": "Int64", "params_active": "Int64", "source": "string"})
_DTYPES.update({"weight_bytes": "Int64", "peak_bytes": "Int64", "memory_bytes": "Int64"})
_DTYPES.update({"energy_measured_wh": "Float64", "load_seconds": "Float64", "load_energy_wh": "Float64"})
COLUMNS = tuple(_DTYPES)
"""The columns of the tidy profile, in order: all that `table_curves` needs to draw the same curves again."""
_ORDER = ["family", "params", "model", "revision", "variant", "suite", "task", "shots", "prompt", "seed", "key"]


def frame(results: Iterable[CellResult], failures: Iterable[CellFailure] = ()) -> pd.DataFrame:
    """One row per cell and metric; `status` is ok, partial (documents missing) or failed (no value).

    Rows are ordered by family, size, model, task, shots, prompt, seed, and the task's own order of metrics, so that
    the same results always give the same table. A failure of a cell that has a result is left out.
    """
    done = tuple(results)
    failed = tuple(failures)
    succeeded = {r.cell.place for r in done} if failed else set()  # making keys takes time
    rows = [row for r in done for row in _rows_of_result(r)]
    rows += [row for f in failed if f.cell.place not in succeeded for row in _rows_of_failure(f)]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(_DTYPES)
    return table.sort_values(_ORDER, kind="stable", ignore_index=True)


def point_rows(curves: Iterable[Curve]) -> list[dict[str, Any]]:
    """One row per point of every curve, as `emergence curves --json` prints them."""
    return [
        {
            "family": curve.family,
            "task": curve.task,
            "shots": curve.shots,
            "prompt": curve.prompt,
            "metric": curve.metric.name,
            "scale": curve.scale,
            "model": point.model,
            "x": point.x,
            "value": point.estimate.value,
            "ci_low": point.low,
            "ci_high": point.high,
            "n": point.estimate.n,
            "chance": curve.metric.chance,
            "conditions": curve.conditions,
            "source": curve.source,
            "runs": [
                {
                    "run": name,
                    "model": one.model,
                    "value": one.estimate.value,
                    "ci_low": one.low,
                    "ci_high": one.high,
                    "n": one.estimate.n,
                }
                for name, one in zip(point.run_names, point.runs, strict=True)
            ],
        }
        for curve in curves
        for point in curve.points
    ]


def _rows_of_result(result: CellResult) -> list[dict[str, Any]]:
    scores = {s.metric: s for s in result.scores}
    ran = result.provenance
    common = {
        **_identity_columns(result.cell),
        "n_expected": result.n_expected,
        "seconds": ran.seconds,
        "energy_wh": ran.energy_wh,
        "harness_version": ran.versions.get("harness"),
        "date": ran.started_at.isoformat(),
        "n_truncated": result.n_truncated,
        "source": None if ran.source is None else ran.source.label,
        "weight_bytes": None if ran.weights is None else ran.weights.packed_bytes,
        "peak_bytes": ran.peak_bytes,
        "memory_bytes": None if ran.weights is None else ran.weights.memory_bytes,
        "energy_measured_wh": ran.energy_measured_wh,
        "load_seconds": ran.load_seconds,
        "load_energy_wh": ran.load_energy_wh,
    }
    return [
        {**common, **_metric_columns(metric, rank), **_score_columns(scores[metric.name], metric, result.n_expected)}
        for rank, metric in enumerate(result.cell.metrics)
        if metric.name in scores
    ]


def _rows_of_failure(failure: CellFailure) -> list[dict[str, Any]]:
    common = {**_identity_columns(failure.cell), "status": "failed", "date": failure.failed_at.isoformat()}
    return [{**common, **_metric_columns(metric, rank)} for rank, metric in enumerate(failure.cell.metrics)]


def _identity_columns(cell: Cell) -> dict[str, Any]:
    model, setting = cell.model, cell.setting()
    return {
        **dict(zip(setting.names, setting.values, strict=True)),
        "params": model.params,
        "params_non_embedding": model.params_non_embedding,
        "params_active": model.params_active,
        "tokens": model.tokens,
        "flops": model.flops,
        "loss": model.loss,
        "suite": cell.suite,
        "task_version": cell.task_version,
        "kind": cell.kind,
        "key": cell.key,
    }


def _metric_columns(metric: MetricSpec, rank: int) -> dict[str, Any]:
    """What is known of a metric; `rank` is its position among the metrics of the task, 0 for the headline."""
    return {
        "metric": metric.name,
        "chance": metric.chance,
        "best": metric.best,
        "higher_is_better": metric.higher_is_better,
        "continuous": metric.continuous,
        "metric_rank": rank,
    }


def _score_columns(score: Score, metric: MetricSpec, n_expected: int) -> dict[str, Any]:
    low, high = confidence_interval(estimate([score], metric))
    return {
        "value": score.value,
        "stderr": score.stderr,
        "ci_low": low,
        "ci_high": high,
        "n": score.n,
        "normalized": normalised(score.value, metric),
        "status": "ok" if score.n == n_expected else "partial",
    }
