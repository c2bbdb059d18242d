"""Curves from anybody's results: a tidy table with one row per score, or one row per document."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.curves.join import draw
from harness.analysis.curves.types import Curve, Measurement, Scale
from harness.errors import TableError
from harness.records import Score
from harness.scoring.metrics import mean_stderr
from harness.specs import MetricSpec
from harness.store import DocumentScores

SCALES: tuple[Scale, ...] = ("params", "flops", "tokens", "loss")
"""Columns that say how large a model is; the one of the axis must be there, `flops` may follow from 6·params·tokens."""
CONDITIONS = {
    "condition": "condition",
    "engine": "engine",
    "dtype": "dtype",
    "variant": "variant",
    "task_version": "task_version",
    "task_digest": "task",
    "limit": "documents",
}
"""Optional columns, and what `curves` calls them; rows that differ in one of them are never joined."""
TEXT = ("family", "model", "revision", "task", "metric", "prompt", "doc_id", *CONDITIONS)
"""Columns of names, which stay text where they look like numbers."""
SMOOTH = frozenset(
    "prob probability brier loss nll entropy perplexity ppl bits bpb log logprob logprobs loglikelihood likelihood "
    "logits soft edit bleu chrf rouge rougel rougelsum ter bertscore".split()
)
"""A metric is continuous when a word of its name is one of these, unless the column `continuous` says otherwise."""
SMALLER_IS_BETTER = frozenset("brier loss nll entropy perplexity ppl bits bpb distance ter".split())
"""A word of these in its name makes a metric a loss, unless the column `higher_is_better` says otherwise."""
UNBOUNDED = frozenset(
    "loss nll entropy perplexity ppl bits bpb log logprob logprobs loglikelihood likelihood logits".split()
)
"""Metrics with such a word in their name have no best value, unless the column `best` gives one."""
ROUNDING = 0.02
"""A published standard error this near to the binomial one, relatively, is taken for a rounded binomial one."""
PREFERRED = frozenset({"prob", "probability", "brier"})
"""Continuous metrics that say how the right answer stands among the others: the partner of choice."""
_SETTING = ["family", "task", "shots", "prompt", *CONDITIONS]
_MEASUREMENT = ["model", "checkpoint", "seed"]
_READINGS = ("chance", "best", "higher_is_better", "continuous", "metric_rank")
_UNSCORED = MetricSpec(name="")
"""Holds the place of a metric that no row has a score of, so that those after it keep their ranks."""
_IDENTITY = [*_SETTING, *_MEASUREMENT, "metric", "doc_id"]


def table_curves(frame: pd.DataFrame, scale: Scale = "params", source: str = "table") -> tuple[Curve, ...]:
    """The curves of a tidy table; the order of its rows does not matter.

    Needed are `family`, `model`, the column of the axis, `task`, `metric`, `n_shot` (or `shots`), and in each row
    either counts `k` of `n` (or `n_items`), or `value` with `stderr` or `n`. With a column `doc_id` each row is one
    document, and `value` alone is enough. Optional are `chance`, `best`, `higher_is_better`, `continuous`, `seed`,
    `prompt`, `revision` (or a model written `name@revision`), `suite`, `kind`, `status`, `n_expected`, `n_truncated`,
    `date` (of two equally trained revisions of a model the one evaluated last counts), and `CONDITIONS`.

    A table with `metric_rank` is a tidy leaderboard of this harness, and gives the curves it was made of, less the
    documents: ranks are those of the column, an empty `best` means none, and no standard error counts as rounded.

    A chance level that is not given is not known. Seeds are pooled, and checkpoints are treated, as `curves` does
    for results. Every metric that is not continuous is a headline (rank 0) of its own; continuous ones are their
    partners, best-known first: probabilities, Brier scores, then by name. In a task without another metric they are
    headlines themselves. Without `n` a row counts as many documents as a proportion of its standard error rests on,
    v (1 - v) / stderr² + 1 with both as shares of the best score, or where that does not exist as many as other rows of
    its task and setting, or 1. Models whose place on the axis is empty or 0, and rows of `status` failed, are gaps.

    Args:
        frame: the table.
        scale: the x axis.
        source: name of the table in messages.

    Raises:
        TableError: something is missing, makes no sense or stands twice; row (the first below the header is 1) and
            column are named.
    """
    rows = _rows(frame, scale, source)
    ordered = rows.sort_values(_IDENTITY, kind="stable").itertuples(name="Row")
    settings = [list(some) for _, some in groupby(ordered, attrgetter(*_SETTING))]
    measured = [one for setting in settings for one in _measurements(setting, source)]
    if scale == "params":
        _check_final(measured, source)
    drawn = draw(measured, scale=scale)
    return drawn if _exported(rows) else _ranked(drawn)


def unknowns(drawn: Iterable[Curve]) -> tuple[str, ...]:
    """One sentence for each thing a table does not say and without which curves cannot be judged fully."""
    headlines = [c for c in drawn if c.rank == 0]
    no_chance = [c for c in headlines if c.metric.chance is None and not c.metric.continuous]
    no_spread = [c for c in headlines if None in c.stderr]
    said = (
        (no_chance, "no column `chance`, so nothing can be held against chance and no threshold given"),
        (no_spread, "neither standard error nor counts, so no trend can be tested"),
    )
    return tuple(f"{_named(which)}: {what}" for which, what in said if which)


def _named(some: Sequence[Curve]) -> str:
    names = list(dict.fromkeys(f"{c.task} {c.metric.name}" for c in some))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


# Columns: from whatever the file holds to text and numbers that make sense.


class _Columns:
    """The columns of a table, by name; whatever is wrong is raised with row and column."""

    def __init__(self, frame: pd.DataFrame, source: str) -> None:
        self.frame = frame.reset_index(drop=True)
        self.source = source
        if not len(frame):
            raise TableError(f"{source}: has no rows")

    def __contains__(self, column: str) -> bool:
        return column in self.frame.columns

    def one_of(self, *names: str) -> str:
        """The first of these columns that is there."""
        for name in names:
            if name in self:
                return name
        raise TableError(
            f"{self.source}: column {' or '.join(names)} is missing; it has {', '.join(map(str, self.frame.columns))}"
        )

    def text(self, column: str, default: str | None = None) -> pd.Series:
        """Text without gaps; an absent column or an empty field is the default, or refused when there is none."""
        if column not in self and default is not None:
            return pd.Series(default, index=self.frame.index)
        column = self.one_of(column)
        read = self.frame[column].astype("string").fillna("").str.strip()
        if default is None:
            self.check(read != "", column, "a name")
        return read.where(read != "", default or "").astype(object)

    def numbers(self, column: str, *, needed: bool = False, whole: bool = False) -> pd.Series:
        """Finite numbers; NaN where the field is empty or the column is not there."""
        if column not in self and not needed:
            return pd.Series(np.nan, index=self.frame.index)
        column = self.one_of(column)
        given = self.frame[column]
        read = pd.to_numeric(given, errors="coerce").astype(float)
        empty = given.astype("string").fillna("").str.strip() == ""
        self.check(~read.isna() | (empty & (not needed)), column, "a number")
        self.check(read.abs() != math.inf, column, "a finite number")
        if whole:
            self.check(read.isna() | (read % 1 == 0), column, "a whole number")
        return read

    def flags(self, column: str) -> pd.Series:
        """1.0 for true, 0.0 for false, NaN where the field is empty or the column is not there."""
        words = {"true": 1.0, "1": 1.0, "1.0": 1.0, "yes": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0, "no": 0.0}
        text = self.text(column, "").str.lower()
        read = text.map(words).astype(float)
        self.check(read.notna() | (text == ""), column, "true or false")
        return read

    def check(self, right: pd.Series, column: str, expected: str | pd.Series) -> None:
        """Refuse the first row that is not right."""
        if right.all():
            return
        row = int(np.argmin(right.to_numpy(dtype=bool)))
        value = self.frame[column].iloc[row]
        found = "is empty" if pd.isna(value) or str(value).strip() == "" else f"is {value}"
        wanted = expected if isinstance(expected, str) else expected.iloc[row]
        raise TableError(f"{self.source}: row {row + 1}, column {column}: {found}; expected {wanted}")


def _rows(frame: pd.DataFrame, scale: Scale, source: str) -> pd.DataFrame:
    """The table in our own columns, in its own order: names, sizes, scores, readings."""
    columns = _Columns(frame, source)
    rows = pd.DataFrame({name: columns.text(name) for name in ("family", "task", "metric")})
    parts = [name.partition("@") for name in columns.text("model")]
    rows["model"] = [name for name, _, _ in parts]
    rows["shots"] = columns.numbers(columns.one_of("n_shot", "shots"), needed=True, whole=True).astype(int)
    columns.check(rows["shots"] >= 0, columns.one_of("n_shot", "shots"), "0 or more")
    rows["prompt"] = columns.text("prompt", "default")
    rows["suite"], rows["kind"] = columns.text("suite", ""), columns.text("kind", "")
    rows["seed"] = columns.numbers("seed", whole=True).fillna(0).astype(int)
    rows["doc_id"] = columns.text("doc_id") if "doc_id" in columns else ""
    _add_conditions(rows, columns)
    _add_sizes(rows, columns, scale)
    revision = columns.text("revision", "") if "revision" in columns else [revision for _, _, revision in parts]
    sizes = rows[list(SCALES)].itertuples(index=False)
    rows["checkpoint"] = [f"{known} {size}" for known, size in zip(revision, map(tuple, sizes), strict=True)]
    rows["date"] = _seconds(columns.text("date", ""))
    rows["metric_rank"] = columns.numbers("metric_rank", needed="metric_rank" in columns, whole=True)
    columns.check(rows["metric_rank"].isna() | rows["metric_rank"].between(0, 999), "metric_rank", "0 to 999")
    _add_scores(rows, columns)
    _add_readings(rows, columns)
    _add_documents(rows)
    _check_repeats(rows, source)
    return rows


def _exported(rows: pd.DataFrame) -> bool:
    """Whether the table is a leaderboard of this harness, see `table_curves`."""
    return bool(rows["metric_rank"].notna().any())


def _add_conditions(rows: pd.DataFrame, columns: _Columns) -> None:
    for name in CONDITIONS:
        rows[name] = columns.text(name, "plain" if name in columns else "")
    if "task_digest" in columns:
        rows["task_version"] = ""  # the digest tells them apart, also where the author forgot to count up
    if "limit" in columns:
        limit = columns.numbers("limit", whole=True)
        rows["limit"] = limit.map("first {:.0f}".format).where(limit.notna(), "all")


def _seconds(dates: pd.Series) -> pd.Series:
    """Time in seconds; 0 where there is no date, or none that can be read."""
    read = pd.to_datetime(dates, errors="coerce", utc=True, format="ISO8601")
    return ((read - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)).fillna(0.0)


def _add_sizes(rows: pd.DataFrame, columns: _Columns, scale: Scale) -> None:
    if scale != "flops" or "params" not in columns or "tokens" not in columns:
        columns.one_of(scale)
    for name in SCALES:
        rows[name] = columns.numbers(name, needed=name == scale == "params")
        columns.check(rows[name].isna() | (rows[name] >= 0), name, "a size, not below 0")
    columns.check(rows["params"] != 0, "params", "more than 0")
    rows["flops"] = rows["flops"].fillna(6.0 * rows["params"] * rows["tokens"])
    if rows[scale].isna().all():
        raise TableError(f"{columns.source}: column {scale}: is empty in every row; expected the x axis")


def _add_scores(rows: pd.DataFrame, columns: _Columns) -> None:
    """Value, standard error (NaN unknown) and documents (NaN unknown) of every row."""
    columns.one_of("k", "value")
    rows["failed"] = columns.text("status", "").str.lower() == "failed"
    counted = columns.numbers("k", whole=True)
    n_column = "n" if "n" in columns or "n_items" not in columns else "n_items"
    n = columns.numbers(n_column, whole=True)
    value, stderr = columns.numbers("value"), columns.numbers("stderr")
    columns.check(n.isna() | (n > 0), n_column, "1 or more")
    columns.check(stderr.isna() | (stderr >= 0), "stderr", "0 or more")
    columns.check(counted.isna() | (counted >= 0), "k", "0 or more")
    if counted.notna().any():
        columns.check(counted.isna() | n.notna(), columns.one_of(n_column), "the number of documents that k is of")
        columns.check(counted.isna() | (counted <= n), "k", n.map("at most n = {:g}".format))
    rows["value"] = (counted / n).where(counted.notna(), value)
    there = rows["value"].notna() | rows["failed"]
    columns.check(there, "value" if "value" in columns else "k", "a number")
    if "doc_id" not in columns:
        sure = n.notna() | stderr.notna() | rows["failed"]
        if not sure.any():
            columns.one_of("stderr", "n", "n_items")
        columns.check(sure, "stderr" if "stderr" in columns else n_column, "a number here or as n")
    rows["stderr"] = stderr.where(counted.isna())
    rows["n"] = n
    for name in ("n_expected", "n_truncated"):
        rows[name] = columns.numbers(name, whole=True)


def _add_readings(rows: pd.DataFrame, columns: _Columns) -> None:
    """How each row's metric is read: chance and best (NaN unknown), direction, continuous or not."""
    words = rows["metric"].map(_words)
    rows["continuous"] = columns.flags("continuous").fillna(words.map(lambda w: float(bool(w & SMOOTH)))) == 1
    rows["higher_is_better"] = (
        columns.flags("higher_is_better").fillna(words.map(lambda w: float(not w & SMALLER_IS_BETTER))) == 1
    )
    rows["chance"] = columns.numbers("chance")
    proportion = columns.numbers("k").notna()
    columns.check(rows["chance"].isna() | ~proportion | rows["chance"].between(0, 1), "chance", "0 to 1")
    told = columns.numbers("best")
    foreign = rows["metric_rank"].isna()
    guessed = told.isna() & foreign
    outside = rows["value"].notna() & ~rows["value"].between(0, 1) & guessed
    bound = words.map(lambda w: not w & UNBOUNDED)
    # a chance level between 0 and 1 is that of a share; a loss may have it and go on above 1, as Brier scores do
    share = ~rows["continuous"] | (bound & rows["higher_is_better"] & rows["chance"].between(0, 1, inclusive="neither"))
    columns.check(~outside | ~share, "value", "a share from 0 to 1, or a column `best`")
    bounded = guessed & bound & ~outside.groupby(rows["metric"]).transform("any")
    rows["best"] = told.fillna(rows["higher_is_better"].astype(float).where(bounded))
    direction = np.where(rows["higher_is_better"], 1, -1)
    better = "no better than the best score, " + rows["best"].map("{:g}".format)
    columns.check(~((rows["chance"] - rows["best"]) * direction > 0), "chance", better)
    columns.check(~((rows["value"] - rows["best"]) * direction > 1e-9) | ~foreign, "value", better)
    # scores from 0 to `full` have a standard deviation of at most half of it, and two of them are the fewest
    full = rows["best"].where(rows["higher_is_better"], np.where(guessed & ~rows["continuous"], 1.0, np.nan))
    full = full.where(foreign & (full > 0) & rows["value"].between(0, full))
    most = "at most " + (full / 2).map("{:g}".format) + ", as any score from 0 to " + full.map("{:g}".format) + " has"
    columns.check(~(rows["stderr"] > full / 2), "stderr", most)


