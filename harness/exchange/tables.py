"""Tables of results, as `--table` reads them, as cells of a results folder. Loads pandas.

A score has the value, the standard error and the number of documents with which `--table` draws it. What a table says
besides (version, condition, engine and the like) keeps cells apart as it keeps curves apart. Of single documents the
mean alone is kept, because a table has none of their texts.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from harness.analysis.curves import Measurement
from harness.analysis.curves.table import table_measurements
from harness.errors import HarnessError
from harness.exchange.fields import dtype_of
from harness.exchange.tasks import known_task
from harness.exchange.types import Contents, ForeignFile, Published, PublishedScore, Remark
from harness.plan import Cell
from harness.reading import read_table
from harness.specs import Kind, MetricSpec, ModelSpec
from harness.wording import counted, cut

TABLE = "table"
_SUITE = "imported"
_OTHER_KIND: Kind = "qa"
_FAILED = Remark("row", "left out, whose status is failed")
_FROM_FLOPS = Remark("result", "whose training tokens follow from its FLOPs, as flops / (6 params)")
_KIND = Remark("result", f"without a kind of ability: filed under {_OTHER_KIND}")
_MEANS = Remark("result", "given by single documents, of which the mean is kept")
_IN_CELL = ("dtype", "variant", "task_version")
"""Conditions that a cell has a field for; the others are part of its digest."""
_MOST_NAMED = 5


def read_results_table(
    file: ForeignFile, columns: Mapping[str, str] | None = None, chances: Mapping[str, float] | None = None
) -> Contents:
    """The results in a table.

    Args:
        file: the table.
        columns: our column -> the table's column that is meant by it, or else a value for all rows.
        chances: task -> score of a guess, as the user says; it goes before the table's own.

    Raises:
        TableError: the table cannot be read, or a column is missing or makes no sense.
        HarnessError: the parameters of a model are missing.
    """
    said: list[str] = []
    frame = read_table(file.path, columns, said.append)
    measured = table_measurements(frame, str(file.path))
    _check_sizes(measured, file)
    otherwise = (one.removeprefix(f"{file.path}: ") for one in said)
    remarks: Counter[Remark] = Counter(Remark("table", f"read otherwise than written: {one}") for one in otherwise)
    results = tuple(_published(one, chances or {}, remarks) for one in measured if one.failure is None)
    remarks[_FAILED] = sum(one.failure is not None for one in measured)
    remarks[_MEANS] = len(results) if "doc_id" in frame.columns else 0
    return Contents(results=results, remarks=remarks)


def _check_sizes(measured: Iterable[Measurement], file: ForeignFile) -> None:
    unsized = sorted({one.model for one in measured if not one.scales["params"] and one.failure is None})
    if unsized:
        first = cut(", ".join(unsized[:_MOST_NAMED])) + (" and more" if len(unsized) > _MOST_NAMED else "")
        raise HarnessError(
            f"{file.path}: column params: is empty for {counted(len(unsized), 'model')}: {first}; "
            "expected the number of parameters"
        )


def _published(one: Measurement, chances: Mapping[str, float], remarks: Counter[Remark]) -> Published:
    cell = _cell(one, chances, remarks)
    date = one.age[1]
    return Published(
        model=one.model,
        task=one.task,
        version=cell.task_version,
        asked={},
        shots=one.shots,
        scores=tuple(
            PublishedScore(metric=name, value=score.value, stderr=score.stderr, n=score.n)
            for name, score in one.scores.items()
        ),
        n=one.n_expected or None,
        tool=TABLE,
        date=datetime.fromtimestamp(date, UTC) if date > 0 else None,
        cell=cell,
    )


def _cell(one: Measurement, chances: Mapping[str, float], remarks: Counter[Remark]) -> Cell:
    conditions = dict(one.conditions)
    known = known_task(one.task)
    remarks[_KIND] += not one.kind and known is None
    apart = sorted((name, value) for name, value in conditions.items() if name not in _IN_CELL)
    text = json.dumps([TABLE, one.task, conditions.get("task_version"), apart])
    return Cell(
        model=_model(one, conditions, remarks),
        task=one.task,
        suite=one.suite or _SUITE,
        kind=one.kind or (_OTHER_KIND if known is None else known.kind),
        task_version=conditions.get("task_version") or "not said",
        task_digest=hashlib.sha256(text.encode()).hexdigest()[:12],
        metrics=tuple(_metrics(one, chances)),
        shots=one.shots,
        prompt=one.prompt,
        seed=one.seed,
    )


def _metrics(one: Measurement, chances: Mapping[str, float]) -> Iterator[MetricSpec]:
    """The metrics that have scores; a share without a score of a guess has that of the known task."""
    known = known_task(one.task)
    usual = chances.get(one.task, None if known is None else known.chance)
    for metric in one.metrics:
        if metric.name not in one.scores:
            continue
        share = metric.higher_is_better and not metric.continuous and metric.best == 1.0
        unsaid = metric.chance is None or one.task in chances
        yield replace(metric, chance=usual) if share and unsaid and usual is not None else metric


def _model(one: Measurement, conditions: Mapping[str, str], remarks: Counter[Remark]) -> ModelSpec:
    params, active = int(one.scales["params"] or 0), one.scales["params_active"]
    tokens, flops = one.scales["tokens"], one.scales["flops"]
    if tokens is None and flops:
        remarks[_FROM_FLOPS] += 1
        tokens = flops / (6.0 * (active or params))
    dtype, variant = dtype_of(conditions.get("dtype")), conditions.get("variant")
    without_embeddings = one.scales["params_non_embedding"]
    return ModelSpec(
        name=one.model,
        family=one.family,
        params=params,
        params_non_embedding=None if without_embeddings is None else int(without_embeddings),
        params_active=None if active in (None, params) else int(active or 0),
        tokens=None if tokens is None else round(tokens),
        loss=one.scales["loss"],
        revision=one.stage or "main",
        variant=None if variant in (None, "", "plain") else variant,
        run=one.run,
        dtype=dtype or "float32",
    )
