"""`emergence energy`: watt hours and CO2 of cells, points, models and treatments, and what a score takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.option_groups import Choices, Drawing, Printing, with_groups
from harness.cli.output import print_file, print_json, print_paragraph, say, table, telling
from harness.cli.result_options import ModelChoice, Results
from harness.cli.write import csv_text
from harness.errors import PlanError
from harness.reading import read_outcomes
from harness.wording import carbon, counted, energy, number, percent, score

if TYPE_CHECKING:
    from harness.analysis.costs import CostGroup, CostRow, Electricity

_NAMES = ("family", "model", "variant", "run", "params", "task", "shots", "prompt", "key")
_COLUMNS = (
    *_NAMES,
    "cells",
    "documents",
    "energy_wh",
    "energy_measured_wh",
    "energy_documents",
    "wh_per_1000_documents",
    "co2_g",
    "making_seconds",
    "making_wh",
    "making_co2_g",
    "settings",
    "score",
    "score_stderr",
    "score_per_kwh",
    "region",
    "g_per_kwh",
)
By = Annotated[
    Literal["cell", "point", "model", "treatment"],
    typer.Option("--by", help="What a row is: a cell, a point of a curve, a model with its variant, or a treatment."),
]


@with_groups
def command(
    *,
    by: By = "model",
    chosen: Choices,
    model: ModelChoice = None,
    region: Annotated[
        str | None,
        typer.Option("--region", help="Country whose electricity it is, such as DEU; the world unless told."),
    ] = None,
    g_per_kwh: Annotated[
        float | None, typer.Option("--g-per-kwh", min=0.0, max=5000.0, help="Grams of CO2 per kWh of your own instead.")
    ] = None,
    watts: Annotated[
        float | None,
        typer.Option(
            "--watts",
            min=0.001,
            max=1e7,
            help="Power from which the energy of cells without one is estimated: their time multiplied.",
        ),
    ] = None,
    printing: Printing,
    drawing: Drawing,
    results: Results = Path("results"),
) -> None:
    """Show watt hours and CO2, what of them was measured, and the score for each kilowatt hour.

    `emergence run --energy` records energy. The score is the mean way from chance (0) to perfect (1) over the settings
    that all rows of a family have; score per kWh divides it by what a thousand answers take. Making a model ready is
    loading it, with rounding, pruning or training.
    """
    from harness.analysis.costs import cost_rows, electricity_of

    drawing.check()
    if region is not None and g_per_kwh is not None:
        raise PlanError("--region and --g-per-kwh: expected one of them")
    electricity = electricity_of(region, g_per_kwh)
    done = chosen.results(read_outcomes(results, say).results, model)
    rows = cost_rows(done, by, watts=watts)
    known = sum(one.provenance.energy_wh is not None for one in done)
    if not known and watts is None:
        raise PlanError("no cell has its energy: record it by `emergence run --energy`, or estimate it with --watts")
    if drawing.figure is not None:
        from harness.figures import efficiency_figure

        drawn = rows if by == "model" else cost_rows(done, "model", watts=watts)
        drawing.write([efficiency_figure(drawn)], "Score for each kilowatt hour")
    if printing.form == "json":
        print_json([_object(row, electricity) for row in rows])
    elif printing.form == "csv":
        print_file(csv_text(_COLUMNS, [_object(row, electricity) for row in rows]))
    else:
        _show(rows, electricity, by)
        _say_basis(rows, electricity, known, len(done), watts)


def _object(row: CostRow, electricity: Electricity) -> dict[str, object]:
    return {
        **{name: getattr(row, name) for name in _NAMES},
        "cells": row.cells,
        "documents": row.documents,
        "energy_wh": row.energy_wh,
        "energy_measured_wh": row.measured_wh,
        "energy_documents": row.energy_documents,
        "wh_per_1000_documents": row.wh_per_1000,
        "co2_g": None if row.energy_wh is None else electricity.grams(row.energy_wh),
        "making_seconds": row.making_seconds,
        "making_wh": row.making_wh,
        "making_co2_g": None if row.making_wh is None else electricity.grams(row.making_wh),
        "settings": row.settings,
        "score": row.score,
        "score_stderr": row.score_stderr,
        "score_per_kwh": row.score_per_kwh,
        "region": electricity.code,
        "g_per_kwh": electricity.g_per_kwh,
    }


_NAMES_OF = {
    "cell": ("family", "model", "variant", "run", "task", "shots", "prompt", "key"),
    "point": ("family", "model", "variant", "task", "shots", "prompt"),
    "model": ("family", "model", "variant", "run"),
    "treatment": ("family", "variant"),
}
"""What a row is -> the columns that name it."""


def _show(rows: Sequence[CostRow], electricity: Electricity, by: CostGroup) -> None:
    names = _NAMES_OF[by]
    head = (*names, "cells", "energy", "measured", "CO2", "per 1,000", "making", "score", "per kWh")
    lines = [
        (
            *(getattr(row, name) or ("plain" if name == "variant" else getattr(row, name)) for name in names),
            row.cells,
            None if row.energy_wh is None else energy(row.energy_wh),
            None if row.measured_wh is None or not row.energy_wh else percent(row.measured_wh / row.energy_wh),
            None if row.energy_wh is None else carbon(electricity.grams(row.energy_wh)),
            None if row.wh_per_1000 is None else energy(row.wh_per_1000),
            None if row.making_wh is None else energy(row.making_wh),
            None if row.score is None else score(row.score),
            None if row.score_per_kwh is None else number(row.score_per_kwh),
        )
        for row in rows
    ]
    print(table(*telling(head, lines, names)))


def _say_basis(rows: Sequence[CostRow], electricity: Electricity, known: int, cells: int, watts: float | None) -> None:
    """What was measured and what estimated, where the CO2 comes from, and what the score is of."""
    print()
    total = sum(row.energy_wh or 0.0 for row in rows)
    measured = [row.measured_wh for row in rows if row.energy_wh is not None]
    parts = [f"{energy(total)} in all, {carbon(electricity.grams(total))}: {electricity.label}."]
    if known:
        told = [one for one in measured if one is not None]
        sure = len(told) == len(measured) and total > 0
        share = f"; counters (RAPL, NVML) gave {percent(sum(told) / total)} of it" if sure else ""
        parts.append(f"Energy was recorded for {known} of {counted(cells, 'cell')}{share}; the rest is an estimate.")
    if watts is not None and known < cells:
        parts.append(f"That of {counted(cells - known, 'cell')} is estimated: time × {number(watts)} W.")
    settings = {row.settings for row in rows if row.settings}
    if settings:
        parts.append(f"Score: mean way from chance to perfect over {number(max(settings))} shared settings.")
    print_paragraph(" ".join(parts))
