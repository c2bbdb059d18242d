"""Which tasks of a large study get figures: those that show something, as many as a page can hold."""

from __future__ import annotations

from itertools import chain, zip_longest

from harness.analysis.curves import Curve
from harness.analysis.verdict import Study, findings

MOST_TASKS, MOST_CURVES = 60, 400
"""Up to so many tasks and curves, every task has its figures."""
FEWER_TASKS = 30
"""Of more, so many have: with them and the tables a page of 200 tasks in 5 settings has about 7 MB."""

TaskPlace = tuple[str, str, str]
"""Family, suite and task."""


def task_place(curve: Curve) -> TaskPlace:
    """The task of a curve."""
    return (curve.family, curve.suite, curve.task)


def drawn_tasks(study: Study) -> frozenset[TaskPlace]:
    """The tasks with figures: all of a study that is not large, else those that do most, from each family in turn."""
    every = dict.fromkeys(task_place(row.curve) for row in study.judged)
    if len(every) <= MOST_TASKS and len(study.judged) <= MOST_CURVES:
        return frozenset(every)
    of_families = [[task_place(found.judged.curve) for found in family.matters] for family in findings(study.judged)]
    in_turn = [place for places in zip_longest(*of_families) for place in places if place is not None]
    return frozenset([*dict.fromkeys(chain(in_turn, every))][:FEWER_TASKS])
