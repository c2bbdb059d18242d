"""`emergence costs`: the score of every model and variant beside its size on disk, memory, time and energy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.option_groups import Choices, Drawing, Printing, with_groups
from harness.cli.output import print_file, print_json, print_paragraph, say, table, telling
from harness.cli.result_options import ModelChoice, Results
from harness.cli.write import csv_text
from harness.reading import read_outcomes
from harness.wording import energy, file_size, number, score

if TYPE_CHECKING:
    from harness.analysis.costs import CostRow

_COLUMNS = (
    "family",
    "model",
    "variant",
    "run",
    "params",
    "cells",
    "documents",
    "settings",
    "score",
    "score_stderr",
    "weight_bytes",
    "memory_bytes",
    "peak_bytes",
    "seconds",
    "seconds_per_document",
    "wh_per_1000_documents",
    "making_seconds",
)


@with_groups
def command(
    *,
    x: Annotated[
        Literal["bytes", "memory", "seconds", "energy"],
        typer.Option(
            "--x",
            help="What the figure draws scores against: bytes of the weights on disk or in memory, "
            "seconds for each document, or watt hours for a thousand.",
        ),
    ] = "bytes",
    chosen: Choices,
    model: ModelChoice = None,
    printing: Printing,
    drawing: Drawing,
    results: Results = Path("results"),
) -> None:
    """Show the score of every model and variant beside size on disk, memory, time and energy.

    The score is the mean way from chance (0) to perfect (1) over the settings that all rows of a family have. Size on
    disk is that of a file that wastes nothing: whole numbers with their scales, or weights that are not zero.
    """
    from harness.analysis.costs import cost_rows

    drawing.check()
    done = chosen.results(read_outcomes(results, say).results, model)
    rows = cost_rows(done, "model")
    if drawing.figure is not None:
        from harness.figures import cost_figure

        drawing.write([cost_figure(rows, x)], "Score and cost")
    if printing.form == "json":
        print_json([_object(row) for row in rows])
    elif printing.form == "csv":
        print_file(csv_text(_COLUMNS, [_object(row) for row in rows]))
    else:
        _show(rows)


def _object(row: CostRow) -> dict[str, object]:
    others = {"wh_per_1000_documents": row.wh_per_1000}
    return {name: others[name] if name in others else getattr(row, name) for name in _COLUMNS}


def _show(rows: Sequence[CostRow]) -> None:
    head = (
        "family",
        "model",
        "variant",
        "run",
        "score",
        "on disk",
        "in memory",
        "GPU",
        "ms/document",
        "Wh/1,000",
        "ready in",
    )
    lines = [
        (
            row.family,
            row.model,
            row.variant or "plain",
            row.run,
            None if row.score is None else score(row.score),
            None if row.weight_bytes is None else file_size(row.weight_bytes),
            None if row.memory_bytes is None else file_size(row.memory_bytes),
            None if row.peak_bytes is None else file_size(row.peak_bytes),
            None if row.seconds_per_document is None else number(1000 * row.seconds_per_document),
            None if row.wh_per_1000 is None else energy(row.wh_per_1000),
            None if row.making_seconds is None else f"{number(row.making_seconds)} s",
        )
        for row in rows
    ]
    print(table(*telling(head, lines, ("family", "variant", "run", "GPU", "Wh/1,000"))))
    settings = {row.settings for row in rows if row.settings}
    if settings:
        print()
        print_paragraph(
            f"Score: mean way from chance to perfect over {number(max(settings))} shared settings. On disk: a file "
            "that wastes nothing, an estimate. Ready in: all loading, with rounding, pruning or training."
        )
