"""`emergence export`: results in the forms of other programs, and tables for papers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from harness.cli.option_values import split
from harness.cli.output import print_file, say
from harness.cli.read import results_of
from harness.cli.result_options import FamilyChoice, Results, TaskChoice
from harness.cli.write import write_bytes, write_text
from harness.errors import HarnessError, PlanError, unknown
from harness.exchange.formats import WRITERS, WriteFormat
from harness.reading import read_outcomes
from harness.store import Store
from harness.wording import counted, cut

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
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="For hf, the data set of a task that is not known: TASK=ORG/NAME or TASK=ORG/NAME:PART."),
    ] = None,
    family: FamilyChoice = None,
    task: TaskChoice = None,
    results: Results = Path("results"),
) -> None:
    """Write results as other programs read them, or as a table for a paper."""
    if form not in (*WRITERS, *_PAPERS):
        raise PlanError(unknown("format", form, (*WRITERS, *_PAPERS)))
    done = read_outcomes(results, say).results
    chosen = results_of(done, split(family), split(task))
    if not chosen:
        raise HarnessError(f"{results}: nothing to export: no result of these families and tasks")
    if form in WRITERS:
        _write(form, chosen, Store(results), output, split(dataset))
        return
    paper = _verdicts(chosen) if table == "verdicts" else _leaderboard(chosen)
    text = _latex(paper) if form == "latex" else _markdown(paper)
    if output is None:
        print_file(text)
    else:
        write_text(output, text)
        say(f"{counted(len(paper.rows), 'row')} written to {output}")


def _write(form: str, chosen: list[CellResult], store: Store, output: Path | None, datasets: Sequence[str]) -> None:
    writer = WRITERS[form]
    if writer.is_folder and output is None:
        raise PlanError(f"{form} has several files: expected --output FOLDER")
    number = 0
    write = _to_hub(chosen, datasets) if form == "hf" else writer.load()
    for file in write(chosen, store):
        number += 1
        if output is None:
            print_file(file.content.decode())
        else:
            write_bytes(output / file.path if writer.is_folder else output, file.content)
    if output is not None:
        where = f"{counted(number, 'file')} in {output}" if writer.is_folder else str(output)
        say(f"{counted(len(chosen), 'cell')} written to {where}")


def _to_hub(chosen: list[CellResult], texts: Sequence[str]) -> WriteFormat:
    """What writes for the hub, with the data sets that the user names; tasks that lack one are said."""
    from harness.exchange.hub_writing import hub_files, told_datasets, without_dataset

    told = told_datasets(texts)
    if lacking := without_dataset(chosen, told):
        say(
            f"`.eval_results` leaves out {counted(len(lacking), 'task')} whose data set is not known: "
            f"{cut(', '.join(lacking))}; --dataset {cut(lacking[0])}=ORG/NAME gives it"
        )
    return partial(hub_files, datasets=told)


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
