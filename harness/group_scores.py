"""Scores of groups of tasks, such as MMLU of its 57: what lm-eval's `aggregate_metric_list` says, of finished cells.

A group's score is a number of its own and no cell: it is worked out from the results when a leaderboard is made, and
only for a model that has a result for every task of the group in the same setting. Tasks count by their number of
documents, or each the same, as the group says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import fsum
from statistics import fmean
from typing import Any, NamedTuple

from harness.catalog.lm_eval_tasks.groups import TaskGroup
from harness.plan import AXES, QUESTION_AXES, Cell, Setting
from harness.records import CellResult, Score

_OF_TASK = ("task", "task_digest", "seed")
"""Axes on which the cells of a group differ, or over which they are averaged."""


class GroupScore(NamedTuple):
    """The score of a group in one setting."""

    column: str
    """Group, shots, metric and weighting, as the head of a column."""
    cell: Cell
    """A cell of the group, which tells the model."""
    value: float
    """The score."""


class _Measured(NamedTuple):
    """The score of a task, averaged over few-shot seeds."""

    value: float
    n: int


def group_scores(results: Iterable[CellResult], groups: Sequence[TaskGroup]) -> Iterator[GroupScore]:
    """The scores of groups of which every task has a result, group by group.

    Args:
        results: in any order; headers are enough.
        groups: with the names of their tasks.
    """
    by_setting: dict[tuple[Setting, Setting], dict[str, list[CellResult]]] = {}
    for result in results:
        place = (_model(result.cell), _question(result.cell))
        by_setting.setdefault(place, {}).setdefault(result.cell.task, []).append(result)
    for group in groups:
        for of_setting in by_setting.values():
            if set(group.tasks) <= of_setting.keys():
                newest = [_newest(of_setting[task]) for task in group.tasks]
                for entry in group.aggregate:
                    yield from _scores(group, entry, newest)


def _scores(group: TaskGroup, entry: Mapping[str, Any], tasks: Sequence[Sequence[CellResult]]) -> Iterator[GroupScore]:
    """The scores by one entry of `aggregate_metric_list`, one for each filter that it names."""
    weighted = entry.get("weight_by_size", True)
    filters = entry.get("filter_list") or [None]
    cell = tasks[0][0].cell
    for chosen in filters if isinstance(filters, list) else [filters]:
        # lm-eval's rule: a task that does not have the metric is not in the score
        having = [of_task for of_task in tasks if _lists(of_task[0].cell, str(entry.get("metric")))]
        measured = [_measured(of_task, str(entry.get("metric")), chosen) for of_task in having]
        known = [one for one in measured if one is not None]
        if not known or len(known) < len(measured):
            continue
        if weighted:
            value = fsum(one.value * one.n for one in known) / sum(one.n for one in known)
        else:
            value = fmean(one.value for one in known)
        name = str(entry.get("metric")) if chosen in (None, "none") else f"{entry.get('metric')},{chosen}"
        how = "by documents" if weighted else "each the same"
        yield GroupScore(f"{_label(group.name, cell)} ({name}, mean of {len(known)} tasks {how})", cell, value)


def _lists(cell: Cell, metric: str) -> bool:
    return any(listed.name.partition(",")[0] == metric for listed in cell.metrics)


def _measured(seeds: Sequence[CellResult], metric: str, chosen: Any) -> _Measured | None:
    """The score by a metric of lm-eval, whose first filter has no name here; None where a seed has none."""
    names = (f"{metric},{chosen}", metric)
    found = [next((score for name in names for score in _named(of, name)), None) for of in seeds]
    known = [score for score in found if score is not None]
    if not known or len(known) < len(seeds):
        return None
    return _Measured(fmean(score.value for score in known), known[0].n)


def _named(result: CellResult, name: str) -> list[Score]:
    return [score for score in result.scores if score.metric == name]


def _newest(results: Sequence[CellResult]) -> list[CellResult]:
    """The results of the text of the task that was evaluated last, one for each seed."""
    last = max(results, key=lambda result: (result.provenance.started_at, result.cell.task_digest))
    return [result for result in results if result.cell.task_digest == last.cell.task_digest]


def _model(cell: Cell) -> Setting:
    return cell.setting(free=QUESTION_AXES)


def _question(cell: Cell) -> Setting:
    return cell.setting(free={*(set(AXES) - QUESTION_AXES), *_OF_TASK})


def _label(group: str, cell: Cell) -> str:
    asked = cell.setting(free={*(set(AXES) - QUESTION_AXES), *_OF_TASK, "shots"})
    named = zip(map(AXES.__getitem__, asked.names), asked.values, strict=True)
    return " ".join([group, f"{cell.shots}-shot", *(a.label_of(value) for a, value in named if value != a.default)])
