"""Every cell of the results folder, read at once: what came back, what failed, and what cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.limits import FOLDERS
from harness.records import CellFailure, CellResult, Outcome
from harness.store.files import has_end
from harness.store.headers import Problem, read_header
from harness.store.index import WORTHWHILE, FileState, collector_off, file_state, read_index, write_index
from harness.store.layout import FAILURE, HEADER, SAMPLES, cell_files


class Outcomes(NamedTuple):
    """What the results folder holds, from one look at it."""

    results: tuple[CellResult, ...]
    """Cells that were evaluated, without their samples."""
    failures: tuple[CellFailure, ...]
    """Cells that failed and have not been evaluated since."""
    problems: tuple[Problem, ...]
    """Files that were skipped."""


def found_outcomes(root: Path) -> Outcomes:
    """Results, failures and problems below a folder.

    Of a large folder only what has changed since the last look is read, see `store.index`.
    """
    results: list[CellResult] = []
    failures: list[CellFailure] = []
    problems: list[Problem] = []
    with collector_off():
        for one in _read(root):
            match one:
                case CellResult():
                    results.append(one)
                case CellFailure():
                    failures.append(one)
                case Problem():
                    problems.append(one)
    return Outcomes(results=tuple(results), failures=tuple(failures), problems=tuple(problems))


def _read(root: Path) -> Iterator[CellResult | CellFailure | Problem]:
    found = [(header, samples, file_state(header, samples)) for header, samples in cell_files(root)]
    known = read_index(root) if len(found) >= WORTHWHILE else {}
    now: dict[str, tuple[FileState, Outcome]] = {}
    alike: dict[Any, Any] = {}
    news = 0
    for header, samples, state in found:
        before = known.get(header.path)
        if before is not None and before[0] == state:
            one: CellResult | CellFailure | Problem = before[1]
        else:
            one = _shared(_read_cell(header, samples), alike)
            news += 1
        if state is not None and not isinstance(one, Problem):
            now[header.path] = state, one
        yield one
    if len(found) >= WORTHWHILE and news > len(found) // 20:
        write_index(root, now)


def _read_cell(header: os.DirEntry[str], samples: os.DirEntry[str] | None) -> CellResult | CellFailure | Problem:
    """What one header or failure file says, and whether the samples beside it are whole."""
    path = Path(header.path)
    if header.name not in (HEADER, FAILURE):
        return Problem(path=path, message=str(FOLDERS.exceeded(where="lies too deep:")))
    read = read_header(path)
    if not isinstance(read, CellResult) or (samples and has_end(samples.path)):
        return read
    wrong = "cannot be read to its end" if samples else "is missing"
    return Problem(path=path, message=f"{SAMPLES} beside it {wrong}: run the cell again, or restore the file")


def _shared(one: CellResult | CellFailure | Problem, alike: dict[Any, Any]) -> CellResult | CellFailure | Problem:
    """The same outcome with parts that others have too, which saves memory: models, metrics, versions."""
    if isinstance(one, Problem):
        return one
    model, metrics = (alike.setdefault(part, part) for part in (one.cell.model, one.cell.metrics))
    cell = replace(one.cell, model=model, metrics=metrics)
    if isinstance(one, CellFailure):
        return replace(one, cell=cell)
    made = one.provenance
    versions = alike.setdefault(tuple(made.versions.items()), made.versions)
    return replace(one, cell=cell, provenance=replace(made, versions=versions))
