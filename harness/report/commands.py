"""The commands that make the cells of a report again: those, and no others."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.analysis.curves import Scale
from harness.plan import Cell
from harness.records import CellFailure, CellResult
from harness.runs import fence_of
from harness.treatments import name_of
from harness.wording import counted, natural_order


class _Sweep(NamedTuple):
    """What one command asks for: all combinations of what its lists have."""

    options: tuple[str, ...]
    """Options that all its cells share, as they are typed."""
    seeds: frozenset[int]
    """Few-shot seeds."""
    lists: tuple[frozenset[str], ...]
    """Values of each of `_LISTS`."""


_LISTS = ("--model", "--task", "--shots", "--prompts")
"""Options that take several values."""
_PLACES = ("--include-path", "--data-root")


def commands(
    results: Sequence[CellResult], failures: Sequence[CellFailure], scale: Scale, *, places: Sequence[str] = ()
) -> list[str]:
    """Lines for a shell that evaluate these cells again and write the report; notes are comments.

    A command asks for all combinations of what it lists, so that cells of which some combinations are missing take
    several commands.

    Args:
        results: results that were read from files of other programs are told and not asked for.
        failures: cells without a result, which the same commands try again.
        scale: the axis of the report.
        places: options that say where tasks and families of one's own lie, such as `options_of_places` finds them.
    """
    here = [result for result in results if result.provenance.source is None]
    cells = [*(result.cell for result in here), *(failure.cell for failure in failures)]
    fenced = {result.cell.task for result in here if fence_of(result) is not None}
    cut = {result.cell.task for result in here if result.n_truncated}
    lines = [line for sweep in _sweeps(cells, fenced, cut) for line in _lines(sweep, places)]
    if foreign := len(results) - len(here):
        lines.append(f"# {counted(foreign, 'result')} read from files of other programs: emergence import")
    axis = [] if scale == "params" else ["--scale", scale]
    report = ["emergence", "report", *axis, *_of_report(places), "-o", "report.html"]
    return [*lines, shlex.join(report)] if lines else []


def options_of_places(lines: Iterable[str]) -> tuple[str, ...]:
    """The options of command lines that say where tasks and families of one's own lie, each once.

    Args:
        lines: command lines as records of runs have them.
    """
    found: dict[tuple[str, str], None] = {}
    for line in lines:
        try:
            words = shlex.split(line)
        except ValueError:  # a quotation mark that nothing closes: no command of ours
            continue
        for word, following in zip(words, (*words[1:], ""), strict=True):
            name, joined, value = word.partition("=")
            option, value = name.replace("_", "-"), value if joined else following
            if option in _PLACES and value:
                found[option, value] = None
    return tuple(word for pair in found for word in pair)


def _of_report(places: Sequence[str]) -> Iterator[str]:
    """Those of the options that `report` takes too."""
    for option, value in zip(places[::2], places[1::2], strict=True):
        if option == "--include-path":
            yield from (option, value)


def _sweeps(cells: Iterable[Cell], fenced: set[str], cut: set[str]) -> list[_Sweep]:
    """As few sweeps as have every cell and no other: those that differ in one list are joined, list by list."""
    seeds: dict[tuple[tuple[str, ...], tuple[str, ...]], set[int]] = {}
    for cell in cells:
        options = tuple(_shared_options(cell, fenced, cut))
        seeds.setdefault((options, (_model(cell), cell.task, str(cell.shots), cell.prompt)), set()).add(cell.seed)
    sweeps = [
        _Sweep(options, frozenset(of), tuple(frozenset({value}) for value in values))
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
    return sorted(
        sweeps, key=lambda sweep: (sweep.options, sorted(sweep.seeds), [sorted(values) for values in sweep.lists])
    )


def _shared_options(cell: Cell, fenced: set[str], cut: set[str]) -> Iterator[str]:
    """The options of a cell that take one value; a name must not be a command of its own when a line is copied."""
    if not _is_own_folder(cell):
        yield from ("--family", cell.model.family)
    yield from ("--dtype", cell.model.dtype)
    if cell.model.treatment is not None:
        yield from ("--treatment", name_of(str(cell.model.variant)))
    yield from ("--engine", cell.engine)  # another one might be chosen for the model today
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


def _lines(sweep: _Sweep, places: Sequence[str]) -> Iterator[str]:
    """The command of a sweep, after a comment where it asks for more than the sweep has."""
    words, number = ["emergence", "run", *places, *sweep.options], 1 + max(sweep.seeds)
    for option, values in zip(_LISTS, sweep.lists, strict=True):
        if option != "--prompts" or values != {"default"}:
            words += [option, ",".join(sorted(values, key=natural_order))]
    if more := number - len(sweep.seeds):
        named = ", ".join(map(str, sorted(sweep.seeds)))
        yield f"# {counted(more, 'few-shot seed')} more than the results have, which are of seed {named}:"
    yield shlex.join([*words, "--seeds", str(number)])
