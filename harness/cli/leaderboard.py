"""`emergence leaderboard`: the numbers as a file for others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.options import Results
from harness.cli.output import say
from harness.cli.read import read_store
from harness.cli.write import write_text


def command(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File.  [default: stdout]")] = None,
    output_format: Annotated[Literal["csv", "markdown", "json"], typer.Option("--format", help="Format.")] = "csv",
    profile: Annotated[
        Literal["tidy", "wide"], typer.Option(help="tidy: a row per cell and metric; wide: a row per model.")
    ] = "tidy",
    results: Results = Path("results"),
) -> None:
    """Export the leaderboard. Missing numbers are empty, never 0."""
    from harness import leaderboard

    done, failures, _ = read_store(results)
    rows = leaderboard.tidy(done, failures) if profile == "tidy" else leaderboard.wide(done, failures)
    write = {"csv": leaderboard.to_csv, "markdown": leaderboard.to_markdown, "json": leaderboard.to_json}
    text = write[output_format](rows)
    if output is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    write_text(output, text)
    say(f"{len(rows)} rows written to {output}")