def _add_documents(rows: pd.DataFrame) -> None:
    """How many documents each score rests on, where the table does not say; see `table_curves`."""
    best = rows["best"].where(rows["best"] > 0, 1.0)
    share, stderr = rows["value"] / best, rows["stderr"] / best
    spread = (share * (1 - share)).where(share.between(0, 1, inclusive="neither"))
    implied = (spread / stderr.where(stderr > 0) ** 2 + 1).round()
    known = rows["n"].fillna(implied.where(~rows["continuous"]))
    usual = known.groupby([rows[name] for name in _SETTING[1:]]).transform("median").round()
    rows["n"] = known.fillna(usual).fillna(implied).fillna(1.0)


def _check_repeats(rows: pd.DataFrame, source: str) -> None:
    """A score that stands twice would count twice."""
    again = rows.duplicated(_IDENTITY)
    if again.any():
        row = int(np.argmax(again.to_numpy()))
        this = rows.iloc[row]
        first = int(np.argmax((rows[_IDENTITY] == this[_IDENTITY]).all(axis=1).to_numpy()))
        raise TableError(
            f"{source}: row {row + 1} is of the same score as row {first + 1} (model {this['model']}, task "
            f"{this['task']}, metric {this['metric']}); expected each score once, or a column that tells them apart: "
            "seed, prompt, revision, condition, doc_id"
        )


