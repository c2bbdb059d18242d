"""What stands on a leaderboard: headline scores by model and setting, and which of them are averaged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from statistics import fmean
from typing import NamedTuple

from harness.analysis.compare import NoiseOf, Rank, RankModels, ReadDocuments
from harness.analysis.stats import estimate, normalised
from harness.plan import AXES, MODEL_AXES, QUESTION_AXES, Cell, Value, axes
from harness.records import CellFailure, CellResult
from harness.specs import MetricSpec
from harness.wording import counted

_WHO = axes(free=QUESTION_AXES, first=("family", "model", "revision", "variant", "engine"))
MODEL_COLUMNS = (*_WHO[:4], "params", *_WHO[4:])
"""What identifies a row of the wide table: every axis on which models differ, and the size."""
_NAMED_APART = MODEL_AXES | {"task", "task_digest", "shots", "seed"}
"""All axes but those that the head of a column names only where their value does not go without saying."""
ModelRow = tuple[Value, ...]
"""Values of `MODEL_COLUMNS`."""


class Scoreboard(NamedTuple):
    """The content of the wide table."""

    scores: Mapping[ModelRow, Mapping[str, float]]
    """Row -> column -> headline score over its seeds."""
    metrics: Mapping[str, MetricSpec]
    """Column -> headline metric, in the order of the columns."""
    averaged: Set[str]
    """Columns whose scores are averaged."""
    complete: Mapping[ModelRow, Set[str]]
    """Row -> columns in which it has a score that may be averaged."""
    results: Mapping[tuple[ModelRow, str], Sequence[CellResult]]
    """Row and column -> the results, one per few-shot seed."""
    task_of: Mapping[str, str]
    """Column -> name of the task, with the metric, as the head of a column."""
    sources: Mapping[ModelRow, str]
    """Row -> the programs whose files its scores were read from; rows that were evaluated here are not in it."""

    def average(self, row: ModelRow) -> float | None:
        """Mean of the chance-centred scores, each task once; None unless the row has every score that is averaged."""
        if not self.averaged or not self.averaged <= self.complete[row]:
            return None
        of_tasks: dict[str, list[float]] = {}
        # in the order of the columns: that of a set differs from run to run, and with it the last digit of the sum
        for name in self.metrics:
            if name in self.averaged:
                value = normalised(self.scores[row][name], self.metrics[name])
                of_tasks.setdefault(self.task_of[name], []).append(0.0 if value is None else value)
        return fmean(map(fmean, of_tasks.values()))

    def tasks(self) -> dict[str, tuple[str, ...]]:
        """Task -> its columns that are averaged; of a task without any, those that most models share."""
        columns: dict[str, list[str]] = {}
        for name in self.metrics:
            columns.setdefault(self.task_of[name], []).append(name)
        shared = {
            task: self.averaged & {*names} or averaged_settings({*scores} & {*names} for scores in self.scores.values())
            for task, names in columns.items()
        }
        return {task: tuple(name for name in names if name in shared[task]) for task, names in columns.items()}

    def mean(self, row: ModelRow, columns: Sequence[str]) -> float | None:
        """Mean of some scores of a model as they are; None where it lacks one."""
        values = [self.scores[row].get(name) for name in columns]
        known = [value for value in values if value is not None]
        return fmean(known) if known and len(known) == len(values) else None

    def ranks(self, documents: ReadDocuments | None, noise: NoiseOf | None, rank: RankModels) -> dict[ModelRow, Rank]:
        """The places of every model with an average."""
        ranked = [row for row in self.scores if self.average(row) is not None]
        columns = [name for name in self.metrics if name in self.averaged]
        models = [[one for name in columns for one in self.results[row, name]] for row in ranked]
        return dict(zip(ranked, rank(models, documents, noise=noise), strict=True))


def scoreboard(results: Iterable[CellResult], failures: Iterable[CellFailure]) -> Scoreboard:
    """Every headline score, and which of them are averaged; see `wide_table`."""
    done = sorted(results, key=lambda r: _place(r.cell))
    digests = _digests(done)
    columns: dict[str, Cell] = {}
    grouped: dict[tuple[ModelRow, str], list[CellResult]] = {}
    for result in done:
        column = _column(result.cell, digests[result.cell.task])
        columns.setdefault(column, result.cell)
        grouped.setdefault((row_of(result.cell), column), []).append(result)
    fit = _fit(columns, digests)
    succeeded = {r.cell.place for r in done}
    failed = [f.cell for f in failures if f.cell.place not in succeeded]
    scores: dict[ModelRow, dict[str, float]] = {row_of(cell): {} for cell in failed}
    complete: dict[ModelRow, set[str]] = {row: set() for row in scores}
    for (row, column), seeds in grouped.items():
        metric = columns[column].metrics[0]
        found = [(s, r.n_expected) for r in seeds for s in r.scores if s.metric == metric.name]
        if found:
            scores.setdefault(row, {})[column] = estimate([s for s, _ in found], metric).value
            whole = column in fit and all(s.n == n_expected for s, n_expected in found)
            complete.setdefault(row, set()).update([column] if whole else [])
    asked = {row: set(names) for row, names in complete.items()}
    for cell in failed:
        if cell.task_digest in digests.get(cell.task, ()):
            asked[row_of(cell)] |= {_column(cell, digests[cell.task])} & fit
    return Scoreboard(
        dict(sorted(scores.items(), key=lambda item: _row_place(item[0]))),
        {name: cell.metrics[0] for name, cell in columns.items()},
        averaged_settings(asked.values()),
        complete,
        grouped,
        {name: task_column(cell) for name, cell in columns.items()},
        _sources(done),
    )


def _sources(results: Iterable[CellResult]) -> dict[ModelRow, str]:
    """Row -> program, version and number of files from which its scores were read."""
    files: dict[ModelRow, dict[str, set[str]]] = {}
    for result in results:
        if (source := result.provenance.source) is not None:
            files.setdefault(row_of(result.cell), {}).setdefault(source.program, set()).add(source.sha256)
    return {
        row: ", ".join(f"{program} ({counted(len(hashes), 'file')})" for program, hashes in sorted(programs.items()))
        for row, programs in files.items()
    }


def row_of(cell: Cell) -> ModelRow:
    """The values of `MODEL_COLUMNS` of a cell, which tell in which row of the wide table its scores stand."""
    values = cell.setting(free=QUESTION_AXES, first=_WHO).values
    return (*values[:4], cell.model.params, *values[4:])


def _row_place(row: ModelRow) -> tuple[str, int, tuple[str, ...]]:
    """Family by family, ascending by size."""
    of = dict(zip(MODEL_COLUMNS, row, strict=True))
    others = dict.fromkeys(("model", "variant", *_WHO))
    return (str(of["family"]), int(of["params"] or 0), tuple(str(of[name] or "") for name in others))


def _place(cell: Cell) -> tuple[str | int, ...]:
    """Order of the columns, and of the seeds in them."""
    others = cell.setting(free=_NAMED_APART | {"prompt", "limit"}).texts()
    return (cell.suite, cell.task, cell.prompt, cell.shots, cell.limit or 0, cell.task_digest, *others, cell.seed)


def _digests(results: Iterable[CellResult]) -> dict[str, list[str]]:
    """Task -> digests of its versions, the one that was evaluated last first."""
    versions: dict[str, dict[str, None]] = {}
    for result in sorted(results, key=lambda r: (r.provenance.started_at, r.cell.task_digest), reverse=True):
        versions.setdefault(result.cell.task, {}).setdefault(result.cell.task_digest)
    return {task: list(digests) for task, digests in versions.items()}


def _fit(columns: Mapping[str, Cell], digests: Mapping[str, Sequence[str]]) -> set[str]:
    """Columns that may be averaged: of a metric that can be centred, the newest version of a task, most documents."""
    # chosen documents are a trial, which nothing is averaged with
    whole = {name: cell for name, cell in columns.items() if cell.docs is None} or columns
    limits = [cell.limit for cell in whole.values()]
    widest = None if None in limits else max((limit for limit in limits if limit is not None), default=None)
    return {
        name
        for name, cell in whole.items()
        if normalised(0.0, cell.metrics[0]) is not None
        and cell.task_digest == digests[cell.task][0]
        and cell.limit == widest
    }


def averaged_settings(asked: Iterable[Set[str]]) -> Set[str]:
    """The set of settings that is averaged, so that as many models as possible are compared in as many settings.

    The candidates are the settings of each model and the settings that any two models share. A candidate of n settings
    that m models were all evaluated in counts n m², and the largest count wins; of equal counts that of more models.

    Args:
        asked: the settings of each model.

    >>> sorted(averaged_settings([{"a", "b"}, {"a", "b", "tried"}, {"a", "b"}, {"a"}]))
    ['a', 'b']
    """
    kinds = Counter(frozenset(one) for one in asked)

    def weight(shared: frozenset[str]) -> tuple[int, int, list[str]]:
        models = sum(n for settings, n in kinds.items() if shared <= settings)
        return (len(shared) * models**2, models, sorted(shared))

    return max({a & b for a in kinds for b in kinds}, key=weight, default=frozenset())


def task_column(cell: Cell) -> str:
    """Head of the column with the scores of a cell's task in `ranked_board`."""
    return f"{cell.task} ({cell.metrics[0].name})"


