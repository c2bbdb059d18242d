"""What `run` and `watch` share: make a run ready by the options of the verb, and evaluate it, showing how far it is."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from harness.catalog.tasks.first_documents import doubtful_limits
from harness.cli.given import settings_of
from harness.cli.option_values import memory_bytes, split
from harness.cli.output import say
from harness.cli.progress import ProgressReporter
from harness.cli.repeating import repeating
from harness.cli.tracking import followers_of
from harness.plan import RunPlan
from harness.records import Outcome
from harness.runner import Run, prepare
from harness.runs import Progress
from harness.tracking import AskedTracker
from harness.wording import counted, duration


def made_ready(plan: RunPlan, context: typer.Context, given: Mapping[str, Any]) -> Run:
    """The run of a plan, with the verb's options.

    Args:
        plan: what is to be evaluated.
        context: of the verb, for the command that repeats a failed cell.
        given: name of the option as in the verb's signature -> value.

    Raises:
        HarnessError: something that was not agreed to, a model or the results folder cannot be used.
    """
    memory = given["gpu_memory"]
    return prepare(
        plan,
        results=given["results"],
        settings=settings_of(given),
        executor=given["executor"],
        workers=given["workers"],
        address=given["address"],
        forward=split(given["forward"]),
        retry_failed=given["retry_failed"],
        cell_seconds=given["cell_timeout"],
        gpu_bytes=None if memory is None else memory_bytes(memory, "--gpu-memory"),
        metrics=given["metrics"],
        command=shlex.join(["emergence", *sys.argv[1:]]),
        repeat=repeating(context),
    )


def evaluated(run: Run, trackers: Sequence[AskedTracker] = ()) -> Progress:
    """Evaluate a run, which trackers may follow, and say what comes before, how far it is, and how it ended."""
    for line in _before(run):
        say(line)
    with (
        followers_of(run, trackers) as followers,  # which finish when the bar has gone
        ProgressReporter(total=len(run.todo.cells), loading=run.loading, doing=run.doing) as reporter,
    ):

        def watch(outcome: Outcome, progress: Progress) -> None:
            reporter.update(outcome, progress)
            followers.update(outcome, progress)

        progress = run.evaluate(watch)
    took = duration(progress.elapsed_seconds)
    say(f"{progress.done} cells evaluated, {progress.failed} failed, in {took}; results in {run.store.place}/")
    return progress


def left_alone(run: Run) -> int:
    """Number of cells that failed before and are not evaluated again."""
    return len(run.standing.failed - {cell.place for cell in run.todo.cells})


def _before(run: Run) -> Iterator[str]:
    """What the results folder has of the plan, and what a user should know before the first cell."""
    yield from (f"skipped {problem}" for problem in run.problems)
    yield from run.standing.chores()
    yield from (f"warning: {doubt}" for doubt in doubtful_limits(run.plan))
    if done := len(run.standing.done):
        yield f"{done} of {len(run.plan.cells)} cells are done already"
    if run.settings.deterministic and (loose := sum(not r.provenance.deterministic for r in run.stored)):
        yield f"{loose} of them were evaluated without --deterministic and are kept; name another --results"
    for option, cells in run.again.items():
        yield f"{counted(cells, 'cell')} failed before with another {option}: tried again"
    if left := left_alone(run):
        yield f"{left} cells failed before and are left alone; try them again with --retry-failed"
    if run.owner is None and run.store.is_remote and run.todo.cells:
        yield (
            f"{run.store.place}: this store has no conditional writes, so that runs into it do not know of each other; "
            "give each of several runs its own cells with --slice"
        )
    if run.shared:
        shared = counted(run.shared, "cell")
        yield f"{shared} of these are in the plan of another run, which goes on: each takes what is free"
    if any(cell.model.tuned for cell in run.todo.cells) and importlib.util.find_spec("tensorboard") is None:
        yield (
            "loss curves of trainings are in variant.json alone; for TensorBoard's files: "
            "pip install 'emergence-harness[tensorboard]'"
        )
    if run.sandbox is not None:
        yield f"programs that models write run in a sandbox, here {run.sandbox}"
