"""`emergence curves`: one row per point of every curve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import (
    FamilyChoice,
    FigureFile,
    Json,
    ResultsOrTable,
    ScaleAxis,
    ShotChoice,
    Table,
    TableColumns,
    TaskChoice,
    split,
    whole_numbers,
)
from harness.cli.output import print_json, table, telling
from harness.cli.read import choose, given_curves
from harness.cli.write import write_figures
from harness.wording import number, score

if TYPE_CHECKING:
    from harness.analysis.curves import Curve


def command(
    results: ResultsOrTable = None,
    table_file: Table = None,
    columns: TableColumns = None,
    scale: ScaleAxis = "params",
    family: FamilyChoice = None,
    task: TaskChoice = None,
    shots: ShotChoice = None,
    metric: Annotated[str, typer.Option(help="`all`, the `headline` of each task, or the name of a metric.")] = "all",
    figure: FigureFile = None,
    as_json: Json = False,
) -> None:
    """Show every metric over the sizes of each family, with 95 % intervals."""
    from harness.analysis.curves.frame import point_rows

    drawn = given_curves(results, table_file, scale, columns=split(columns))
    chosen = choose(
        drawn, families=split(family), tasks=split(task), shots=whole_numbers(shots, "--shots"), metric=metric
    )
    if figure is not None:
        write_figures(figure, list(_figures(chosen)), "Curves over scale")
    rows = point_rows(chosen)
    if as_json:
        print_json(rows)
        return
    head = [name for name in (rows[0] if rows else {"family": None}) if name != "scale"]
    shown = telling(head, [[_text(name, row[name]) for name in head] for row in rows], ("conditions", "runs"))
    print(table(*shown))


def _figures(chosen: Sequence[Curve]) -> Iterable[Any]:
    """One figure for every metric of a task, with all its families and settings."""
    from harness.analysis.verdict import CurveRow
    from harness.figures import curve_figure

    groups: dict[tuple[str, str, int, str], list[CurveRow]] = {}
    for curve in chosen:
        groups.setdefault((curve.suite, curve.task, curve.rank, curve.metric.name), []).append(CurveRow(curve=curve))
    return (curve_figure(groups[name]) for name in sorted(groups))


def _text(name: str, value: object) -> object:
    if name == "x" and isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        return len(value)
    return score(value) if isinstance(value, float) else value
