"""Reads the files of other programs into a store: all of them, or none where anything is wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import FaultsError, HarnessError, PlanError, unknown
from harness.exchange.cells import FromFile, Import, ImportedCell, imported_cells
from harness.exchange.files import foreign_file, foreign_files
from harness.exchange.formats import READERS
from harness.exchange.types import Contents, ForeignFile, Published, PublishedScore, Remark
from harness.plan import Place
from harness.plausible import MOST_NAME, MOST_TEXT
from harness.records import CellResult, Sample, implausible
from harness.scoring.metrics import mean_stderr
from harness.store import OutcomeWriter, Store
from harness.wording import count, counted, cut

ImportTold = Callable[[int, int, str], None]
"""Is told how many are done, of how many, and what: files that are read, then cells that are imported."""
FILES_READ, CELLS_IMPORTED = "files read", "cells imported"
"""What is counted while files are read, and while cells are written."""
_SAME = 1e-6
"""How near the mean of the documents is to a score that was computed as their mean, and perhaps rounded."""
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
    **options: Any,
) -> Imported:
    """Write the results in files of other programs to the store. Nothing is written when anything is wrong.

    Args:
        form: name of the format, a key of `READERS`.
        paths: files, or folders of files.
        store: where cells go.
        request: what the files do not say.
        told: called as files are read and as cells are written.
        options: what the reader of this format takes besides a file.

    Raises:
        HarnessError: a file cannot be read, a model's size is not known, or there is nothing to import.
    """
    if form not in READERS:
        raise PlanError(unknown("format", form, READERS))
    read = _read(form, paths, told, options)
    cells, notes = imported_cells(read.found, request)
    done = {result.cell.place for result in store.results()}
    new = {place: cell for place, cell in cells.items() if place not in done}
    _check(new.values())
    short = _write(new, read.beside, store, told)
    files = len({cell.source.file.sha256 for cell in cells.values()})
    if short:
        notes.append(f"{counted(short, 'sample file')} left out, which did not have all documents of the result")
    return Imported(len(new), len(cells) - len(new), files, (*read.notes, *notes))


class _Read(NamedTuple):
    """What all files say."""

    found: list[FromFile]
    """Their results."""
    beside: dict[str, tuple[ForeignFile, ...]]
    """Hash of a file -> others that were read with it."""
    notes: tuple[str, ...]
    """What was left out, a sentence each."""


def _read(form: str, paths: Sequence[Path], told: ImportTold, options: Mapping[str, Any]) -> _Read:
    reader = READERS[form]
    read, files = partial(reader.load(), **options), list(foreign_files(paths, reader.names))
    found, beside, faults = list[FromFile](), dict[str, tuple[ForeignFile, ...]](), list[str]()
    remarks, others = Counter[Remark](), 0
    for number, (path, was_named) in enumerate(files, start=1):
        try:
            file = foreign_file(path)
            contents = read(file)
            if contents is None and was_named:
                raise HarnessError(f"{path}: is no result file of {form}; expected {reader.holds}")
            if contents is None:
                others += 1
                continue
            found += _results(contents, file)
            remarks.update(contents.remarks)
            beside[file.sha256] = contents.beside
        except FaultsError as error:
            faults += error.faults
        except HarnessError as error:
            faults.append(str(error))
        told(number, len(files), FILES_READ)
    if faults:
        raise FaultsError(faults) if len(faults) > 1 else HarnessError(faults[0])
    notes = [f"{counted(number, one.what)} {one.text}" for one, number in remarks.items() if number]
    if not found:
        why = f"nothing to import: {'; '.join(notes)}" if notes else f"no result file of {form} there"
        raise HarnessError(f"{', '.join(map(str, paths))}: {why}; expected {reader.files}")
    others_too = [f"{counted(others, 'other file')} left out"] if others else []
    return _Read(found, beside, (*others_too, *notes))


def _results(contents: Contents, file: ForeignFile) -> Iterator[FromFile]:
    name = contents.name or file.path.name
    for result in contents.results:
        yield FromFile(_with_answers(result), file, name)


def _with_answers(result: Published) -> Published:
    """The result with what its documents alone say: how many there are, the number of their options, and errors.

    They are read here in any case, so that nothing has been written when one of them turns out to be damaged.
    """
    if result.answers is None:
        return result
    samples = result.answers.samples()
    options = {len(sample.options) for sample in samples}
    same = options.pop() if len(options) == 1 and max(options) > 1 else None
    n = result.n or len(samples) or None
    scores = tuple(_with_error(score, samples) if len(samples) == n else score for score in result.scores)
    return replace(result, n=n, options=result.options or same, scores=scores)


def _with_error(score: PublishedScore, samples: Sequence[Sample]) -> PublishedScore:
    """The score with the standard error of its documents, where it has none and is their mean."""
    values = [sample.scores[score.metric] for sample in samples if score.metric in sample.scores]
    if score.stderr is not None or not values or len(values) < len(samples):
        return score
    mean, stderr = mean_stderr(values)
    return replace(score, stderr=stderr) if math.isclose(mean, score.value, rel_tol=_SAME, abs_tol=_SAME) else score


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


def _write(
    new: dict[Place, ImportedCell], beside: dict[str, tuple[ForeignFile, ...]], store: Store, told: ImportTold
) -> int:
    """Write cells and copies of their files; returns the number of files that lacked some of the documents."""
    short = 0
    with OutcomeWriter(partial(store.write, to_disk=False)) as writer:
        for file in {cell.source.file.sha256: cell.source.file for cell in new.values()}.values():
            for one in (file, *beside[file.sha256]):
                store.write_source(one.sha256, one.content, one.path.suffix)
        written = 0
        for source, result in new.values():
            whole = _with_samples(source.result, result)
            short += source.result.answers is not None and not whole.samples
            for _ in writer.write(whole, more=True):
                written += 1
                told(written, len(new), CELLS_IMPORTED)
        for _ in writer.rest():
            written += 1
            told(written, len(new), CELLS_IMPORTED)
    store.sync()
    return short


def _with_samples(published: Published, result: CellResult) -> CellResult:
    """The result with its documents, where a file has all of them."""
    samples = () if published.answers is None else published.answers.samples()
    return replace(result, samples=samples) if len(samples) == result.n_expected else result
