"""How each metric of a table is read: what its columns say, and where they say nothing, what its name does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.curves.table.columns import Columns, known
from harness.errors import TableError
from harness.plausible import SMALLER_IS_BETTER, SMOOTH, UNBOUNDED, beyond_best, is_share, too_wide, words_of
from harness.specs import MetricSpec

PREFERRED = frozenset({"prob", "probability", "brier"})
"""Continuous metrics that say how the right answer stands among the others: the partner of choice."""
_READINGS = ("chance", "best", "higher_is_better", "continuous", "metric_rank")
_UNSCORED = MetricSpec(name="")
"""Holds the place of a metric that no row has a score of, so that those after it keep their ranks."""


def add_readings(rows: pd.DataFrame, columns: Columns) -> None:
    """How each row's metric is read: continuous or not, direction, chance level and best score (NaN when not known)."""
    words = rows["metric"].map(words_of)
    rows["continuous"] = columns.flags("continuous").fillna(words.map(lambda w: float(bool(w & SMOOTH)))) == 1
    rows["higher_is_better"] = (
        columns.flags("higher_is_better").fillna(words.map(lambda w: float(not w & SMALLER_IS_BETTER))) == 1
    )
    rows["chance"] = columns.numbers("chance")
    counted = columns.numbers("k").notna()
    columns.check(rows["chance"].isna() | ~counted | rows["chance"].between(0, 1), "chance", "0 to 1")
    given = columns.numbers("best")
    # The best score follows from the metric's name where no column gives it; our own leaderboard gives all there is.
    by_name = given.isna() & rows["metric_rank"].isna()
    _add_best(rows, columns, words, given, by_name)
    _check_bounds(rows, columns, by_name)


def _add_best(rows: pd.DataFrame, columns: Columns, words: pd.Series, given: pd.Series, by_name: pd.Series) -> None:
    """The best score: as given, else 1 or 0 by the direction of a metric that keeps between 0 and 1, else NaN."""
    outside = rows["value"].notna() & ~rows["value"].between(0, 1) & by_name
    bounded = words.map(lambda w: not w & UNBOUNDED)
    # A chance level between 0 and 1 is that of a share; a loss may have it and go on above 1, as Brier scores do.
    share = ~rows["continuous"] | (
        bounded & rows["higher_is_better"] & rows["chance"].between(0, 1, inclusive="neither")
    )
    columns.check(~outside | ~share, "value", "a share from 0 to 1, or a column `best`")
    within = by_name & bounded & ~outside.groupby(rows["metric"]).transform("any")
    rows["best"] = given.fillna(rows["higher_is_better"].astype(float).where(within))


def _check_bounds(rows: pd.DataFrame, columns: Columns, by_name: pd.Series) -> None:
    """Refuse what no metric can give: better than the best score, or a spread wider than its range allows."""
    direction = np.where(rows["higher_is_better"], 1, -1)
    better = "no better than the best score, " + rows["best"].map("{:g}".format)
    columns.check(~beyond_best(rows["chance"], rows["best"], direction), "chance", better)
    columns.check(~beyond_best(rows["value"], rows["best"], direction), "value", better)
    columns.check(~((rows["value"] < 0) & rows["metric"].map(is_share)), "value", "0 or more")
    full = rows["best"].where(rows["higher_is_better"], np.where(by_name & ~rows["continuous"], 1.0, np.nan))
    most = "at most " + (full / 2).map("{:g}".format) + ", as any score from 0 to " + full.map("{:g}".format) + " has"
    columns.check(~too_wide(rows["stderr"], rows["value"], full), "stderr", most)


def is_leaderboard(rows: pd.DataFrame) -> bool:
    """Whether the table is a leaderboard of this harness, see `table_curves`."""
    return bool(rows["metric_rank"].notna().any())


def metrics_of(rows: Sequence[Any], source: str) -> tuple[MetricSpec, ...]:
    """The metrics of one setting in the order of their ranks.

    Ranks are those of a leaderboard of this harness. For any other table sharp metrics come first, by name; then
    continuous ones, probabilities and Brier scores before the rest.

    Raises:
        TableError: two rows read one metric differently, or two metrics have one rank.
    """
    first_rows: dict[str, Any] = {}
    for row in rows:
        first = first_rows.setdefault(row.metric, row)
        for column in _READINGS:
            found, expected = _reading(row, column), _reading(first, column)
            if found != expected:
                raise TableError(
                    f"{source}: row {row.Index + 1}, column {column}: is {found}; expected {expected} as in row "
                    f"{first.Index + 1}, which belongs to the same curve"
                )
    specs = [(row, _spec(row)) for row in first_rows.values()]
    if _reading(rows[0], "metric_rank") is not None:
        return _by_rank(specs, source)
    return tuple(
        sorted((spec for _, spec in specs), key=lambda m: (m.continuous, not words_of(m.name) & PREFERRED, m.name))
    )


def _by_rank(specs: Sequence[tuple[Any, MetricSpec]], source: str) -> tuple[MetricSpec, ...]:
    """Metrics in the order of a leaderboard's own ranks; a rank without a score keeps its place."""
    ranked: dict[int, MetricSpec] = {}
    for row, spec in specs:
        other = ranked.setdefault(int(row.metric_rank), spec)
        if other != spec:
            raise TableError(
                f"{source}: row {row.Index + 1}, column metric_rank: is {row.metric_rank:g}, as that of "
                f"{other.name} on the same curves; expected each rank once"
            )
    return tuple(ranked.get(rank, _UNSCORED) for rank in range(max(ranked) + 1))


def _spec(row: Any) -> MetricSpec:
    return MetricSpec(
        name=row.metric,
        higher_is_better=row.higher_is_better,
        chance=known(row.chance),
        best=known(row.best),
        continuous=row.continuous,
    )


def _reading(row: Any, column: str) -> float | None:
    """What a row says in one of `_READINGS`; None where it says nothing."""
    value = getattr(row, column)
    return None if math.isnan(value) else value