# Measurements: the rows of one setting, taken together by model and seed.


def _measurements(rows: Sequence[Any], source: str) -> list[Measurement]:
    """What the rows of one setting say about each model and seed."""
    metrics = _metrics(rows, source)
    return [_measurement(list(some), metrics) for _, some in groupby(rows, attrgetter(*_MEASUREMENT))]


def _metrics(rows: Sequence[Any], source: str) -> tuple[MetricSpec, ...]:
    """The metrics of one setting: sharp ones by name, then continuous ones, probabilities and Brier scores first."""
    read: dict[str, tuple[Any, MetricSpec]] = {}
    for row in rows:
        spec = MetricSpec(
            name=row.metric,
            higher_is_better=row.higher_is_better,
            chance=_known(row.chance),
            best=_known(row.best),
            continuous=row.continuous,
        )
        first, _ = read.setdefault(row.metric, (row, spec))
        for column in _READINGS:
            found, expected = _reading(row, column), _reading(first, column)
            if found != expected:
                raise TableError(
                    f"{source}: row {row.Index + 1}, column {column}: is {found}; expected {expected} as in row "
                    f"{first.Index + 1}, which belongs to the same curve"
                )
    if _reading(rows[0], "metric_rank") is not None:
        ranked: dict[int, MetricSpec] = {}
        for row, spec in read.values():
            other = ranked.setdefault(int(row.metric_rank), spec)
            if other != spec:
                raise TableError(
                    f"{source}: row {row.Index + 1}, column metric_rank: is {row.metric_rank:g}, as that of "
                    f"{other.name} on the same curves; expected each rank once"
                )
        return tuple(ranked.get(rank, _UNSCORED) for rank in range(max(ranked) + 1))
    order = (spec for _, spec in read.values())
    return tuple(sorted(order, key=lambda m: (m.continuous, not _words(m.name) & PREFERRED, m.name)))


