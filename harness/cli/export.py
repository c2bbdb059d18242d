"""`emergence export`: results in the forms of other programs, and tables for papers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from harness.cli import options as opt
from harness.cli.output import print_file, say
from harness.cli.write import write_bytes, write_text
from harness.errors import HarnessError, PlanError, unknown
from harness.exchange.formats import WRITERS
from harness.reading import read_outcomes
from harness.store import Store
from harness.wording import counted

if TYPE_CHECKING:
    from harness.records import CellResult

_PAPERS = ("latex", "markdown")
"""Formats of tables for papers."""
_HELP = "; ".join([*(f"{name}: {one.about}" for name, one in WRITERS.items()), f"{', '.join(_PAPERS)}: a table."])


class _Paper(NamedTuple):
    """A table for a paper."""

    head: list[str]
    """Names of the columns."""
    rows: list[list[str]]
    """Cells as people read them."""
    caption: str
    """What it shows."""


def command(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help=_HELP)],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder, or file for a format that is one file: stdout unless told."),
    ] = None,
    table: Annotated[
        Literal["leaderboard", "verdicts"], typer.Option(help="Which table, for latex and markdown.")
    ] = "leaderboard",
    family: opt.FamilyChoice = None,
    task: opt.TaskChoice = None,
    results: opt.Results = Path("results"),
) -> None:
    """Write results as other programs read them, or as a table for a paper."""
    if form not in (*WRITERS, *_PAPERS):
        raise PlanError(unknown("format", form, (*WRITERS, *_PAPERS)))
    done = read_outcomes(results, say).results
    families, tasks = opt.split(family), opt.split(task)
    chosen = [
        one
        for one in done
        if (not families or one.cell.model.family in families) and (not tasks or one.cell.task in tasks)
    ]
    if not chosen:
        raise HarnessError(f"{results}: nothing to export: no result of these families and tasks")
    if form in WRITERS:
        _write(form, chosen, Store(results), output)
        return
    paper = _verdicts(chosen) if table == "verdicts" else _leaderboard(chosen)
    text = _latex(paper) if form == "latex" else _markdown(paper)
    if output is None:
        print_file(text)
    else:
        write_text(output, text)
        say(f"{counted(len(paper.rows), 'row')} written to {output}")


def _write(form: str, chosen: list[CellResult], store: Store, output: Path | None) -> None:
    writer = WRITERS[form]
    if writer.is_folder and output is None:
        raise PlanError(f"{form} has several files: expected --output FOLDER")
    number = 0
    for file in writer.load()(chosen, store):
        number += 1
        if output is None:
            print_file(file.content.decode())
        else:
            write_bytes(output / file.path if writer.is_folder else output, file.content)
    if output is not None:
        where = f"{counted(number, 'file')} in {output}" if writer.is_folder else str(output)
        say(f"{counted(len(chosen), 'cell')} written to {where}")


def _leaderboard(chosen: list[CellResult]) -> _Paper:
    from harness import leaderboard

    head, rows = leaderboard.across(leaderboard.wide_table(chosen))
    caption = "Headline score of each model in each setting, and the mean of those centred on chance."
    return _Paper(["setting", *head[1:]], rows, caption)


def _verdicts(chosen: list[CellResult]) -> _Paper:
    from harness.analysis.curves import curves
    from harness.analysis.verdict import judge
    from harness.cli.verdicts import VERDICT_HEAD, verdict_cells

    rows = [["" if cell is None else str(cell) for cell in verdict_cells(row)] for row in judge(curves(chosen))]
    return _Paper(list(VERDICT_HEAD), rows, "What each curve over scale shows, with threshold and q.")


def _latex(paper: _Paper) -> str:
    from harness.exchange import latex_table

    return latex_table(paper.head, paper.rows, paper.caption)


def _markdown(paper: _Paper) -> str:
    return "\n".join(_markdown_lines(paper)) + "\n"


def _markdown_lines(paper: _Paper) -> Iterator[str]:
    from harness.wording import markdown

    for row in (paper.head, ["---"] * len(paper.head), *paper.rows):
        yield "| " + " | ".join(text if text == "---" else markdown(text) for text in row) + " |"
