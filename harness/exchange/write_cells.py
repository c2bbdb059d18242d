"""Writes imported cells to the store, in several processes where there are many, with copies of their files."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from harness.errors import HarnessError
from harness.exchange.cells import ImportedCell
from harness.exchange.files import foreign_file
from harness.exchange.types import Answers, ForeignFile
from harness.executors.mapping import mapped
from harness.executors.signals import interrupted_afterwards
from harness.records import CellResult
from harness.store import OutcomeWriter, Store

_TOGETHER = 50
"""Cells without documents that are handed to a process at once: few enough for Ctrl-C to wait for them."""


class NewCell(NamedTuple):
    """A cell to be written."""

    result: CellResult
    """The cell, without its documents."""
    answers: Answers | None
    """Its documents; None where no file has them."""


class WrittenCells(NamedTuple):
    """What was written."""

    cells: int
    """Number of cells."""
    short: int
    """Cells whose documents are not stored, because the file lacks some of them."""


def write_sources(files: Iterable[ForeignFile], store: Store) -> None:
    """Keep a copy of each file.

    Raises:
        HarnessError: one cannot be read any more, or is another one now.
        StoreError: the folder cannot be written.
    """
    for file in files:
        now = foreign_file(file.path)
        if now.sha256 != file.sha256:
            raise HarnessError(f"{file.path}: has changed since it was read; import it again")
        store.write_source(file.sha256, now.content, file.path.suffix, to_disk=False)


def write_cells(
    cells: Iterable[ImportedCell], store: Store, told: Callable[[int], None], processes: int | None = None
) -> int:
    """Write cells.

    Args:
        cells: what to write.
        store: where.
        told: called with the number of cells that are written so far.
        processes: as of `mapped`; results in an object store are sent from this process, by several threads.

    Returns:
        Number of cells whose documents are not stored, because the file lacks some of them.

    Raises:
        StoreError: the folder cannot be written. What was written before stays, and is passed over the next time.
    """
    new = [NewCell(cell.result, cell.source.result.answers) for cell in cells]
    batches = _sent(new, store) if store.is_remote else _batches(new, store.root, processes)
    written = short = 0
    with closing(batches):
        for batch in batches:
            short += batch.short
            for _ in range(batch.cells):
                written += 1
                told(written)
    return short


def _batches(new: Sequence[NewCell], root: Path, processes: int | None) -> Generator[WrittenCells, None, None]:
    return mapped(write_together, [(root, batch) for batch in _together(new)], processes)


def _together(new: Iterable[NewCell]) -> Iterator[list[NewCell]]:
    """The cells in their order, those with documents each alone, which takes as long as many others."""
    batch: list[NewCell] = []
    for one in new:
        if batch and (one.answers or batch[-1].answers or len(batch) == _TOGETHER):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def write_together(root: Path, cells: Sequence[NewCell]) -> WrittenCells:
    """Write a few cells below a folder; Ctrl-C waits for them."""
    store, short = Store(root), 0
    with interrupted_afterwards():
        for one in cells:
            whole = _with_samples(one)
            short += one.answers is not None and not whole.samples
            store.write(whole, to_disk=False)
    return WrittenCells(len(cells), short)


def _sent(new: Sequence[NewCell], store: Store) -> Generator[WrittenCells, None, None]:
    with OutcomeWriter(partial(store.write, to_disk=False)) as writer:
        for one in new:
            whole = _with_samples(one)
            stored = sum(1 for _ in writer.write(whole, more=True))
            yield WrittenCells(stored, one.answers is not None and not whole.samples)
        yield WrittenCells(sum(1 for _ in writer.rest()), 0)


def _with_samples(new: NewCell) -> CellResult:
    """The result with its documents, where a file has all of them."""
    samples = () if new.answers is None else new.answers.samples()
    return replace(new.result, samples=samples) if len(samples) == new.result.n_expected else new.result
