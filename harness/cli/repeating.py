"""The command that repeats a failed cell alone, on the document that it failed on where that is known."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import typer

from harness.cli.option_values import split
from harness.plan import Cell
from harness.records import CellFailure
from harness.treatments import name_of

_OF_CELLS = frozenset(
    (
        *(
            "suite",
            "task",
            "model",
            "dtype",
            "treatment",
            "shots",
            "prompts",
            "seeds",
            "limit",
            "docs",
            "slice_of",
            "engine",
        ),
        *("apply_chat_template", "system_instruction", "formats", "gen_kwargs"),
    )
)
"""Options that say which cells are run; the command names one cell instead."""
_OF_RUNS = frozenset({"retry_failed", "workers", "metrics", "track", "every", "once", "family_file"})
"""Options that a single cell does not need."""


def repeating(context: typer.Context) -> Callable[[CellFailure], str]:
    """A function that gives the command for a failure, with the options that this command was given."""
    given: Mapping[str, Any] = context.params
    kept = [word for parameter in context.command.params for word in _words(context, parameter)]
    if (file := given.get("family_file")) is not None:
        kept = ["--include-path", str(file), *kept]
    by_folder = any(name.startswith((".", "/", "~")) or "/" in name for name in split(given.get("model")))

    def repeat(failure: CellFailure) -> str:
        return shlex.join(["emergence", "run", *_cell(failure, by_folder), *kept, "--retry-failed"])

    return repeat


def failure_lines(failure: CellFailure) -> Iterator[str]:
    """A failed cell, why it failed, and what to do."""
    yield f"failed: {failure.cell.label}: {failure.error}: {failure.message}"
    yield from (f"  {line}" for line in repeated_alone(failure))


def failure_row(failure: CellFailure) -> dict[str, str | int | None]:
    """The same for JSON; None where it is not known."""
    return {
        "cell": failure.cell.label,
        "error": failure.error,
        "message": failure.message,
        "doc_id": failure.doc_id,
        "option": failure.option,
        "repeat": failure.repeat or None,
    }


def repeated_alone(failure: CellFailure) -> Iterator[str]:
    """On which document and which option a cell failed, and the command that repeats it alone; nothing if unknown."""
    option = "" if failure.option is None else f", option {failure.option}"
    place = "" if failure.doc_id is None else f" (document {failure.doc_id}{option})"
    if failure.repeat:
        yield f"alone{place}: {failure.repeat}"
    elif place:
        yield place.strip(" ()")


def _words(context: typer.Context, parameter: Any) -> Iterator[str]:
    """An option as it was typed; nothing for one that was not, or that chooses cells."""
    source = context.get_parameter_source(parameter.name)
    if source is None or source.name != "COMMANDLINE" or parameter.name in _OF_CELLS | _OF_RUNS:
        return
    value = context.params[parameter.name]
    option = max(parameter.opts, key=len)
    if isinstance(value, bool):
        yield option
        return
    for one in value if isinstance(value, list | tuple) else [value]:
        yield from (option, str(one))


def _cell(failure: CellFailure, by_folder: bool) -> Iterator[str]:
    """The options that choose the cell."""
    cell = failure.cell
    model = cell.model.path if by_folder and cell.model.path else cell.model.name
    yield from ("--task", cell.task, "--model", model, "--dtype", cell.model.dtype, "--shots", str(cell.shots))
    if cell.model.treatment is not None:
        yield from ("--treatment", name_of(str(cell.model.variant)))
    if cell.prompt != "default":
        yield from ("--prompts", cell.prompt)
    if cell.seed:
        yield from ("--seeds", str(cell.seed + 1))
    yield from _documents(failure)
    if cell.chat is not None:
        yield "--apply-chat-template"
    if cell.system is not None:
        yield from ("--system-instruction", cell.system)
    if cell.generation is not None:
        yield from ("--gen-kwargs", cell.generation)
    if cell.format is not None:
        yield from ("--formats", cell.format)
    yield from ("--engine", cell.engine)


def _documents(failure: CellFailure) -> tuple[str, ...]:
    cell: Cell = failure.cell
    if failure.doc_id is not None:
        return "--docs", str(failure.doc_id)
    if cell.docs is not None:
        return "--docs", cell.docs
    return () if cell.limit is None else ("--limit", str(cell.limit))
