"""`emergence leaderboard`: the scores as a file for other programs and people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.output import print_file, say, table
from harness.cli.plan_options import IncludePath
from harness.cli.result_options import Results
from harness.cli.write import write_text
from harness.errors import HarnessError
from harness.reading import document_reader, read_outcomes
from harness.store import Store
from harness.store.index import collector_off

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from harness.catalog.lm_eval_tasks.groups import TaskGroup
    from harness.records import CellResult

_ENDINGS = {".json": "json", ".md": "markdown", ".txt": "text"}
"""Format of a file by the end of its name, beside CSV."""


def command(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File; stdout unless told.")] = None,
    output_format: Annotated[
        Literal["csv", "markdown", "json", "text"] | None,
        typer.Option(
            "--format",
            help="Format; by the name of the file unless told, and csv on stdout; text is for a terminal: a line per "
            "setting, a column per model, in which the training runs of one size share one.",
        ),
    ] = None,
    profile: Annotated[
        Literal["tidy", "wide", "ranked"],
        typer.Option(
            help="tidy: a row per cell and metric; wide: a row per model, a column per setting; ranked: the places "
            "that each model can hold, its mean with interval, a column per task."
        ),
    ] = "tidy",
    include_path: IncludePath = None,
    results: Results = Path("results"),
) -> None:
    """Export the leaderboard. Numbers that are missing are left empty and are never 0.

    A wide one has a column for each group of lm-eval, such as mmlu, of which every task has a result.

    A ranked one begins with the best. Models that cannot be told apart on the documents that both answered share their
    places, from rank_best to rank_last: all pairs are tested together (Holm), so that all ranges hold with 95 %.
    mean_low and mean_high are the 95 % interval of mean_normalized, in which each task counts once.
    """
    from harness import leaderboard
    from harness.analysis.compare import noise_from
    from harness.kept_ranks import ranks_once

    chosen = output_format or _format_of(output)
    outcomes = read_outcomes(results, say)
    done, failures, _ = outcomes
    if chosen == "text" and profile == "tidy":
        profile = "wide"
    with collector_off():  # a large table is millions of objects
        if profile == "tidy":
            rows = leaderboard.tidy_table(done, failures)
        elif profile == "wide":
            rows = leaderboard.wide_table(done, failures, _groups(done, include_path))
        else:
            store = Store(results)
            rows = leaderboard.ranked_table(
                done,
                failures,
                documents=document_reader(store, say),
                noise=noise_from(done),
                rank=ranks_once(store, outcomes),
            )
    if profile != "tidy" and (left_out := leaderboard.left_out(done, failures)):
        say(left_out)
    write = {"text": _text, "csv": leaderboard.to_csv, "markdown": leaderboard.to_markdown, "json": leaderboard.to_json}
    with collector_off():
        text = write[chosen](rows)
    if output is None:
        print_file(text)
        return
    write_text(output, text)
    say(f"{len(rows)} rows written to {output}")


def _groups(done: Sequence[CellResult], include_path: Sequence[Path] | None) -> Sequence[TaskGroup]:
    """Groups of lm-eval and of the user's folders of which all tasks have results."""
    from harness.catalog import load_catalog, own_suites

    if not include_path and {result.cell.suite for result in done} <= own_suites():
        return ()  # nothing of lm-eval's, so that its tasks need not be looked up
    return load_catalog(tuple(include_path or ())).others.groups_of({result.cell.task for result in done})


def _format_of(output: Path | None) -> str:
    """The format that the name of the file tells.

    Raises:
        HarnessError: it tells none.
    """
    if output is None or not output.name or output.suffix.lower() == ".csv":
        return "csv"
    if (known := _ENDINGS.get(output.suffix.lower())) is None:
        raise HarnessError(f"{output}: expected a file named .csv, {', '.join(_ENDINGS)}, or a --format")
    return known


def _text(rows: pd.DataFrame) -> str:
    from harness.leaderboard import RANK_COLUMNS, across, as_text

    return table(*(as_text(rows) if RANK_COLUMNS[0] in rows else across(rows))) + "\n"
