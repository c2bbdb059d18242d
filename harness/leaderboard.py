"""Results as a leaderboard: tidy for programs, wide for people; as CSV, Markdown or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from harness.analysis.frame import frame
from harness.analysis.normalise import normalised
from harness.analysis.uncertainty import estimate
from harness.analysis.wording import score
from harness.plan import Cell
from harness.records import CellFailure, CellResult
from harness.specs import MetricSpec

MODEL_COLUMNS = ("family", "model", "revision", "variant", "params", "engine", "dtype")
"""What identifies a row of the wide table."""
AVERAGE = "mean_normalized"
"""Unweighted mean over the columns of a row, each centred on chance: 0 is guessing, 1 is perfect."""


def tidy(results: Iterable[CellResult], failures: Iterable[CellFailure] = ()) -> pd.DataFrame:
    """One row per cell and metric: the leaderboard contract, failed cells included with an empty value."""
    return frame(results, failures)


def wide(results: Iterable[CellResult], failures: Iterable[CellFailure] = ()) -> pd.DataFrame:
    """One row per model, one column per setting with its headline score, few-shot seeds averaged.

    A cell that failed or never ran is empty, and then its row has no average either: a mean over the tasks that
    happened to finish is not comparable with a mean over all of them. Metrics without a chance level stay out of the
    average.

    Args:
        results: in any order; headers are enough.
        failures: their models get a row even when nothing succeeded.
    """
    scores, metrics = _headlines(results, failures)
    rows = [[*row, _average(values, metrics), *(values.get(c) for c in metrics)] for row, values in scores.items()]
    table = pd.DataFrame(rows, columns=[*MODEL_COLUMNS, AVERAGE, *metrics])
    return table.astype({"params": "Int64", **dict.fromkeys((AVERAGE, *metrics), "Float64")})


def centred(results: Iterable[CellResult], failures: Iterable[CellFailure] = ()) -> pd.DataFrame:
    """Chance-centred headline scores: one row per model (the index), one column per setting, missing where none is."""
    scores, metrics = _headlines(results, failures)
    rows = [
        [None if name not in values else normalised(values[name], metric) for name, metric in metrics.items()]
        for values in scores.values()
    ]
    index = pd.Index(_row_names(list(scores)), name="model")
    return pd.DataFrame(rows, index=index, columns=list(metrics)).astype("Float64")


def to_csv(table: pd.DataFrame) -> str:
    """Comma-separated, full precision, missing values empty, one line feed per row on every system."""
    return table.to_csv(index=False, lineterminator="\n")


def to_json(table: pd.DataFrame) -> str:
    """A JSON list of one object per row, full precision, missing values null."""
    # Not pandas' own writer: it keeps 15 digits at most, and 17 are needed to read back the same number.
    rows = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def to_markdown(table: pd.DataFrame) -> str:
    """A Markdown table with scores rounded to three decimals."""
    names = [str(name) for name in table.columns]
    lines = [_line(names), _line(["---"] * len(names))]
    lines += [_line([_text(value) for value in row]) for row in table.itertuples(index=False, name=None)]
    return "\n".join(lines) + "\n"


def across(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a wide table turned round, for a terminal: a line per setting, a column per model."""
    head = ["", *(str(name) for name in table["model"])]
    shown = ["params", AVERAGE, *(name for name in table.columns if name not in (*MODEL_COLUMNS, AVERAGE))]
    return head, [[str(name), *(_text(value) for value in table[name])] for name in shown]


class _Row(NamedTuple):
    """A model as it was run: the key of a row in the wide table, in the order of `MODEL_COLUMNS`."""

    family: str
    model: str
    revision: str
    variant: str | None
    params: int
    engine: str
    dtype: str

    @classmethod
    def of(cls, cell: Cell) -> _Row:
        m = cell.model
        return cls(m.family, m.name, m.revision, m.variant, m.params, cell.engine, m.dtype)

    @property
    def place(self) -> tuple[str, int, str, str, str, str, str]:
        """Family by family, ascending by size."""
        return (self.family, self.params, self.model, self.variant or "", self.revision, self.engine, self.dtype)


def _headlines(
    results: Iterable[CellResult], failures: Iterable[CellFailure]
) -> tuple[dict[_Row, dict[str, float]], dict[str, MetricSpec]]:
    """Rows with the headline score of each of their settings over its seeds; and the columns with their metrics."""
    done = sorted(results, key=lambda r: (r.cell.suite, r.cell.task, r.cell.prompt, r.cell.shots, r.cell.seed))
    grouped: dict[tuple[_Row, str], list[CellResult]] = {}
    metrics: dict[str, MetricSpec] = {}
    versions: dict[str, set[str]] = {}
    for result in done:
        versions.setdefault(result.cell.task, set()).add(result.cell.task_digest)
    for result in done:
        column = _column(result.cell, several_versions=len(versions[result.cell.task]) > 1)
        metrics[column] = result.cell.metrics[0]
        grouped.setdefault((_Row.of(result.cell), column), []).append(result)
    scores: dict[_Row, dict[str, float]] = {_Row.of(f.cell): {} for f in failures}
    for (row, column), seeds in grouped.items():
        found = [s for r in seeds for s in r.scores if s.metric == metrics[column].name]
        if found:
            scores.setdefault(row, {})[column] = estimate(found, metrics[column]).value
    return dict(sorted(scores.items(), key=lambda item: item[0].place)), metrics


def _row_names(rows: Sequence[_Row]) -> list[str]:
    """Model names; with variant, revision, engine and dtype where the name alone is not unique."""
    names = [row.model for row in rows]
    if len(set(names)) == len(names):
        return names
    return [" ".join(filter(None, (r.model, r.variant, r.revision[:12], r.engine, r.dtype))) for r in rows]


def _column(cell: Cell, *, several_versions: bool) -> str:
    """Task, shots and headline metric; with the digest when the results hold several versions of the task."""
    parts = [cell.task, f"{cell.shots}-shot"]
    parts += [cell.prompt] if cell.prompt != "default" else []
    parts += [f"first {cell.limit}"] if cell.limit is not None else []
    parts += [cell.task_digest] if several_versions else []
    return f"{' '.join(parts)} ({cell.metrics[0].name})"


def _average(values: dict[str, float], metrics: dict[str, MetricSpec]) -> float | None:
    """Mean of the chance-centred scores; None unless every column that can be centred has a score."""
    wanted = [name for name, metric in metrics.items() if normalised(0.0, metric) is not None]
    centred = [normalised(values[name], metrics[name]) for name in wanted if name in values]
    found = [value for value in centred if value is not None]
    return sum(found) / len(found) if found and len(found) == len(wanted) else None


def _text(value: object) -> str:
    if value is None or value is pd.NA:
        return ""
    return score(value) if isinstance(value, float) else str(value)


def _line(values: Iterable[str]) -> str:
    return "| " + " | ".join(v.replace("|", "\\|").replace("\n", " ") for v in values) + " |"
