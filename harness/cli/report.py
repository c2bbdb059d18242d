"""`emergence report`: one HTML page with everything in it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.output import say
from harness.cli.plan_options import IncludePath
from harness.cli.result_options import CompareWith, PictureFont, PictureWidth, Results, ScaleAxis
from harness.cli.write import paper_of, write_bytes, write_text
from harness.errors import HarnessError
from harness.reading import answer_reader, document_reader, read_others, read_outcomes
from harness.records import Outcome
from harness.store import Store
from harness.wording import counted, file_name, file_size

if TYPE_CHECKING:
    from harness.analysis.verdict import Study


def command(
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file.")] = Path("report.html"),
    png_dir: Annotated[
        Path | None, typer.Option("--png-dir", help="Also write the curves of each family as curves-FAMILY.png here.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Also write every figure of the page into this folder.")
    ] = None,
    kind: Annotated[
        Literal["svg", "pdf", "png"], typer.Option("--as", help="Kind of these pictures; svg needs no browser.")
    ] = "svg",
    width: PictureWidth = None,
    font: PictureFont = None,
    compare_with: CompareWith = None,
    results: Results = Path("results"),
    scale: ScaleAxis = "params",
    include_path: IncludePath = None,
) -> None:
    """Write one HTML page with curves, verdicts, leaderboard and provenance; it works offline.

    Tasks are shown with what their files say; --include-path names files and folders of your own.
    """
    if output.name and output.suffix.lower() not in (".html", ".htm"):
        raise HarnessError(f"{output}: the report is a page; expected a file named .html")
    paper = paper_of(None if figures is None else figures / f"figure.{kind}", width, font, "--figures FOLDER")
    from harness.analysis.compare import MOST_ANSWERS
    from harness.analysis.verdict import study
    from harness.catalog import load_catalog
    from harness.kept_ranks import ranks_once
    from harness.kept_verdicts import kept_study
    from harness.report import drawn_tasks, options_of_places, report_page
    from harness.runs.progress import cells_to_come
    from harness.task_cards import first_samples, task_cards

    store, outcomes = Store(results), read_outcomes(results, say)
    documents = document_reader(store, say)
    if compare_with:
        others = [read_others(path, scale, say) for path in compare_with]
        whole = study(*outcomes, scale=scale, items=documents, others=others)
    else:
        whole = kept_study(store, outcomes, scale=scale, items=documents)
    for source in whole.compared:
        say(source.sentence())
    done, failures, _ = outcomes
    drawn = {task for _, _, task in drawn_tasks(whole)}
    every: list[Outcome] = [*done, *failures]
    of_drawn = [one for one in every if one.cell.task in drawn]
    cards = task_cards(of_drawn, first=first_samples(store), catalog=load_catalog(tuple(include_path or ())))
    records, _ = store.runs()
    to_come = cells_to_come(done, failures, records, datetime.now(UTC))
    told = [word for path in include_path or () for word in ("--include-path", str(path))]
    few = sum(result.n_expected for result in done) <= MOST_ANSWERS
    from harness.figures import FigureLook, to_picture

    made: list[tuple[str, Any]] = []
    page = report_page(
        whole,
        cards=cards,
        documents=documents if few else None,
        answers=answer_reader(store, say) if few else None,
        rank=ranks_once(store, outcomes),
        to_come=to_come,
        look=None if paper is None else FigureLook(width=paper.drawn_width),
        each_figure=lambda name, figure: made.append((name, figure)),
        places=told or options_of_places(record.command for record in records),
    )
    write_text(output, page)
    say(f"report written to {output} ({file_size(output.stat().st_size)})")
    if figures is not None:
        for name, figure in made:
            write_bytes(figures / f"{file_name(name)}.{kind}", to_picture(figure, kind, paper=paper))
        say(f"{counted(len(made), 'figure')} written to {figures}")
    if png_dir is not None:
        _write_pictures(png_dir, whole)


def _write_pictures(folder: Path, whole: Study) -> None:
    from harness.figures import overview, to_picture

    for family in whole.families:
        path = folder / f"{file_name(f'curves-{family}')}.png"
        write_bytes(path, to_picture(overview(whole.of(family)), width=1200))
        say(f"picture written to {path}")
