"""`emergence leaderboard`: the numbers as a file for others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import Results
from harness.cli.output import print_file, say, table
from harness.cli.write import write_text
from harness.reading import read_outcomes

if TYPE_CHECKING:
    import pandas as pd


def command(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File; stdout unless told.")] = None,
    output_format: Annotated[
        Literal["csv", "markdown", "json", "text"],
        typer.Option("--format", help="Format; text is for a terminal: a line per setting, a column per model."),
    ] = "csv",
    profile: Annotated[
        Literal["tidy", "wide"], typer.Option(help="tidy: a row per cell and metric; wide: a row per model.")
    ] = "tidy",
    results: Results = Path("results"),
) -> None:
    """Export the leaderboard. Missing numbers are empty, never 0."""
    from harness import leaderboard

    done, failures, _ = read_outcomes(results, say)
    if output_format == "text":
        profile = "wide"
    rows = leaderboard.tidy_table(done, failures) if profile == "tidy" else leaderboard.wide_table(done, failures)
    if profile == "wide" and (left_out := leaderboard.left_out(done, failures)):
        say(left_out)
    write = {"text": _text, "csv": leaderboard.to_csv, "markdown": leaderboard.to_markdown, "json": leaderboard.to_json}
    text = write[output_format](rows)
    if output is None:
        print_file(text)
        return
    write_text(output, text)
    say(f"{len(rows)} rows written to {output}")


def _text(rows: pd.DataFrame) -> str:
    from harness.leaderboard import across

    return table(*across(rows)) + "\n"
