"""`emergence law`: a published law, fitted to the scores of a table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.option_groups import Drawing, with_groups
from harness.cli.option_values import split
from harness.cli.output import print_json, print_line, print_paragraph, say, table
from harness.cli.result_options import Json, TableColumns, TaskChoice
from harness.errors import PlanError, TableError, unknown
from harness.wording import number, quantity


@with_groups
def command(
    *,
    name: Annotated[str | None, typer.Argument(help="Which law; all are listed unless told.")] = None,
    table_file: Annotated[
        Path | None,
        typer.Option("--table", help="CSV or Parquet file: model, task, metric, value, and what the law needs."),
    ] = None,
    columns: TableColumns = None,
    task: TaskChoice = None,
    metric: Annotated[str | None, typer.Option(help="Only this metric; all but continuous ones unless told.")] = None,
    loss_from: Annotated[
        str | None,
        typer.Option(
            "--loss-from",
            help="Metric whose value is the loss of a model, in place of the column: METRIC of the same task, or "
            "TASK:METRIC.",
        ),
    ] = None,
    chance: Annotated[
        float | None, typer.Option("--chance", help="Score without the ability, where the table has no column chance.")
    ] = None,
    marked: Annotated[
        str | None, typer.Option("--marked", help="Column that is true for models exposed to the task (exposure).")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="Task to foretell (observational).")] = None,
    components: Annotated[
        int, typer.Option("--components", min=1, help="Principal components that foretell it (observational).")
    ] = 2,
    cut: Annotated[
        str | None, typer.Option("--cut", help="Training FLOPs up to which models are fitted (observational).")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="Parameters and training tokens to predict for: 13B,5T (two-step).")
    ] = None,
    until: Annotated[
        int | None,
        typer.Option("--until", min=2, help="Successes at which the sampling of a document stopped (pass-until)."),
    ] = None,
    groups: Annotated[int, typer.Option("--groups", min=2, help="Groups of documents (difficulty).")] = 3,
    drawing: Drawing,
    as_json: Json = False,
) -> None:
    """Fit a published law to the scores of a table; without a name, show which there are and what each needs."""
    from harness.analysis.curves.table import told_columns
    from harness.lawbook import BOOK, Choice, fitted
    from harness.reading import read_table

    if name is None:
        _show_laws(as_json=as_json)
        return
    if name not in BOOK:
        raise PlanError(unknown("law", name, BOOK))
    if table_file is None:
        raise TableError(f"a law is fitted to a table: --table FILE; {name} needs {BOOK[name].needs}")
    drawing.check()
    choice = Choice(
        tasks=split(task),
        metric=metric,
        chance=chance,
        loss_from=loss_from,
        marked=marked,
        target=target,
        components=components,
        cut=None if cut is None else _amount("--cut", cut),
        at=None if at is None else _sizes(at),
        until=until,
        groups=groups,
    )
    found = fitted(name, read_table(table_file, told_columns(split(columns)), say), choice, str(table_file))
    if drawing.figure is not None:
        from harness.figures import law_figure

        drawing.write([law_figure(picture) for picture in found.pictures], f"The law {name}")
    if as_json:
        print_json([{key: _plain(value) for key, value in row.items()} for row in found.rows])
        return
    head = [key for key in found.rows[0] if any(row[key] is not None for row in found.rows)]
    print(table(head, [[_cell(row[key]) for key in head] for row in found.rows], fold=("refusal",)))
    for note in found.notes:
        say(note)


def _show_laws(*, as_json: bool) -> None:
    from harness.lawbook import BOOK

    if as_json:
        rows = [{"law": name, "says": one.says, "needs": one.needs, "source": one.source} for name, one in BOOK.items()]
        print_json(rows)
        return
    for name, one in BOOK.items():
        print_line(name)
        print_paragraph(f"    {one.says}. Needs {one.needs}. {one.source}.")


def _amount(option: str, text: str) -> float:
    found = quantity(text)
    if found is None or not found > 0:
        raise PlanError(f"{option} {text}: expected a number above 0, such as 7e9, 7B or 8.4e22")
    return float(found)


def _sizes(text: str) -> tuple[float, float]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2:
        raise PlanError(f"--at {text}: expected parameters and tokens, such as 13B,5T")
    return _amount("--at", parts[0]), _amount("--at", parts[1])


def _plain(value: Any) -> Any:
    """The value as JSON has it: None where a number does not exist."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> object:
    return number(value) if isinstance(value, float) else value
