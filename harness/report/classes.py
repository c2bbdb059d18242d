"""Figures of classes for the page of the report: F1 of each over scale, and what the largest model takes for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import figures
from harness.analysis.classes import ClassReport, ReadAnswers, class_curves, class_reports
from harness.analysis.curves import Scale
from harness.records import CellResult
from harness.report.drawn import TaskPlace

_MOST_CURVES = 2
"""Figures over scale of one task: where some results cannot be joined with others, each has one."""


def class_drawings(
    results: Sequence[CellResult], read: ReadAnswers, scale: Scale, drawn: Sequence[TaskPlace]
) -> Mapping[TaskPlace, list[Any]]:
    """The figures of every task that has classes, in its setting with most demonstrations.

    Args:
        results: all results; their headers are enough.
        read: reads the answers of a cell.
        scale: the x axis.
        drawn: tasks that the page has figures of.
    """
    made: dict[TaskPlace, list[Any]] = {}
    for place in drawn:
        of_task = [one for one in results if (one.cell.model.family, one.cell.suite, one.cell.task) == place]
        shots = max((one.cell.shots for one in of_task), default=0)
        chosen = [one for one in of_task if one.cell.shots == shots and one.cell.prompt == "default"] or of_task
        reports = list(class_reports(chosen, read))
        if reports:
            strictest = [one for one in class_curves(chosen, reports, scale) if one.scheme != "partial"]
            made[place] = [figures.class_figure(one) for one in strictest[:_MOST_CURVES]]
            largest = max(reports, key=_size)
            made[place] += [] if largest.matrix is None else [figures.confusion_map(largest)]
    return made


def _size(report: ClassReport) -> tuple[int, bool]:
    """Larger models come later, and of a model as it is and its variants the former."""
    return report.cell.model.params or 0, report.cell.model.variant is None
