"""Tables as people publish them, brought into the columns that `table_curves` reads; each change is said.

Other names of columns, sizes such as 7B, scores in percent, `acc,none`, and a column per task. What could be meant in
two ways is left as it is, and refused later with the name of the column that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from harness.analysis.curves.scale import SCALES
from harness.analysis.curves.table.columns import CONDITION_COLUMNS, TEXT_COLUMNS
from harness.errors import TableError, unknown
from harness.plausible import SMOOTH, UNBOUNDED, words_of
from harness.wording import counted, cut, quantity, quoted

OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "family": ("model_family", "series"),
    "model": ("model_name", "fullname"),
    "params": ("parameters", "n_params", "num_params", "num_parameters", "model_size", "size"),
    "tokens": ("training_tokens", "train_tokens", "n_tokens", "num_tokens"),
    "task": ("task_name", "benchmark", "dataset"),
    "metric": ("metric_name",),
    "value": ("score", "result"),
    "stderr": ("std_err", "standard_error", "se"),
    "n_shot": ("num_fewshot", "n_shots", "num_shots", "nshot", "fewshot"),
    "n": ("n_samples", "num_samples", "n_documents"),
}
"""Our columns -> other names that mean nothing else, lower case and with underscores."""
KNOWN = frozenset(
    (
        *OTHER_NAMES,
        *SCALES,
        *TEXT_COLUMNS,
        *CONDITION_COLUMNS,
        *("k", "n_items", "shots", "chance", "best", "higher_is_better", "continuous", "seed", "suite", "kind"),
        *("status", "n_expected", "n_truncated", "date", "metric_rank", "key", "source"),
    )
)
"""Every column that a table may have."""
_SIZES = ("params", "params_non_embedding", "params_active", "tokens", "flops")
_UNIT = re.compile(r"#?(?P<name>params|parameters|tokens)_*\(?(?P<unit>[kmbt])\)?", re.IGNORECASE)
"""A size in thousands, millions, billions or trillions, such as `#Params (B)`."""
_POWERS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_MEANS = frozenset("average avg mean mean_normalized".split())
"""First word of columns that are means over others."""
_NO_SCORES = frozenset("unnamed index id no nr rank step steps epoch checkpoint layers likes downloads year".split())
"""First word of columns of numbers that are no scores; that of an index without a name is called `Unnamed`."""
_METRICS = (
    r"acc|acc_norm|accuracy|exact_match|em|f1|bleu|rouge\w*|pass@\d+|mcc|mc[12]|brier\w*|\w*perplexity|bits_per_byte"
)
_TASK = re.compile(
    r"(?P<task>.*?)(?:[\s(_-]+(?P<shots>\d+)[\s-]?shots?\)?)?"
    rf"(?:\s*[/|]\s*(?P<metric>[\w,+@-]+)|(?:\.|\s*\()(?P<known>(?:{_METRICS})(?:,[\w-]+)?)\)?)?",
    re.DOTALL,
)
"""Head of a column with the scores of a task, such as `arc_easy`, `arc_easy (5-shot)` and `arc_easy/acc_norm`; a metric
may also stand behind a point or in brackets, if it is a known one."""
_GAPS = frozenset(("-", "\u2013", "\u2014", "n/a", "N/A", "NA", "nan", "NaN"))
"""What stands in a column of scores where there is none."""
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")
"""A whole number with commas between its thousands."""
UNNAMED_METRIC = "score"
"""Metric of a column that names none."""


class Read(NamedTuple):
    """A table in our columns."""

    frame: pd.DataFrame
    """The table."""
    sentences: tuple[str, ...]
    """What was changed, a sentence each."""


def in_our_columns(frame: pd.DataFrame, source: str, told: Mapping[str, str] | None = None) -> Read:
    """The table in the columns that `table_curves` reads.

    Args:
        frame: the table.
        source: its name in messages.
        told: our column -> the table's column that is meant by it, or else a value for all rows.

    Raises:
        TableError: a column that was told does not exist, or two would get one name.
    """
    said: list[str] = []
    table = _named(_told(frame, source, told or {}, said), said)
    if "model" in table and not {"task", "metric", "value", "k"} & {*table.columns}:
        table = _long(table, said)
    for name in _SIZES:
        if name in table:
            table[name] = _sizes(table[name], name, said)
    if "metric" in table:
        table["metric"] = table["metric"].map(_without_filter, na_action="ignore")
    for name in ("value", "stderr"):
        if name in table:
            table[name] = _percent_signs(table[name], name, said)
    return Read(_shares(table, said), tuple(said))


def _told(frame: pd.DataFrame, source: str, told: Mapping[str, str], said: list[str]) -> pd.DataFrame:
    table = frame.copy(deep=False)
    for ours, theirs in told.items():
        if ours not in KNOWN:
            raise TableError(f"--columns {cut(ours)}={cut(theirs)}: {unknown('column', ours, sorted(KNOWN))}")
        if theirs in table.columns:
            if ours in table.columns and ours != theirs:
                table = table.drop(columns=[ours])
            table = table.rename(columns={theirs: ours})
        elif ours in _NAMES or quantity(theirs) is not None:
            table[ours] = theirs
            said.append(f"{ours} is {quoted(theirs)} in every row")
        else:
            has = cut(", ".join(map(str, frame.columns)), 2000)
            raise TableError(f"{source}: --columns {ours}={cut(theirs)}: no such column; it has {has}")
    return table


_NAMES = frozenset({"family", "model", "task", "metric", *TEXT_COLUMNS})
"""Columns that a word can be the value of."""


def _named(table: pd.DataFrame, said: list[str]) -> pd.DataFrame:
    """The table with our names for columns that are called otherwise, where each is one and no other."""
    plain = {column: re.sub(r"[\s.-]+", "_", str(column).strip().strip("\ufeff")).lower() for column in table.columns}
    renamed: dict[Any, str] = {}
    for ours, others in {**dict.fromkeys(KNOWN, ()), **OTHER_NAMES}.items():
        if ours in table.columns:
            continue
        for wanted in (ours, *others):
            found = [column for column, name in plain.items() if name == wanted and column not in KNOWN]
            if len(found) == 1:
                renamed[found[0]] = ours
                break
    for column, name in plain.items():
        unit = _UNIT.fullmatch(name)
        ours = "" if unit is None else {"parameters": "params"}.get(unit["name"].lower(), unit["name"].lower())
        if unit is not None and ours not in (*table.columns, *renamed.values()):
            table[column] = pd.to_numeric(table[column], errors="coerce") * _POWERS[unit["unit"].lower()]
            renamed[column] = ours
    if new := [column for column in table.columns if column in renamed and plain[column] != renamed[column]]:
        said.append("columns read: " + ", ".join(f"{column} as {renamed[column]}" for column in new))
    return table.rename(columns=renamed)


def _long(table: pd.DataFrame, said: list[str]) -> pd.DataFrame:
    """A row per score, from a table with a row per model and a column per task."""
    known = [column for column in table.columns if column in KNOWN]
    scores: dict[Any, pd.Series] = {}
    left: list[str] = []
    for column in table.columns:
        if column in known:
            continue
        numbers = _numbers(table[column])
        first_word = re.split(r"[^a-z_]+", str(column).strip().lower())[0]
        is_headless = not str(column).strip("# ")
        if numbers is None or is_headless or first_word in _MEANS | _NO_SCORES:
            left.append(str(column))
        else:
            scores[column] = numbers
    if not scores:
        return table
    parts = [_rows_of(table[known], str(column), values) for column, values in scores.items()]
    said.append(f"a row per model and a column per task: {counted(len(scores), 'task')}")
    if left:
        said.append(f"columns left out: {cut(', '.join(left))}")
    return pd.concat(parts, ignore_index=True)


def _rows_of(known: pd.DataFrame, head: str, values: pd.Series) -> pd.DataFrame:
    found = _TASK.fullmatch(head.strip())
    assert found is not None  # the first part of the pattern takes any text
    metric = found["metric"] or found["known"] or UNNAMED_METRIC
    rows = known.assign(task=found["task"].strip() or head, metric=metric, value=values)
    if found["shots"] is not None:
        rows["n_shot"] = int(found["shots"])
    return rows[values.notna()]


def _numbers(column: pd.Series) -> pd.Series | None:
    """The numbers of a column of scores, shares for percentages; None when something else stands in it."""
    if column.dtype.kind in "iuf":
        return column.astype(float) if column.notna().any() else None
    text = column.astype("string").str.strip()
    text = text.where(~text.isin(_GAPS), "")
    signs = text.str.endswith("%").fillna(False)
    numbers = pd.to_numeric(text.str.rstrip("% "), errors="coerce").astype(float)
    empty = text.fillna("") == ""
    if (numbers.isna() & ~empty).any() or empty.all():
        return None
    return numbers.where(~signs.astype(bool), numbers / 100)


def _sizes(column: pd.Series, name: str, said: list[str]) -> pd.Series:
    """The numbers of a column of sizes, some of which are written as 7B."""
    if column.dtype.kind in "iuf":
        return column
    text = column.astype("string")
    numbers = pd.to_numeric(text, errors="coerce")
    short = text[numbers.isna() & (text.fillna("").str.strip() != "")]
    read = {value: number for value in short.unique() if (number := _size(value)) is not None}
    if not read:
        return column
    first = next(value for value in short if value in read)
    said.append(f"{name} written in short: {quoted(first)} is {read[first]:,.0f}")
    sizes = numbers.fillna(text.map(read)).astype(float)
    unread = sizes.isna() & (text.fillna("").str.strip() != "")
    return sizes.astype(object).where(~unread, text.astype(object)) if unread.any() else sizes


def _size(text: str) -> float | None:
    text = text.strip()
    found = quantity(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text)
    return None if found is None else float(found)


def _without_filter(metric: Any) -> Any:
    return metric.removesuffix(",none") if isinstance(metric, str) else metric


def _percent_signs(column: pd.Series, name: str, said: list[str]) -> pd.Series:
    """The column as shares where numbers with a percent sign stand in it."""
    if column.dtype.kind in "iuf" or not column.astype("string").str.strip().str.endswith("%").fillna(False).any():
        return column
    numbers = _numbers(column)
    if numbers is None:
        return column
    said.append(f"{name} with percent signs: read as shares of 1")
    return numbers


def _shares(table: pd.DataFrame, said: list[str]) -> pd.DataFrame:
    """The table with scores of 0 to 1 where metrics that can only be shares are given in percent.

    All scores of such a metric then lie between 0 and 100, and some are above 1.
    """
    if "value" not in table or "metric" not in table or "best" in table or table["value"].dtype.kind not in "iuf":
        return table
    changed, small = list[str](), list[str]()
    values = table["value"].astype(float)
    stderr = table["stderr"].astype(float) if "stderr" in table and table["stderr"].dtype.kind in "iuf" else None
    for metric in table["metric"].dropna().unique():
        of_metric = (table["metric"] == metric).fillna(False).to_numpy(dtype=bool)
        scores = values[of_metric]
        if words_of(str(metric)) & (SMOOTH | UNBOUNDED) or not ((scores > 1).any() and scores.between(0, 100).all()):
            continue
        changed.append(str(metric))
        if "task" in table:
            greatest = scores.groupby(table["task"][of_metric].astype(str)).max()
            small += [task for task, most in greatest.items() if most <= 1]
        values = values.where(~of_metric, values / 100)
        stderr = None if stderr is None else stderr.where(~of_metric, stderr / 100)
    if not changed:
        return table
    also = f"; also those of {cut(', '.join(small))}, of which none is above 1" if small else ""
    said.append(f"scores in percent, read as shares of 1: {cut(', '.join(changed))}{also}")
    table = table.assign(value=values)
    return table if stderr is None else table.assign(stderr=stderr)


def told_columns(texts: Sequence[str], *, known: Collection[str] = KNOWN) -> dict[str, str]:
    """Our column -> the table's, from texts such as `value=score`.

    Raises:
        TableError: a text is none.
    """
    found: dict[str, str] = {}
    for text in texts:
        ours, equals, theirs = text.partition("=")
        if not equals or not ours.strip() or not theirs.strip():
            raise TableError(f"--columns is {quoted(text)}; expected OURS=THEIRS, such as value=score")
        if ours.strip() not in known:
            raise TableError(f"--columns {text}: {unknown('column', ours.strip(), sorted(known))}")
        found[ours.strip()] = theirs.strip()
    return found
