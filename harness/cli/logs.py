"""`emergence logs`: what is known of cells that failed or are being answered: machine, process, signal, last lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.output import print_json, print_line, say
from harness.cli.repeating import repeated_alone
from harness.cli.result_options import Json, Results
from harness.cli.status import worker_row
from harness.errors import PlanError
from harness.plan import Cell
from harness.records import CellFailure, CellResult
from harness.runs import RunRecord, Workplace
from harness.store import Store
from harness.wording import counted, moment

_Which = Annotated[
    str | None,
    typer.Argument(
        metavar="[CELL]", help="Its key or the first digits, its folder, or words of its name; all unless told."
    ),
]


def command(cell: _Which = None, results: Results = Path("results"), as_json: Json = False) -> None:
    """Show why cells failed: the machine, the process, the signal that ended it, and the last lines that it printed."""
    store = Store(results)
    done, failures, problems = store.outcomes()
    for problem in problems:
        say(f"skipped {problem}")
    now = datetime.now(UTC)
    going = [record for record in store.runs()[0] if record.state(now) == "going on"]
    failed = [failure for failure in failures if _is_meant(failure.cell, cell, store)]
    answering = [place for record in going for place in _answering(record, cell)]
    if as_json:
        print_json(
            {"failed": [_row(failure) for failure in failed], "answering": [worker_row(place) for place in answering]}
        )
        return
    for place in answering:
        doing = place.doing or "being answered"
        print_line(f"{place.cell}: {doing} on {place.node}, process {place.pid}")
    for failure in failed:
        for line in _lines(failure):
            print_line(line)
    if not failed and not answering:
        _say_nothing(cell, [result for result in done if _is_meant(result.cell, cell, store)])


def _say_nothing(cell: str | None, done: list[CellResult]) -> None:
    if cell is not None and not done:
        raise PlanError(f"{cell}: no cell of the results is called so; see emergence status and emergence leaderboard")
    say(
        "no cell failed"
        if cell is None
        else f"{counted(len(done), 'cell')} done, and nothing to tell: logs are kept of failures"
    )


def _is_meant(cell: Cell, words: str | None, store: Store) -> bool:
    """Whether a user's words mean this cell."""
    if words is None:
        return True
    folder, named = store.path(cell).absolute(), Path(words).absolute()
    at_folder = folder in (named, named.parent)
    as_key = len(words) >= 4 and cell.key.startswith(words.lower())
    return at_folder or as_key or all(word in cell.label for word in words.split())


def _answering(record: RunRecord, words: str | None) -> Iterator[Workplace]:
    """Workers that answer a cell which these words mean."""
    for place in record.workplaces:
        if place.cell is not None and all(word in place.cell for word in (words or "").split()):
            yield place


def _row(failure: CellFailure) -> dict[str, Any]:
    return {
        "cell": failure.cell.label,
        "key": failure.cell.key,
        "error": failure.error,
        "message": failure.message,
        "failed_at": failure.failed_at.isoformat(),
        "node": failure.node or None,
        "pid": failure.pid,
        "signal": failure.signal,
        "doc_id": failure.doc_id,
        "option": failure.option,
        "repeat": failure.repeat or None,
        "losses": list(failure.losses),
        "traceback": failure.traceback,
        "log": list(failure.log),
    }


def _lines(failure: CellFailure) -> Iterator[str]:
    yield f"{failure.cell.label} ({failure.cell.key}): {failure.error}: {failure.message}"
    where = f"on {failure.node}" if failure.node else "on an unknown machine"
    process = "" if failure.pid is None else f", process {failure.pid}"
    signal = "" if failure.signal is None else f", ended by {failure.signal}"
    yield f"  at {moment(failure.failed_at)} {where}{process}{signal}"
    yield from (f"  {line}" for line in repeated_alone(failure))
    yield from (f"  before: {loss}" for loss in failure.losses)
    if failure.traceback and failure.traceback.splitlines() != list(failure.log):
        yield from (f"  {line}" for line in failure.traceback.splitlines())
    if failure.log:
        yield "  the last lines of its process:"
        yield from (f"  | {line}" for line in failure.log)