def _reading(row: Any, column: str) -> float | None:
    """How a row says its metric is read; None where it says nothing."""
    value = getattr(row, column)
    return None if math.isnan(value) else value


def _measurement(rows: Sequence[Any], metrics: tuple[MetricSpec, ...]) -> Measurement:
    """The rows of one model and seed in one setting."""
    first = rows[0]
    scales: dict[Scale, float | None] = {name: _known(getattr(first, name)) for name in SCALES}
    answered = {m: [row for row in rows if row.metric == m.name and not row.failed] for m in metrics}
    documents = _documents(answered) if first.doc_id else None
    score = _mean if first.doc_id else _score
    scores = {metric.name: score(some, metric) for metric, some in answered.items() if some}
    return Measurement(
        family=first.family,
        task=first.task,
        suite=first.suite,
        kind=first.kind,
        shots=first.shots,
        prompt=first.prompt,
        conditions=tuple((name, value) for column, name in CONDITIONS.items() if (value := getattr(first, column))),
        model=first.model,
        revision=first.checkpoint,
        scales=scales,
        age=(scales["tokens"] or scales["flops"] or 0.0, max(row.date for row in rows)),
        seed=first.seed,
        metrics=metrics,
        scores=scores,
        failure=None if scores else "failed",
        n_expected=int(_known(first.n_expected) or max((score.n for score in scores.values()), default=0)),
        n_truncated=int(_known(first.n_truncated) or 0),
        documents=lambda: documents,
    )


