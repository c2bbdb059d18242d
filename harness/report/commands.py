"""The commands that make the cells of a report again: those, and no others."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.analysis.curves import Scale
from harness.plan import DEFAULT_ENGINE, Cell
from harness.records import CellFailure, CellResult
from harness.runs import fence_of
from harness.treatments import name_of
from harness.wording import counted, natural_order


class _Sweep(NamedTuple):
    """What one command asks for: all combinations of what its lists have."""

    options: tuple[str, ...]
    """Options that all its cells share, as they are typed."""
    seeds: int
    """Number of few-shot seeds."""
    lists: tuple[frozenset[str], ...]
    """Values of each of `_LISTS`."""


_LISTS = ("--model", "--task", "--shots", "--prompts")
"""Options that take several values."""


def commands(results: Sequence[CellResult], failures: Sequence[CellFailure], scale: Scale) -> list[str]:
    """Lines for a shell that evaluate these cells again and write the report; notes are comments.

    A command asks for all combinations of what it lists, so that cells of which some combinations are missing take
    several commands.

    Args:
        results: results that were read from files of other programs are told and not asked for.
        failures: cells without a result, which the same commands try again.
        scale: the axis of the report.
    """
    here = [result for result in results if result.provenance.source is None]
    cells = [*(result.cell for result in here), *(failure.cell for failure in failures)]
    fenced = {result.cell.task for result in here if fence_of(result) is not None}
    cut = {result.cell.task for result in here if result.n_truncated}
    lines = [_line(sweep) for sweep in _sweeps(cells, fenced, cut)]
    if foreign := len(results) - len(here):
        lines.append(f"# {counted(foreign, 'result')} read from files of other programs: emergence import")
    report = ["emergence", "report", *([] if scale == "params" else ["--scale", scale]), "-o", "report.html"]
    return [*lines, shlex.join(report)] if lines else []


def _sweeps(cells: Iterable[Cell], fenced: set[str], cut: set[str]) -> list[_Sweep]:
    """As few sweeps as have every cell and no other: those that differ in one list are joined, list by list."""
    seeds: dict[tuple[tuple[str, ...], tuple[str, ...]], set[int]] = {}
    for cell in cells:
        options = tuple(_shared_options(cell, fenced, cut))
        seeds.setdefault((options, (_model(cell), cell.task, str(cell.shots), cell.prompt)), set()).add(cell.seed)
    sweeps = [
        _Sweep(options, 1 + max(of), tuple(frozenset({value}) for value in values))
        for (options, values), of in seeds.items()
    ]
    for place in reversed(range(len(_LISTS))):
        joined: dict[_Sweep, frozenset[str]] = {}
        for sweep in sweeps:
            others = sweep._replace(lists=(*sweep.lists[:place], frozenset(), *sweep.lists[place + 1 :]))
            joined[others] = joined.get(others, frozenset()) | sweep.lists[place]
        sweeps = [
            others._replace(lists=(*others.lists[:place], together, *others.lists[place + 1 :]))
            for others, together in joined.items()
        ]
    return sorted(sweeps, key=lambda sweep: (sweep.options, sweep.seeds, [sorted(values) for values in sweep.lists]))


def _shared_options(cell: Cell, fenced: set[str], cut: set[str]) -> Iterator[str]:
    """The options of a cell that take one value; a name must not be a command of its own when a line is copied."""
    if not _is_own_folder(cell):
        yield from ("--family", cell.model.family)
    yield from ("--dtype", cell.model.dtype)
    if cell.model.treatment is not None:
        yield from ("--treatment", name_of(str(cell.model.variant)))
    if cell.engine != DEFAULT_ENGINE:
        yield from ("--engine", cell.engine)
    for option, value in (
        ("--limit", cell.limit),
        ("--docs", cell.docs),
        ("--system-instruction", cell.system),
        ("--formats", cell.format),
        ("--gen-kwargs", cell.generation),
    ):
        if value is not None:
            yield from (option, str(value))
    if cell.chat is not None:
        yield "--apply-chat-template"
    if cell.task in cut:
        yield from ("--truncation", "allow")
    if cell.task in fenced:
        yield "--confirm-run-unsafe-code"


def _model(cell: Cell) -> str:
    """What `--model` calls the model: its folder, or its name, of a model of the hub with its commit."""
    model = cell.model
    if _is_own_folder(cell):
        return str(model.path)
    on_hub = model.path is None and len(model.revision) == 40
    return f"{model.name}@{model.revision}" if on_hub else model.name


def _is_own_folder(cell: Cell) -> bool:
    """True for a model of a folder that no family file describes: it is a family of its own, named by the folder."""
    model = cell.model
    folder = Path(model.path).name if model.path else ""
    return bool(folder) and (model.family == folder or model.name == f"{model.family}-{folder}")


def _line(sweep: _Sweep) -> str:
    words = ["emergence", "run", *sweep.options]
    for option, values in zip(_LISTS, sweep.lists, strict=True):
        if option != "--prompts" or values != {"default"}:
            words += [option, ",".join(sorted(values, key=natural_order))]
    return shlex.join([*words, "--seeds", str(sweep.seeds)])
