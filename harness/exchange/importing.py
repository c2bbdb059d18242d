"""Reads the files of other programs into a store: all of them, or none where anything is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import FaultsError, HarnessError, PlanError, unknown
from harness.exchange.cells import FromFile, Import, ImportedCell, imported_cells
from harness.exchange.file_results import file_results
from harness.exchange.files import foreign_files
from harness.exchange.formats import READERS
from harness.exchange.types import ForeignFile, Remark
from harness.exchange.write_cells import write_cells, write_sources
from harness.executors.mapping import mapped
from harness.plausible import MOST_NAME, MOST_TEXT
from harness.records import CellResult, implausible
from harness.store import Store
from harness.wording import count, counted, cut

ImportTold = Callable[[int, int, str], None]
"""Is told how many are done, of how many, and what: files that are read, then cells that are imported."""
FILES_READ, CELLS_IMPORTED = "files read", "cells imported"
"""What is counted while files are read, and while cells are written."""
_MOST_FAULTS = 10
"""Impossible results that are named."""


class Imported(NamedTuple):
    """What an import did."""

    written: int
    """Cells that were written."""
    there: int
    """Cells that were in the store already, and stayed as they were."""
    files: int
    """Files that held results."""
    notes: tuple[str, ...]
    """What people should know, a sentence each."""


def import_files(
    form: str,
    paths: Sequence[Path],
    store: Store,
    request: Import,
    told: ImportTold = lambda done, of, what: None,
    *,
    processes: int | None = None,
    **options: Any,
) -> Imported:
    """Write the results in files of other programs to the store. Nothing is written when anything is wrong.

    Args:
        form: name of the format, a key of `READERS`.
        paths: files, or folders of files.
        store: where cells go.
        request: what the files do not say.
        told: called as files are read and as cells are written.
        processes: how many processes share the work, 1 for this one alone; None starts some where that saves time.
        options: what the reader of this format takes besides a file.

    Raises:
        HarnessError: a file cannot be read, a model's size is not known, or there is nothing to import.
    """
    if form not in READERS:
        raise PlanError(unknown("format", form, READERS))
    read = _read(form, paths, told, options, processes)
    cells, notes = imported_cells(read.found, request)
    done = store.done()
    new = [cell for place, cell in cells.items() if place not in done]
    _check(new)
    sources = {cell.source.file.sha256 for cell in new}
    write_sources([one for key, files in read.files.items() if key in sources for one in files], store)
    short = write_cells(new, store, lambda written: told(written, len(new), CELLS_IMPORTED), processes)
    store.sync()
    if short:
        notes.append(f"{counted(short, 'sample file')} left out, which did not have all documents of the result")
    files = len({cell.source.file.sha256 for cell in cells.values()})
    return Imported(len(new), len(cells) - len(new), files, (*read.notes, *notes))


class _Read(NamedTuple):
    """What all files say."""

    found: list[FromFile]
    """Their results."""
    files: dict[str, tuple[ForeignFile, ...]]
    """Hash of a file -> the file, and others that were read with it."""
    notes: tuple[str, ...]
    """What was left out, a sentence each."""


def _read(
    form: str, paths: Sequence[Path], told: ImportTold, options: Mapping[str, Any], processes: int | None
) -> _Read:
    listed = list(foreign_files(paths, READERS[form].names))
    found, files, faults = list[FromFile](), dict[str, tuple[ForeignFile, ...]](), list[str]()
    remarks, others = Counter[Remark](), 0
    with closing(mapped(file_results, [(form, options, *one) for one in listed], processes)) as readings:
        for number, read in enumerate(readings, start=1):
            found += read.found
            faults += read.faults
            remarks.update(read.remarks)
            if read.files:
                files[read.files[0].sha256] = read.files
            others += not read.files and not read.faults
            told(number, len(listed), FILES_READ)
    if faults:
        raise FaultsError(faults) if len(faults) > 1 else HarnessError(faults[0])
    notes = [f"{counted(number, one.what)} {one.text}" for one, number in remarks.items() if number]
    if not found:
        why = f"nothing to import: {'; '.join(notes)}" if notes else f"no result file of {form} there"
        raise HarnessError(f"{', '.join(map(str, paths))}: {why}; expected {READERS[form].files}")
    others_too = [f"{counted(others, 'other file')} left out"] if others else []
    return _Read(found, files, (*others_too, *notes))


def _check(cells: Iterable[ImportedCell]) -> None:
    """Refuse results that cannot be, as those of the store are refused when they are read.

    Raises:
        FaultsError: there is one.
    """
    faults = [
        f"{source.file.path}: {cut(result.cell.task)}: {problem}"
        for source, result in cells
        if (problem := implausible(result) or _too_long(result)) is not None
    ]
    if faults:
        raise FaultsError(faults[:_MOST_FAULTS])


def _too_long(result: CellResult) -> str | None:
    """A name that no folder could have, or a text that the header of a cell does not take; None where there is none."""
    cell, source = result.cell, result.provenance.source
    for what, name in (("model", cell.model.name + (cell.model.variant or "")), ("task", cell.task)):
        if len(name) > MOST_NAME:
            return f"{what} is {cut(name)}; expected at most {MOST_NAME} characters"
    texts: dict[str, str | None] = {"revision": cell.model.revision, "version": cell.task_version}
    texts |= {"program": cell.engine}
    texts |= {"metric": max((metric.name for metric in cell.metrics), key=len)}
    if source is not None:
        texts |= {"version of the program": source.tool_version, "name of the file": source.file}
        texts |= {"licence": source.licence}
    long = next((what for what, text in texts.items() if text and len(text) > MOST_TEXT), None)
    return f"{long} is {cut(texts[long] or '')}; expected at most {count(MOST_TEXT)} characters" if long else None