def row_names(rows: Sequence[ModelRow]) -> list[str]:
    """The names of the models; where several rows have the same name, followed by the values in which they differ."""
    model, revision, run = (MODEL_COLUMNS.index(name) for name in ("model", "revision", "run"))
    alike: dict[Value, list[ModelRow]] = {}
    for row in rows:
        alike.setdefault(row[model], []).append(row)

    def name(row: ModelRow) -> str:
        columns = zip(*alike[row[model]], strict=True)
        differing = [i for i, seen in enumerate(columns) if row[i] not in (None, "") and len(set(seen)) > 1]
        texts = {i: str(row[i])[: 12 if i == revision else None] for i in differing}
        return " ".join([str(row[model]), *(f"run {text}" if i == run else text for i, text in texts.items())])

    return [name(row) for row in rows]


def _column(cell: Cell, digests: Sequence[str]) -> str:
    """Head of a cell's column: task, shots and headline metric, with the version of the task where there are several.

    Args:
        cell: the cell.
        digests: digests of the versions of its task, the one that was evaluated last first.
    """
    parts = [cell.task, f"{cell.shots}-shot"]
    asked = cell.setting(free=_NAMED_APART, first=("prompt", "limit"))
    named = zip(map(AXES.__getitem__, asked.names), asked.values, strict=True)
    parts += [axis.label_of(value) for axis, value in named if value != axis.default]
    if len(digests) > 1:
        parts += [cell.task_digest, "newest" if cell.task_digest == digests[0] else "older"]
    return f"{' '.join(parts)} ({cell.metrics[0].name})"
