"""`emergence import`: results of other programs, read into a results folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.option_values import split
from harness.cli.output import say
from harness.cli.result_options import Results
from harness.errors import PlanError
from harness.exchange.formats import READERS
from harness.wording import count, counted, cut, quoted

_EVERY_SECONDS = 5.0


def command(
    form: Annotated[
        str, typer.Argument(metavar="FORMAT", help=f"Program that wrote the results: {', '.join(READERS)}.")
    ],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of files.")],
    results: Results = Path("results"),
    family: Annotated[
        list[str] | None,
        typer.Option(
            "--family", help="Families whose models these are: names, or YAML files; every known one unless told."
        ),
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("--params", help="Size of a model that no family names: MODEL=7B. Can be repeated."),
    ] = None,
    chance: Annotated[
        list[str] | None,
        typer.Option("--chance", help="Score of a guess at a task: TASK=0.25. Can be repeated."),
    ] = None,
    documents: Annotated[
        list[str] | None,
        typer.Option("--documents", help="Number of documents of a task where no file says it: TASK=1000."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Only these models: names, in full or behind the slash, with * for any text."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(help="For table, columns that are called otherwise, or a value for all rows: value=score."),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the results, kept beside them.")] = None,
) -> None:
    """Read results of other programs into a results folder, each marked with its file, program and date."""
    from harness.catalog import load_catalog
    from harness.exchange import Import, KnownTasks, Sizes, import_files, told_chances, told_sizes
    from harness.store import Store

    files = [Path(name) for name in split(family) if name.endswith((".yaml", ".yml"))]
    catalog = load_catalog(files)
    names = [name for name in split(family) if not name.endswith((".yaml", ".yml"))]
    of_files = [f for f in catalog.families.values() if catalog.files[f"family {f.name}"] in files]
    chosen = (*of_files, *map(catalog.family, names)) or tuple(catalog.families.values())
    chances = told_chances(split(chance))
    store = Store(results)
    store.check_writable()
    request = Import(
        sizes=Sizes(families=tuple(chosen), told=told_sizes(split(params))),
        tasks=KnownTasks(chances=chances),
        documents=_documents(split(documents)),
        licence=licence,
        models=tuple(split(model)),
    )
    done = import_files(form, paths, store, request, _teller(), **_of_tables(form, split(columns), chances))
    for note in done.notes:
        say(note)
    there = f", {count(done.there)} were there already" if done.there else ""
    files_read = counted(done.files, f"file of {form}", f"files of {form}")
    say(f"imported {counted(done.written, 'cell')} from {files_read}{there}")


def _of_tables(form: str, columns: Sequence[str], chances: Mapping[str, float]) -> dict[str, Any]:
    """What the reader of tables is told besides."""
    if form != "table":
        if columns:
            raise PlanError(f"--columns is for tables; {cut(form)} names its fields itself")
        return {}
    from harness.analysis.curves.table import told_columns

    return {"columns": told_columns(columns), "chances": chances}


def _documents(texts: Sequence[str]) -> dict[str, int]:
    found = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        if not name or not number.isdecimal() or not 0 < int(number) < 10**18:
            raise PlanError(f"--documents is {quoted(text)}; expected TASK=NUMBER, such as arc_easy=2376")
        found[name] = int(number)
    return found


def _teller() -> Callable[[int, int, str], None]:
    """Says every few seconds how far the import is."""
    said = time.monotonic()

    def told(done: int, of: int, what: str) -> None:
        nonlocal said
        if time.monotonic() - said > _EVERY_SECONDS:
            said = time.monotonic()
            say(f"{count(done)} of {count(of)} {what}")

    return told
