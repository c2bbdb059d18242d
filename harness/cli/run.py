"""`emergence run`: evaluate the cells that are missing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from harness.catalog.first_documents import doubtful_limits
from harness.cli import options as opt
from harness.cli.given import plan_of, settings_of
from harness.cli.output import say
from harness.cli.progress import ProgressReporter
from harness.cli.repeating import repeating
from harness.estimate import seconds_of
from harness.plan import DEFAULT_ENGINE, Slice, sliced
from harness.runner import Run, prepare
from harness.wording import counted, duration


def command(
    context: typer.Context,
    suite: opt.SuiteNames = None,
    task: opt.TaskNames = None,
    family: opt.FamilyNames = None,
    model: opt.ModelNames = None,
    dtype: opt.ModelDtype = None,
    shots: opt.Shots = None,
    prompts: opt.Prompts = None,
    seeds: opt.Seeds = None,
    limit: opt.DocumentLimit = None,
    docs: opt.Documents = None,
    apply_chat_template: opt.ChatTemplate = False,
    system_instruction: opt.SystemInstruction = None,
    formats: opt.Formats = None,
    engine: opt.EngineName = DEFAULT_ENGINE,
    executor: opt.ExecutorName = "ray",
    address: opt.Address = None,
    forward: opt.Forward = None,
    workers: opt.Workers = None,
    cell_timeout: opt.CellTimeout = None,
    gpu_memory: opt.GpuMemory = None,
    device: opt.Device = "auto",
    batch_size: opt.BatchSize = 32,
    token_budget: opt.TokenBudget = None,
    deterministic: opt.Deterministic = False,
    energy: opt.Energy = False,
    retry_failed: opt.RetryFailed = False,
    truncation: opt.Truncation = "refuse",
    confirm_run_unsafe_code: opt.UnsafeCode = False,
    allow_unfenced: opt.AllowUnfenced = False,
    trust_remote_code: opt.RemoteCode = False,
    allow_tokenizer_code: opt.TokenizerCode = False,
    allow_pickle: opt.AllowPickle = False,
    include_path: opt.IncludePath = None,
    data_root: opt.DataRoots = None,
    allow_code: opt.AllowCode = False,
    mirror: opt.MirrorFolder = None,
    slice_of: opt.SliceOf = None,
    metrics: opt.MetricsFile = None,
    results: opt.Results = Path("results"),
) -> None:
    """Evaluate every cell that has no result yet. Exits with 1 when a cell failed."""
    given = locals()
    plan = plan_of(given)
    if slice_of is not None:
        plan = sliced(plan, Slice.parse(slice_of), seconds_of)
    run = prepare(
        plan,
        results=results,
        settings=settings_of(given),
        executor=executor,
        workers=workers,
        address=address,
        forward=opt.split(forward),
        retry_failed=retry_failed,
        cell_seconds=cell_timeout,
        gpu_bytes=None if gpu_memory is None else opt.memory_bytes(gpu_memory, "--gpu-memory"),
        metrics=metrics,
        command=shlex.join(["emergence", *sys.argv[1:]]),
        repeat=repeating(context),
    )
    for line in _before(run):
        say(line)
    with ProgressReporter(total=len(run.todo.cells), loading=run.loading) as reporter:
        progress = run.evaluate(reporter.update)
    took = duration(progress.elapsed_seconds)
    say(f"{progress.done} cells evaluated, {progress.failed} failed, in {took}; results in {run.store.place}/")
    if progress.failed or _left_alone(run):
        say(f"what failed and why: {shlex.join(['emergence', 'status', '--results', str(results)])}")
        raise typer.Exit(1)


def _left_alone(run: Run) -> int:
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
    if left := _left_alone(run):
        yield f"{left} cells failed before and are left alone; try them again with --retry-failed"
    if run.owner is None and run.store.is_remote and run.todo.cells:
        yield (
            f"{run.store.place}: this store has no conditional writes, so that runs into it do not know of each other; "
            "give each of several runs its own cells with --slice"
        )
    if run.shared:
        shared = counted(run.shared, "cell")
        yield f"{shared} of these are in the plan of another run, which goes on: each takes what is free"
    if run.sandbox is not None:
        yield f"programs that models write run in a sandbox, here {run.sandbox}"
