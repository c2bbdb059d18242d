"""`emergence status`: the content of the results folder, and the runs that write to it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.output import print_json, print_line, say, table
from harness.cli.repeating import failure_lines, failure_row
from harness.cli.result_options import Json, Results
from harness.errors import PlanError, StoreError
from harness.records import CellResult
from harness.runs import RunRecord, Workplace, costs, fallbacks, foreign_code, mixed, up_to_date
from harness.store import Store
from harness.wording import counted, moment

WATCH_SECONDS = 5.0
MOST_WORKERS = 30
"""Workers that are shown; `--json` has all of them."""
LAST_RUNS = 3
"""Number of ended runs that are shown; `--json` has all of them."""


def command(
    results: Results = Path("results"),
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every few seconds, until Ctrl-C.")] = False,
) -> None:
    """Show which cells are done, which failed and why, how far runs are, and what is unusual about the results."""
    if watch and as_json:
        raise PlanError("--watch is for people; expected it without --json, or --json alone")
    while True:
        if watch and sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")  # from the top of an empty screen
        _show(results, as_json)
        if not watch:
            return
        sys.stdout.flush()
        time.sleep(WATCH_SECONDS)


def _show(results: Path, as_json: bool) -> None:
    store = Store(results)
    done, failures, problems = store.outcomes()
    records, damaged = store.runs()
    for problem in (*problems, *damaged):
        say(f"skipped {problem}")
    if not (done or failures or problems or records or damaged):
        raise StoreError(f"{results}: no results and no runs; expected a folder that `emergence run` wrote to")
    differing, left, doubtful = mixed(done), fallbacks(done), _doubtful(done)
    foreign = foreign_code(done)
    cut = [cost for cost in costs(done) if cost.truncated]
    now = datetime.now(UTC)
    records = up_to_date(records, done, failures, now)
    if as_json:
        print_json(
            {
                "done": len(done),
                "failed": [failure_row(failure) for failure in failures],
                "runs": [run_row(record, now) for record in records],
                "prompts_cut": [
                    {"family": of.family, "model": of.model, "documents": of.documents, "cut": of.truncated}
                    for of in cut
                ],
                "copies": {task: found.n_copies for task, found in doubtful.items() if found.n_copies},
                "ambiguous_labels": {task: found.n_ambiguous for task, found in doubtful.items() if found.n_ambiguous},
                "fallbacks": [{"model": m, "reason": why, "cells": n} for (m, why), n in left.items()],
                "foreign_code": [of._asdict() for of in foreign],
                "mixed": differing,
                "problems": [str(problem) for problem in (*problems, *damaged)],
            }
        )
        return
    families = Counter((r.cell.model.family, r.cell.suite) for r in done)
    broken = Counter((f.cell.model.family, f.cell.suite) for f in failures)
    keys = sorted(families.keys() | broken.keys())
    print(table(("family", "suite", "done", "failed"), [(*k, families[k], broken[k]) for k in keys]))
    for line in (line for failure in failures for line in failure_lines(failure)):
        print_line(line)
    for line in run_lines(records, now):
        print_line(line)
    for of in cut:
        print_line(f"prompts cut: {of.family} {of.model}: {of.truncated} of {of.documents}")
    for task, of_task in doubtful.items():
        if of_task.n_copies:
            print_line(f"copies: {task}: {of_task.n_copies} of {of_task.n_expected} documents among the demonstrations")
        if of_task.n_ambiguous:
            print_line(
                f"labels: {task}: {of_task.n_ambiguous} of {of_task.n_expected} are a number and a text of options"
            )
    for (model, reason), n in left.items():
        print_line(f"lm-eval's code: {model}: {counted(n, 'cell')}: {reason}")
    for ran in foreign:
        print_line(f"code of others: {ran.code}: {counted(ran.cells, 'cell')} of {', '.join(ran.models)}")
    for name, values in differing.items():
        print_line(f"mixed {name}: {', '.join(values)}")


def _doubtful(done: Iterable[CellResult]) -> dict[str, CellResult]:
    """Task -> its result with most copies and labels of two readings, for tasks with any."""
    doubtful = [result for result in done if result.n_copies or result.n_ambiguous]
    doubtful.sort(key=lambda result: (result.cell.task, result.n_copies + result.n_ambiguous))
    return {result.cell.task: result for result in doubtful}


def run_line(record: RunRecord, now: datetime) -> str:
    """A run in one line."""
    where = f"{moment(record.started_at)} on {record.host}, process {record.pid}"
    return f"{where}: {record.progress_in_words(now)}; {record.state_in_words(now)}; {record.command}"


def run_lines(records: Sequence[RunRecord], now: datetime) -> Iterator[str]:
    """Runs that go on, with their workers, and the last that ended."""
    going = [record for record in records if record.state(now) == "going on"]
    ended = [record for record in records if record.state(now) != "going on"]
    for record in (*going, *ended[:LAST_RUNS]):
        yield f"run: {run_line(record, now)}"
        if record in going:
            yield from (f"  {line}" for line in worker_lines(record))


def worker_lines(record: RunRecord) -> Iterator[str]:
    """What each worker of a run is at, by machine."""
    for place in sorted(record.workplaces, key=lambda place: (place.node, place.model))[:MOST_WORKERS]:
        where = f"{place.node or 'waiting for a place'}{'' if place.pid is None else f', process {place.pid}'}"
        at = f"loading {place.model}" if place.cell is None else place.cell
        yield f"{where}: {': '.join(filter(None, (at, place.doing)))}"
    if (more := len(record.workplaces) - MOST_WORKERS) > 0:
        yield f"and {counted(more, 'worker')} more"


def run_row(record: RunRecord, now: datetime) -> dict[str, Any]:
    """A run for `--json`; values that are not known are null."""
    progress, state = record.progress, record.state(now)
    return {
        "state": state,
        "started_at": record.started_at.isoformat(),
        "heard_at": record.heard_at.isoformat(),
        "host": record.host,
        "pid": record.pid,
        "command": record.command,
        "done_before": record.done_before,
        "planned": progress.total,
        "done": progress.done,
        "failed": progress.failed,
        "rate_per_minute": progress.rate,
        "eta_seconds": progress.eta_seconds if state == "going on" else None,
        "error": record.error or None,
        "workers": [worker_row(place) for place in record.workplaces],
    }


def worker_row(place: Workplace) -> dict[str, Any]:
    """A worker for `--json`; `doing` is there only while it does something before it answers."""
    return {name: value for name, value in asdict(place).items() if name != "doing" or value}
