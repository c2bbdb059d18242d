"""Options of verbs that present results: what is read and chosen, and how it is shown.

Each means the same in every verb.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.option_panels import STORED

Results = Annotated[
    Path, typer.Option("--results", help="Folder of the results.", show_default=True, rich_help_panel=STORED)
]
ResultsOrTable = Annotated[
    Path | None, typer.Option("--results", help="Folder of the results; `results` unless told, or --table is given.")
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--table",
        help="CSV or Parquet file with anybody's results instead: columns family, model, params (or flops, tokens, "
        "loss), task, metric, n_shot, and k and n, or value and stderr.",
    ),
]
TableColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        help="Columns of the table that are called otherwise, or a value for all its rows: value=score,params=size,"
        "n_shot=0.",
    ),
]
ScaleAxis = Annotated[
    Literal["params", "params_non_embedding", "params_active", "flops", "tokens", "loss"],
    typer.Option(
        help="The axis of scale: parameters in all, outside the embeddings or used per token; compute, tokens or loss."
    ),
]
FamilyChoice = Annotated[list[str] | None, typer.Option("--family", help="Only these families.")]
TaskChoice = Annotated[list[str] | None, typer.Option("--task", "--tasks", help="Only these tasks.")]
ShotChoice = Annotated[list[str] | None, typer.Option("--shots", "--num-fewshot", help="Only these shot counts.")]
ModelChoice = Annotated[list[str] | None, typer.Option("--model", help="Only these models.")]
CompareWith = Annotated[
    list[Path] | None,
    typer.Option(
        "--compare-with",
        help="Results of others to draw beside: a results folder, also of imported results, or a table as --table "
        "takes it. What is comparable joins curves and verdicts, the rest is drawn alone. Can be repeated.",
    ),
]
FigureFile = Annotated[
    Path | None,
    typer.Option(
        "--figure",
        help="Draw figures into this file too: an .html page works offline; .svg, .png and .pdf are one picture.",
    ),
]
PictureWidth = Annotated[
    str | None,
    typer.Option(
        "--width",
        help="Width of that picture in a paper, such as 3.3in, 84mm or 600px. All its letters have one size then, and "
        "its caption goes to stderr.",
    ),
]
PictureFont = Annotated[
    float | None, typer.Option("--font", help="Size of these letters in points; 8 unless told.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
