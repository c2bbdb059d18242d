"""Compute a cell's scores from answers: lm-eval's metrics by lm-eval's code, the harness's own by name."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, NamedTuple

from lm_eval.api.instance import Instance
from lm_eval.api.metrics import mean

from harness.engines.cell_task import BuiltCell
from harness.engines.jackknife import stderr_of
from harness.engines.lm_tasks import metric_name
from harness.errors import AtDocument, HarnessError
from harness.plan import Cell
from harness.records import Score
from harness.scoring.metrics import (
    OF_RIGHT_OPTION,
    SAMPLE_METRICS,
    Answer,
    CorpusValue,
    check_reference,
    corpus_metric,
    is_corpus_metric,
    mean_stderr,
    sample_metric,
)
from harness.wording import quoted

log = logging.getLogger(__name__)

_OF_TWINS = ("acc", "acc_bytes", "prob_correct")
"""Metrics of a task's twin in another format that a guess gets right at the rate of right options."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CellScores:
    """The values of a cell's metrics."""

    scores: tuple[Score, ...]
    """Scores in the order of the cell's metrics."""
    per_sample: tuple[Mapping[str, float], ...]
    """One mapping per document, without corpus metrics, which have no score for a single document. Answers to multiple
    choice have all of `OF_RIGHT_OPTION`, whatever the metrics of the cell are."""


def score_cell(cell: Cell, built: BuiltCell, answers: Sequence[Answer]) -> CellScores:
    """Compute every metric of the cell from the same answers.

    Of a task as lm-eval has it, a metric that has no value is left out, unless it is the headline.

    Raises:
        HarnessError: a log-likelihood is not a number, or the value of a metric is not finite.
    """
    _check_likelihoods(cell, built, answers)
    theirs: dict[str, list[Mapping[str, Any]]] = {}
    scores: list[Score] = []
    per_sample: list[dict[str, float]] = [{} for _ in answers]
    for metric in cell.metrics:
        try:
            found = _scores_of(metric.name, cell, built, answers, theirs)
        except HarnessError as error:
            if not built.may_lack_scores or metric is cell.metrics[0]:
                raise
            log.warning("task %s: no %s: %s", cell.task, metric.name, error)
            continue
        scores.append(Score(metric=metric.name, value=found.value, stderr=found.stderr, n=found.n))
        for row, sample_value in zip(per_sample, found.values or (), strict=found.values is not None):
            row[metric.name] = sample_value
    for row, answer in zip(per_sample, answers, strict=True):
        row.update(_of_right_option(answer, row))
    return CellScores(scores=tuple(scores), per_sample=tuple(per_sample))


class _Value(NamedTuple):
    """The value of a metric."""

    value: float
    """The value for all documents."""
    stderr: float | None
    """Its standard error; None where there is none."""
    values: Sequence[float] | None
    """The value of each document; None where only all together have one."""
    n: int
    """Number of documents that it is about."""


def _scores_of(
    name: str,
    cell: Cell,
    built: BuiltCell,
    answers: Sequence[Answer],
    theirs: dict[str, list[Mapping[str, Any]]],
) -> _Value:
    """The value of one metric; `theirs` keeps lm-eval's rows for the metrics after it."""
    n = len(answers)
    values: Sequence[float] | None
    if name in SAMPLE_METRICS:
        score_one = sample_metric(name)
        asked = zip(built.documents, answers, strict=True)
        values = [_scored(score_one, requests, answer) for requests, answer in asked]
        value, stderr = mean_stderr(values)
    elif is_corpus_metric(name):
        value, stderr, values = _of_corpus(name, built, answers)
    else:
        which = _filter_of(name, built)
        if which not in theirs:
            theirs[which] = _lm_eval_rows(built, which)
        value, stderr, values, n = _lm_eval_score(metric_name(name), built, theirs[which])
    bad = [number for number in (values or (value,)) if not math.isfinite(number)]
    if bad:
        where = f" in {len(bad)} of {len(answers)} documents" if values else ""
        said = f"task {cell.task}: scores are not finite: metric {name} is {bad[0]}{where}"
        first = next((i for i, number in enumerate(values or ()) if not math.isfinite(number)), None)
        raise HarnessError(said).about(None if first is None else built.documents[first][0].doc_id)
    return _Value(value, stderr, values, n)


def _of_right_option(answer: Answer, known: Collection[str]) -> Mapping[str, float]:
    """The smooth numbers of an answer to multiple choice, where the task does not ask for them anyway.

    They stand with the samples alone: the cell's own scores are those that its task lists.
    """
    if not answer.options:
        return {}
    values = {name: sample_metric(name)(answer) for name in OF_RIGHT_OPTION if name not in known}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def with_chances(cell: Cell, names: Sequence[str], answers: Sequence[Answer]) -> Cell:
    """The cell with the chance level of some metrics: the share of right options, on average over the documents.

    Args:
        cell: the cell; its key does not change, as metrics are no part of it.
        names: metrics of options.
        answers: the answers to all its documents.
    """
    asked = [answer for answer in answers if answer.options]
    # a twin has no chance level of its own where the task's metrics are no shares of right answers, such as F1
    unknown = cell.format is not None and cell.metrics[0].chance is None
    if not (names or unknown) or not asked:
        return cell
    chance = fmean(len(answer.right or (answer.gold,)) / len(answer.options) for answer in asked)
    guessed = {*names, *(name for name in _OF_TWINS if cell.format is not None)}
    metrics = [replace(metric, chance=chance) if metric.name in guessed else metric for metric in cell.metrics]
    return replace(cell, metrics=tuple(metrics))


