"""The rows of one setting, taken together by model and seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np

from harness.analysis.curves.scale import SCALES, Scale
from harness.analysis.curves.table.columns import CONDITION_COLUMNS, MEASUREMENT_COLUMNS, known
from harness.analysis.curves.table.metrics import metrics_of
from harness.analysis.curves.types import Measurement
from harness.records import Score
from harness.scoring.metrics import mean_stderr
from harness.specs import MetricSpec
from harness.store import DocumentScores

ROUNDING = 0.02
"""A published standard error this near to the binomial one, relatively, is taken for a rounded binomial one."""


def measurements_of(rows: Sequence[Any], source: str) -> list[Measurement]:
    """One measurement per model and seed from the rows of one setting, which lie in the order of `IDENTITY_COLUMNS`."""
    metrics = metrics_of(rows, source)
    return [_measurement(list(some), metrics) for _, some in groupby(rows, attrgetter(*MEASUREMENT_COLUMNS))]


def _measurement(rows: Sequence[Any], metrics: tuple[MetricSpec, ...]) -> Measurement:
    """One measurement from the rows of one model and seed: one row per metric, or one per metric and document."""
    first = rows[0]
    scales: dict[Scale, float | None] = {name: known(getattr(first, name)) for name in SCALES}
    answered = {m: [row for row in rows if row.metric == m.name and not row.failed] for m in metrics}
    documents = _documents(answered) if first.doc_id else None
    score = _mean if first.doc_id else _score
    scores = {metric.name: score(some, metric) for metric, some in answered.items() if some}
    return Measurement(
        family=first.family,
        task=first.task,
        suite=first.suite,
        kind=first.kind,
        shots=first.shots,
        prompt=first.prompt,
        conditions=tuple(
            (name, value) for column, name in CONDITION_COLUMNS.items() if (value := getattr(first, column))
        ),
        model=first.model,
        revision=first.checkpoint,
        run=first.run or None,
        stage=first.stage,
        scales=scales,
        age=(scales["tokens"] or scales["flops"] or 0.0, max(row.date for row in rows)),
        seed=first.seed,
        metrics=metrics,
        scores=scores,
        failure=None if scores else "failed",
        n_expected=int(known(first.n_expected) or max((score.n for score in scores.values()), default=0)),
        n_truncated=int(known(first.n_truncated) or 0),
        documents=lambda: documents,
    )


def _score(rows: Sequence[Any], metric: MetricSpec) -> Score:
    """The score that one row gives.

    The standard error of a share of right answers is computed where the table gives none, or gives one that looks like
    the computed one after rounding. A leaderboard of this harness is taken at its word.
    """
    (row,) = rows
    value, n, stderr = row.value, int(row.n), known(row.stderr)
    share = not metric.continuous and metric.best == 1.0 and 0.0 <= value <= 1.0
    binomial = math.sqrt(value * (1 - value) / (n - 1)) if share and n > 1 else None
    foreign = math.isnan(row.metric_rank)
    if foreign and (stderr is None or (binomial is not None and math.isclose(stderr, binomial, rel_tol=ROUNDING))):
        stderr = binomial
    return Score(metric=metric.name, value=value, stderr=stderr, n=n)


def _mean(rows: Sequence[Any], metric: MetricSpec) -> Score:
    """The mean score of rows that are one document each."""
    value, stderr = mean_stderr([row.value for row in rows])
    return Score(metric=metric.name, value=value, stderr=stderr, n=len(rows))


def _documents(answered: Mapping[MetricSpec, Sequence[Any]]) -> DocumentScores:
    """Scores of single documents; a metric that does not have all of the documents is left out."""
    names = {metric: tuple(row.doc_id for row in rows) for metric, rows in answered.items()}
    whole = max(names.values(), key=len)
    return DocumentScores(
        whole,
        {m.name: np.array([row.value for row in rows]) for m, rows in answered.items() if names[m] == whole},
    )
