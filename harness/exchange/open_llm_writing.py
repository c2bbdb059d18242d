"""A table with the columns of the Open LLM Leaderboard, version 2: a row per model, and two columns per benchmark.

`NAME Raw` has the score and `NAME` what is left of it above a guess, in percent, 0 for less than that; `Average ⬆️` is
the mean of the latter where a model has all of them. What is not known here, such as licences and likes, stays empty.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from harness.analysis.stats import normalised
from harness.exchange.open_llm_columns import (
    OPEN_LLM_AVERAGE,
    OPEN_LLM_COLUMNS,
    OPEN_LLM_LAST_COLUMNS,
    OPEN_LLM_PARAMS,
    OPEN_LLM_V2,
    RAW,
)
from harness.exchange.types import ExportedFile
from harness.plan import MODEL_AXES, QUESTION_AXES, Setting, labels
from harness.records import CellResult
from harness.specs import MetricSpec
from harness.store import Store
from harness.wording import defused

_ROW = frozenset({"chat"})
"""Axes of the question that are columns of the model: the leaderboard has a model twice where they differ."""


class _Entry(NamedTuple):
    """A score of one model and one benchmark."""

    value: float
    normalised: float | None


def open_llm_table(results: Iterable[CellResult], store: Store) -> Iterator[ExportedFile]:
    """The table of these results, of their headline metrics; seeds are averaged.

    Args:
        results: cells that were evaluated.
        store: not needed, as for any format without documents.
    """
    done = list(results)
    columns = _columns(done)
    rows: dict[Setting, list[CellResult]] = defaultdict(list)
    for result in done:
        rows[_row(result)].append(result)
    names = list(dict.fromkeys(columns.values()))
    head = [*OPEN_LLM_COLUMNS, *(name + end for name in names for end in (RAW, "")), *OPEN_LLM_LAST_COLUMNS]
    text = io.StringIO()
    writer = csv.DictWriter(text, head, restval="", lineterminator="\n")
    writer.writerow({name: defused(name) for name in head})
    for group in sorted(rows.values(), key=lambda of: (of[0].cell.model.name, of[0].cell.model.revision)):
        writer.writerow({name: defused(text) for name, text in _cells(group, columns, names)})
    yield ExportedFile.of_text(Path("open_llm.csv"), text.getvalue())


def _row(result: CellResult) -> Setting:
    return result.cell.setting(free=QUESTION_AXES - _ROW)


def _question(result: CellResult) -> Setting:
    return result.cell.setting(free=MODEL_AXES | _ROW | {"seed"})


def _columns(results: Iterable[CellResult]) -> dict[Setting, str]:
    """What was asked -> name of its column: once that of the leaderboard, where it is a benchmark of it."""
    asked = {_question(result): result.cell for result in results}
    named = labels(asked)
    official = {(one.task, one.shots, one.metric): one.column for one in OPEN_LLM_V2}
    columns = {}
    for setting, cell in asked.items():
        metric = cell.metrics[0].name
        column = official.pop((cell.task, cell.shots, metric), None)
        columns[setting] = column or f"{named[setting]} ({metric})"
    return columns


def _cells(group: list[CellResult], columns: Mapping[Setting, str], names: list[str]) -> Iterator[tuple[str, str]]:
    first = group[0].cell
    model = first.model
    yield "eval_name", f"{model.name.replace('/', '_')}_{model.dtype}"
    yield "Precision", model.variant or model.dtype
    yield "Model", model.name
    yield "fullname", model.name
    yield "Model sha", model.revision
    yield OPEN_LLM_PARAMS, repr(model.params / 1e9)
    yield "MoE", str(model.params_active is not None)
    yield "Chat Template", str(first.chat is not None)
    yield "Submission Date", max(result.provenance.started_at for result in group).date().isoformat()
    scores: dict[str, list[_Entry]] = defaultdict(list)
    for result in group:
        scores[columns[_question(result)]] += _headline(result)
    means = {name: _mean(entries) for name, entries in scores.items()}
    for name, mean in means.items():
        yield name + RAW, repr(mean.value)
        if mean.normalised is not None:
            yield name, repr(mean.normalised)
    all_normalised = [means[name].normalised for name in names if name in means]
    known = [value for value in all_normalised if value is not None]
    if len(known) == len(names):
        yield OPEN_LLM_AVERAGE, repr(fmean(known))


def _headline(result: CellResult) -> list[_Entry]:
    metric: MetricSpec = result.cell.metrics[0]
    values = [score.value for score in result.scores if score.metric == metric.name]
    return [_Entry(value, _percent(normalised(value, metric))) for value in values]


def _percent(share: float | None) -> float | None:
    return None if share is None else max(0.0, share) * 100


def _mean(entries: list[_Entry]) -> _Entry:
    centred = [one.normalised for one in entries if one.normalised is not None]
    return _Entry(fmean(one.value for one in entries), fmean(centred) if len(centred) == len(entries) else None)