def _check_likelihoods(cell: Cell, built: BuiltCell, answers: Sequence[Answer]) -> None:
    """Refuse likelihoods that are not numbers, as broken weights give: accuracy would still be a number."""
    bad = [requests for requests, answer in zip(built.documents, answers, strict=True) if _no_numbers(requests, answer)]
    if bad:
        numbers = [_number(request) for request in bad[0]]
        option = next((i for i, number in enumerate(numbers) if not math.isfinite(number)), None)
        error = HarnessError(
            f"task {cell.task}: scores are not finite: the model's log-likelihoods are nan in {len(bad)} of "
            f"{len(answers)} documents; its weights are damaged, or it needs more than {cell.model.dtype}"
        )
        raise error.about(bad[0][0].doc_id, option if len(numbers) > 1 else None)


def _number(request: Instance) -> float:
    """The likelihood that a request came back with; 0 for a text."""
    response = request.resps[0]
    found = response[0] if isinstance(response, tuple) else response
    return 0.0 if isinstance(found, str) else float(found)


def _scored(metric: Callable[[Answer], float], requests: Sequence[Instance], answer: Answer) -> float:
    with AtDocument(requests[0].doc_id):
        return float(metric(answer))


def _of_corpus(name: str, built: BuiltCell, answers: Sequence[Answer]) -> CorpusValue:
    """The value of a metric of all documents together; an error about what one of them lacks tells which one."""
    try:
        return corpus_metric(name)(answers)
    except HarnessError:
        for requests, answer in zip(built.documents, answers, strict=True):
            with AtDocument(requests[0].doc_id):
                check_reference(name, answer)
        raise


def _no_numbers(requests: Sequence[Instance], answer: Answer) -> bool:
    """True when a likelihood of a document is not a number, or all its options have probability zero."""
    responses = (response for request in requests for response in request.resps if not isinstance(response, str))
    said = [float(response[0] if isinstance(response, tuple) else response) for response in responses]
    said.append(answer.reference_loglikelihood or 0.0)
    impossible = bool(answer.options) and all(value == -math.inf for value in answer.option_loglikelihoods)
    return impossible or any(math.isnan(value) or value == math.inf for value in said)


def _filter_of(name: str, built: BuiltCell) -> str:
    """The filter whose output a metric scores: the one in its name, else the task's first."""
    filters = list(built.documents[0][0].filtered_resps)
    wanted = name.partition(",")[2] or filters[0]
    if wanted not in filters:
        raise HarnessError(f"metric {name}: no filter {quoted(wanted)} in the task; it has: {', '.join(filters)}")
    return wanted


def _lm_eval_rows(built: BuiltCell, which: str) -> list[Mapping[str, Any]]:
    return [_lm_eval_row(built, requests, which) for requests in built.documents]


def _lm_eval_row(built: BuiltCell, requests: Sequence[Instance], which: str) -> Mapping[str, Any]:
    with AtDocument(requests[0].doc_id):
        return built.task.process_results(requests[0].doc, [request.filtered_resps[which] for request in requests])


def _lm_eval_score(name: str, built: BuiltCell, rows: Sequence[Mapping[str, Any]]) -> _Value:
    having = [row for row in rows if name in row]
    if len(having) < len(rows) and not (having and built.may_lack_scores):
        lacking = next(row for row in rows if name not in row)
        raise HarnessError(f"metric {name}: lm-eval does not compute it for this task; it gives: {', '.join(lacking)}")
    items = _evened([row[name] for row in having])
    # lm-eval's rule for a metric of which nobody says how its values become one number
    aggregate = built.task.aggregation().get(name) or mean
    value = float(aggregate(items))
    if aggregate.__name__ == "mean":
        values = [float(item) for item in items]
        # documents that have no value cannot stand beside their answers
        return _Value(value, mean_stderr(values)[1], values if len(values) == len(rows) else None, len(values))
    # items are (gold, prediction) pairs or similar: only all documents together have a score
    return _Value(value, stderr_of(aggregate, items, value), None, len(items))


def _evened(items: list[Any]) -> list[Any]:
    """Pad the references with None to the same number for every document, as sacrebleu requires."""
    if not any(isinstance(item, Sequence) and isinstance(item[0], list) for item in items if item):
        return items
    references = [item[0] if isinstance(item[0], list) else [item[0]] for item in items]
    most = max(map(len, references))
    padded = [each + [None] * (most - len(each)) for each in references]
    return [(refs, item[1]) for refs, item in zip(padded, items, strict=True)]
