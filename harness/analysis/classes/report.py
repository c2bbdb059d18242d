"""The report of one cell by class: labels with scikit-learn, entities with nervaluate, relations as triples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness.analysis.classes.answers import ClassesError, Labels, labels_in
from harness.analysis.classes.counts import ClassCounts, averages, class_scores
from harness.analysis.classes.parts import counted_entities, counted_triples
from harness.analysis.classes.types import Average, ClassReport, ClassScore
from harness.errors import HarnessError
from harness.plan import Cell
from harness.records import CellResult, Sample
from harness.wording import score

ReadAnswers = Callable[[Cell], Sequence[Sample] | None]
"""Reads the stored answers of a cell; None where they cannot be read."""


def class_reports(
    results: Iterable[CellResult], read: ReadAnswers, refused: Callable[[str], None] = lambda _: None
) -> Iterator[ClassReport]:
    """The reports of all cells whose answers have classes, in their order.

    Args:
        results: finished cells; their headers are enough.
        read: reads the answers of a cell.
        refused: is told of each task that has no classes, once, in a sentence.
    """
    without: set[tuple[object, ...]] = set()
    said: set[str] = set()
    for result in results:
        cell = result.cell
        asked = (cell.task, cell.task_digest, cell.format, cell.limit, cell.docs)
        if asked in without:
            continue
        samples = read(cell)
        try:
            if not samples:
                raise ClassesError("the answers to its documents are not there")
            yield class_report(result, samples)
        except HarnessError as error:
            if samples:
                without.add(asked)
            if cell.task not in said:
                refused(f"{cell.task} has no classes: {error}")
            said.add(cell.task)


def class_report(result: CellResult, samples: Sequence[Sample]) -> ClassReport:
    """The report of one cell.

    Args:
        result: the cell with its scores.
        samples: its stored answers; at least one.

    Raises:
        HarnessError: they have no classes.
    """
    cell = result.cell
    metrics = {metric.name for metric in cell.metrics}
    if metrics & {"entity_f1_strict", "entity_f1_partial"}:
        return _of_parts(result, samples, "entity_f1_strict")
    if "triple_f1" in metrics:
        return _of_parts(result, samples, "triple_f1")
    labels = labels_in(cell, samples)
    report = _of_labels(cell, labels)
    return replace(report, note=_other_accuracy(report, result)) if not samples[0].options else report


def _of_labels(cell: Cell, labels: Labels) -> ClassReport:
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    n, k = len(labels.expected), len(labels.names)
    expected = np.array(labels.expected)
    answered = np.array([k if one is None else one for one in labels.answered])  # a label of its own, in no average
    places = [*range(k)]
    precision, recall, f1, _ = precision_recall_fscore_support(expected, answered, labels=places, zero_division=0.0)
    known = np.arange(k)
    is_expected, is_answered = expected[:, None] == known, answered[:, None] == known
    counts = ClassCounts(*(part.astype(float) for part in (is_expected & is_answered, is_answered, is_expected)))
    rows = tuple(
        replace(row, precision=float(precision[i]), recall=float(recall[i]), f1=float(f1[i]))
        for i, row in enumerate(class_scores(labels.names, counts, "label"))
    )
    overall = ClassCounts(*(part.sum(axis=1, keepdims=True) for part in counts))
    matrix = confusion_matrix(expected, answered, labels=[*places, k])[:k]
    return ClassReport(
        cell=cell,
        names=labels.names,
        rows=rows,
        averages=averages(rows, counts, overall),
        accuracy=float(accuracy_score(expected, answered)),
        matrix=tuple(tuple(map(int, row)) for row in matrix),
        n=n,
        unnamed=int((answered == k).sum()),
    )


def _other_accuracy(report: ClassReport, result: CellResult) -> str | None:
    """What to say where the task's own metric is stricter or milder with written labels than this report."""
    metric = result.cell.metrics[0]
    own = next((one.value for one in result.scores if one.metric == metric.name), None)
    if own is None or report.accuracy is None or metric.name not in ("exact_match", "acc"):
        return None
    if abs(own - report.accuracy) < 1e-9:
        return None
    return (
        f"{metric.name} of the task is {score(own)}: here capitals and signs around a label do not count, so that "
        f"accuracy is {score(report.accuracy)}"
    )


def _of_parts(result: CellResult, samples: Sequence[Sample], metric: str) -> ClassReport:
    """The report of entities or relations, strict and partial."""
    read = counted_triples if metric == "triple_f1" else counted_entities
    found = read(samples)
    if not found.names:
        raise ClassesError("no document has anything to find")
    rows: list[ClassScore] = []
    means: list[Average] = []
    for scheme, counts, overall in (
        ("strict", found.strict, found.strict_overall),
        ("partial", found.partial, found.partial_overall),
    ):
        of_scheme = class_scores(found.names, counts, "strict" if scheme == "strict" else "partial")
        rows += of_scheme
        means += averages(of_scheme, counts, overall)
    own = next((one.value for one in result.scores if one.metric == metric), None)
    note = None
    if own is not None and abs(own - means[0].f1) > 1e-9:
        note = (
            f"{metric} of the cell is {score(own)}, and what is stored of its answers gives {score(means[0].f1)}: the "
            "documents say more than the right answers as they are written"
        )
    return ClassReport(
        cell=result.cell,
        names=found.names,
        rows=tuple(rows),
        averages=tuple(means),
        accuracy=None,
        matrix=None,
        n=len(samples),
        unnamed=found.unnamed,
        note=note,
    )