def _score(rows: Sequence[Any], metric: MetricSpec) -> Score:
    """The one row of a score: counts, or value and standard error."""
    (row,) = rows
    value, n, stderr = row.value, int(row.n), _known(row.stderr)
    share = not metric.continuous and metric.best == 1.0
    binomial = math.sqrt(value * (1 - value) / (n - 1)) if share and n > 1 else None
    guessed = math.isnan(row.metric_rank)
    if guessed and (stderr is None or (binomial is not None and math.isclose(stderr, binomial, rel_tol=ROUNDING))):
        stderr = binomial
    return Score(metric=metric.name, value=value, stderr=stderr, n=n)


def _mean(rows: Sequence[Any], metric: MetricSpec) -> Score:
    """Rows of single documents."""
    value, stderr = mean_stderr([row.value for row in rows])
    return Score(metric=metric.name, value=value, stderr=stderr, n=len(rows))


def _documents(answered: Mapping[MetricSpec, Sequence[Any]]) -> DocumentScores:
    """Scores of single documents; metrics that lack one are left out."""
    names = {metric: tuple(row.doc_id for row in rows) for metric, rows in answered.items()}
    whole = max(names.values(), key=len)
    return DocumentScores(
        whole,
        {m.name: np.array([row.value for row in rows]) for m, rows in answered.items() if names[m] == whole},
    )


def _check_final(measured: Iterable[Measurement], source: str) -> None:
    """Of several checkpoints of a model one must be the most trained, or the params axis could not show it."""
    latest: dict[tuple[object, ...], Measurement] = {}
    for one in measured:
        if one.failure is not None:
            continue
        known = latest.setdefault((one.setting, one.conditions, one.model), one)
        if one.age > known.age:
            latest[one.setting, one.conditions, one.model] = one
        elif one.age == known.age and one.revision != known.revision:
            raise TableError(
                f"{source}: task {one.task}: model {one.model} stands there with several sizes or revisions, and "
                "nothing says which is the most trained; expected a column `tokens`, or names that differ"
            )


def _ranked(drawn: Sequence[Curve]) -> tuple[Curve, ...]:
    """Every sharp metric a headline; so are continuous ones that stand alone."""
    paired = {c.setting for c in drawn if not c.metric.continuous}
    return tuple(c if c.metric.continuous and c.setting in paired else replace(c, rank=0) for c in drawn)


def _known(number: float) -> float | None:
    return None if math.isnan(number) else float(number)


def _words(name: str) -> frozenset[str]:
    return frozenset(re.split(r"[^a-z]+", name.lower()))
