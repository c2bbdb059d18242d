"""The scores of a tidy table as laws take them: one row per score, with every measure of size that is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.curves.table import Columns
from harness.errors import TableError, unknown
from harness.lawbook.pictures import Picture
from harness.plausible import COUNT, INDEX, SIZE_BOUNDS, SMOOTH, words_of

SETTING = ("task", "metric", "shots", "prompt", "condition")
"""Columns in which the scores of one fit agree."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a user says beside the table; each law uses some of it."""

    tasks: tuple[str, ...] = ()
    """Only these tasks; empty for all."""
    metric: str | None = None
    """Only this metric; None for all that are not continuous."""
    chance: float | None = None
    """Score without the ability, where the table does not say; None when nobody does."""
    loss_from: str | None = None
    """Metric whose value is the loss of a model, as `METRIC` of the same task or `TASK:METRIC`; None for the column."""
    marked: str | None = None
    """Column that is true for models exposed to the task; None for none."""
    target: str | None = None
    """Task that other tasks are to predict; None when the law has none."""
    components: int = 2
    """Principal components that predict it."""
    cut: float | None = None
    """Training FLOPs up to which models are fitted, the others being tested; None fits all."""
    at: tuple[float, float] | None = None
    """Parameters and training tokens to predict for; None for no prediction."""
    until: int | None = None
    """Successes at which the sampling of a document stopped; None when the number of samples was fixed."""
    groups: int = 3
    """Groups of difficulty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What a law says of a table."""

    rows: list[dict[str, Any]]
    """One row per fit, with the same keys in each."""
    notes: tuple[str, ...] = ()
    """Sentences beside the rows."""
    pictures: tuple[Picture, ...] = ()
    """What was fitted, to be drawn; fits without any score have none."""


def law_rows(frame: pd.DataFrame, source: str, marked: str | None = None) -> pd.DataFrame:
    """The table in our own columns: names, sizes (NaN unknown), value, chance, and k of n where they are given.

    Args:
        frame: a tidy table; `model`, `task`, `metric` and `value` (or `k` of `n`) are needed, sizes by the law.
        source: name of the table in messages.
        marked: name of a column of true and false to take along as `marked`.

    Raises:
        TableError: a column is missing or cannot be read; the message names it, and the row.
    """
    columns = Columns(frame, source)
    rows = pd.DataFrame({name: columns.text(name) for name in ("model", "task", "metric")})
    rows["family"] = columns.text("family", "")
    shots = "n_shot" if "n_shot" in columns else "shots"
    rows["shots"] = columns.numbers(shots, whole=True, bound=INDEX).fillna(0).astype(int)
    for name in ("prompt", "condition", "doc_id", "variant"):
        rows[name] = columns.text(name, "")
    for name, bound in SIZE_BOUNDS.items():
        rows[name] = columns.numbers(name, bound=bound)
    active = rows["params_active"].fillna(rows["params"])
    rows["flops"] = rows["flops"].fillna(6.0 * active * rows["tokens"])
    columns.one_of("value", "k")
    rows["k"], rows["n"] = columns.numbers("k", whole=True, bound=INDEX), columns.numbers("n", whole=True, bound=COUNT)
    rows["value"] = (rows["k"] / rows["n"]).where(rows["k"].notna() & rows["n"].notna(), columns.numbers("value"))
    columns.check(rows["value"].notna(), "value" if "value" in columns else "k", "a number")
    rows["chance"] = columns.numbers("chance")
    rows["documents"] = columns.numbers("documents", whole=True, bound=COUNT)
    if marked is not None:
        columns.one_of(marked)
        rows["marked"] = columns.flags(marked).fillna(0.0) == 1
    return rows


def scores_by_setting(rows: pd.DataFrame, choice: Choice) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The chosen scores by task, metric and shots, each with these as a dict.

    Raises:
        TableError: a task or metric that was asked for is not there.
    """
    for what, asked, known in (
        ("task", choice.tasks, set(rows["task"])),
        ("metric", [choice.metric] if choice.metric else [], set(rows["metric"])),
    ):
        for name in asked:
            if name not in known:
                raise TableError(unknown(what, name, known))
    smooth = rows["metric"].map(lambda name: bool(words_of(name) & SMOOTH))
    wanted = ~smooth if choice.metric is None else rows["metric"] == choice.metric
    if choice.tasks:
        wanted &= rows["task"].isin(choice.tasks)
    for values, some in rows[wanted].groupby(list(SETTING), sort=True):
        yield {name: None if value == "" else value for name, value in zip(SETTING, values, strict=True)}, some


def floor_of(some: pd.DataFrame, choice: Choice) -> float | None:
    """The chance level of one setting: that of the table, or what the user says; None when neither says it."""
    known = some["chance"].dropna().unique()
    return float(known[0]) if len(known) == 1 else choice.chance


def with_loss(rows: pd.DataFrame, choice: Choice, source: str) -> pd.DataFrame:
    """The rows with the loss of each model in `loss`: the column of the table, or the metric that was chosen.

    Raises:
        TableError: the metric is not there, or the table has no loss at all.
    """
    if choice.loss_from is None:
        if rows["loss"].isna().all():
            raise TableError(
                f"{source}: column loss is missing or empty; expected it, or a metric in its place (--loss-from)"
            )
        return rows[rows["loss"].notna()]
    whole = choice.loss_from in set(rows["metric"])
    task, _, metric = ("", "", choice.loss_from) if whole else choice.loss_from.rpartition(":")
    of = rows[(rows["metric"] == metric) & ((rows["task"] == task) | (task == ""))]
    if of.empty:
        raise TableError(unknown("metric", choice.loss_from, {*rows["metric"], *(rows["task"] + ":" + rows["metric"])}))
    keys = ["model", "tokens"] if task else ["model", "tokens", "task"]
    # A perplexity is the exponential of a loss.
    value = np.log(of["value"]) if words_of(metric) & {"ppl", "perplexity"} else of["value"]
    losses = of.assign(loss=value).groupby(keys, dropna=False)["loss"].mean()
    joined = rows.drop(columns="loss").join(losses, on=keys)
    return joined[joined["loss"].notna()]


def run_of(some: pd.DataFrame) -> pd.Series:
    """The training run of each checkpoint: its model's name without what follows an `@`."""
    return some["model"].str.partition("@")[0]


def known_axes(some: pd.DataFrame, names: Sequence[str]) -> Mapping[str, pd.Series]:
    """log10 of each measure of size that all rows have and that is not the same for all."""
    axes = {}
    for name in names:
        if some[name].notna().all() and (some[name] > 0).all() and some[name].nunique() > 1:
            axes[name] = np.log10(some[name])
    return axes
