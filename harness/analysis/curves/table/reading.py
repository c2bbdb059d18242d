"""Curves from anybody's results: a tidy table with one row per score, or one row per document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import pandas as pd

from harness.analysis.curves.join import curves_of, headlined
from harness.analysis.curves.scale import OF_PARAMETERS, Scale
from harness.analysis.curves.table.columns import IDENTITY_COLUMNS, SETTING_COLUMNS
from harness.analysis.curves.table.measurements import measurements_of
from harness.analysis.curves.table.metrics import is_leaderboard
from harness.analysis.curves.table.rows import tidy_rows
from harness.analysis.curves.types import Curve, Measurement
from harness.errors import TableError


def table_curves(frame: pd.DataFrame, scale: Scale = "params", source: str = "table") -> tuple[Curve, ...]:
    """The curves of a tidy table; the order of its rows does not matter.

    Needed are `family`, `model`, the column of the axis, `task`, `metric`, `n_shot` (or `shots`), and in each row
    either counts `k` of `n` (or `n_items`), or `value` with `stderr` or `n`. With a column `doc_id` each row is one
    document, and `value` alone is enough. Optional are `chance`, `best`, `higher_is_better`, `continuous`, `run` (the
    training run of a size), `seed` (the few-shot seed), `prompt`, `revision` (or a model written `name@revision`),
    `suite`, `kind`, `status`, `n_expected`, `n_truncated`, `date` (of two equally trained revisions of a model the one
    evaluated last counts), and `CONDITION_COLUMNS`.

    A table with `metric_rank` is a tidy leaderboard of this harness, and gives the curves it was made of, less the
    documents: ranks are those of the column, an empty `best` means that the metric has none, and standard errors are
    taken as they stand.

    A chance level that is not given is not known. Seeds are pooled and checkpoints are treated as `curves` does it
    for results. Every metric that is not continuous is a headline (rank 0) of its own; continuous ones are their
    partners, those that say most about the right answer first: probabilities and Brier scores, then the others by name.
    In a task without another metric they are headlines themselves. Without `n` a row counts as many documents as a
    proportion with its standard error would rest on, v (1 - v) / stderr² + 1 with both as shares of the best score;
    where that does not exist, as many as other rows of its task and setting, or 1. Models whose place on the axis is
    empty or 0, and rows whose `status` is failed, become gaps.

    Args:
        frame: the table.
        scale: the x axis.
        source: name of the table in messages.

    Raises:
        TableError: something is missing, makes no sense or is given twice. The message names the row (the first
            below the header is row 1) and the column.
    """
    read = measured_table(frame, scale, source)
    drawn = curves_of(read.measured, scale=scale)
    return drawn if read.ranked else headlined(drawn)


class MeasuredTable(NamedTuple):
    """The measurements of a table."""

    measured: tuple[Measurement, ...]
    """One for each model, seed and setting."""
    ranked: bool
    """Whether the table says which metric of a task is the headline, as a leaderboard of this harness does."""


def measured_table(frame: pd.DataFrame, scale: Scale = "params", source: str = "table") -> MeasuredTable:
    """The measurements that a table holds; arguments and errors are those of `table_curves`."""
    rows = tidy_rows(frame, scale, source)
    measured = _measurements(rows, source)
    if scale in OF_PARAMETERS:
        _check_final(measured, source)
    return MeasuredTable(tuple(measured), is_leaderboard(rows))


def table_measurements(frame: pd.DataFrame, source: str = "table") -> list[Measurement]:
    """The scores of a tidy table by model, setting and few-shot seed, each as `table_curves` draws it.

    Args:
        frame: the table; the column `params` is needed.
        source: name of the table in messages.

    Raises:
        TableError: as of `table_curves`.
    """
    return _measurements(tidy_rows(frame, "params", source), source)


def _measurements(rows: pd.DataFrame, source: str) -> list[Measurement]:
    ordered = rows.sort_values(list(IDENTITY_COLUMNS), kind="stable").itertuples(name="Row")
    settings = [list(some) for _, some in groupby(ordered, attrgetter(*SETTING_COLUMNS))]
    return [one for setting in settings for one in measurements_of(setting, source)]


def missing_information(drawn: Iterable[Curve]) -> tuple[str, ...]:
    """One sentence for each thing that a table does not say and without which its curves cannot be judged fully.

    Args:
        drawn: the curves of the table.
    """
    headlines = [c for c in drawn if c.rank == 0]
    no_chance = [c for c in headlines if c.metric.chance is None and not c.metric.continuous]
    no_spread = [c for c in headlines if None in c.stderr]
    causes = (
        (no_chance, "no column `chance`, so nothing can be held against chance and no threshold given"),
        (no_spread, "neither standard error nor counts, so no trend can be tested"),
    )
    return tuple(f"{_named(which)}: {what}" for which, what in causes if which)


def _named(some: Sequence[Curve]) -> str:
    names = list(dict.fromkeys(f"{c.task} {c.metric.name}" for c in some))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _check_final(measured: Iterable[Measurement], source: str) -> None:
    """Refuse several checkpoints of a model of which none is the most trained: the params axis shows only that one."""
    latest: dict[tuple[object, ...], Measurement] = {}
    for one in measured:
        if one.failure is not None:
            continue
        who = (one.setting, one.conditions, one.model, one.run)
        last = latest.setdefault(who, one)
        if one.age > last.age:
            latest[who] = one
        elif one.age == last.age and one.revision != last.revision:
            raise TableError(
                f"{source}: task {one.task}: model {one.model} stands there with several sizes or revisions, and "
                "nothing says which is the most trained; expected a column `tokens`, a column `run` that tells "
                "training runs apart, or names that differ"
            )
