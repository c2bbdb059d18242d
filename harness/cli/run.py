"""`emergence run`: evaluate what is missing."""

from __future__ import annotations

import shlex
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.catalog import pinned
from harness.cli.options import (
    AllowCode,
    DataRoots,
    Engine,
    FamilyNames,
    IncludePath,
    Limit,
    ModelNames,
    Prompts,
    Results,
    Seeds,
    Shots,
    SuiteNames,
    TaskNames,
    make_plan,
)
from harness.cli.output import say
from harness.cli.progress import ProgressReporter
from harness.engines.energy import check_installed
from harness.engines.protocol import WITHOUT_MODEL, EngineSettings
from harness.errors import PlanError
from harness.executors.protocol import ExecutorSettings, open_executor
from harness.plan import DEFAULT_ENGINE, RunPlan
from harness.runner import run, settle, standing
from harness.runs import Recorder
from harness.store import Store
from harness.wording import duration


def command(
    suite: SuiteNames = None,
    task: TaskNames = None,
    family: FamilyNames = None,
    model: ModelNames = None,
    shots: Shots = None,
    prompts: Prompts = None,
    seeds: Seeds = None,
    limit: Limit = None,
    engine: Engine = DEFAULT_ENGINE,
    executor: Annotated[str, typer.Option(help="Where it runs: ray or inline (this process).")] = "ray",
    address: Annotated[str | None, typer.Option(help="Ray cluster to join: HOST:PORT or auto.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Models loaded at once; what the machine has unless told.")
    ] = None,
    device: Annotated[str, typer.Option(help="torch device; auto takes the worker's GPU, else the CPU.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Requests per forward pass, for the lm-eval engine.")] = 32,
    token_budget: Annotated[
        int | None,
        typer.Option(
            min=1, help="Tokens per forward pass, for the tree engine; 2048 on a CPU and 16384 on a GPU unless told."
        ),
    ] = None,
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="Numbers that depend on the document alone, bit by bit; slower."),
    ] = False,
    energy: Annotated[
        bool,
        typer.Option(
            "--energy",
            help="Each cell's energy, with codecarbon: measured where RAPL or NVML can be read, otherwise estimated "
            "from the processor's rated power.",
        ),
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed cells once more.")] = False,
    truncation: Annotated[
        Literal["refuse", "allow"],
        typer.Option(help="Prompts longer than the model's context: refuse the cell, or cut and count them."),
    ] = "refuse",
    confirm_run_unsafe_code: Annotated[
        bool, typer.Option("--confirm-run-unsafe-code", help="Execute programs that models write, in a sandbox.")
    ] = False,
    allow_unfenced: Annotated[
        bool,
        typer.Option(
            "--allow-unfenced",
            help="Execute them even where neither Landlock nor bubblewrap keeps them from your files.",
        ),
    ] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run Python files that come with a model.")
    ] = False,
    allow_tokenizer_code: Annotated[
        bool, typer.Option("--allow-tokenizer-code", help="Run Python files that come with a tokenizer.")
    ] = False,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Read weights that are no safetensors, such as pytorch_model.bin.")
    ] = False,
    include_path: IncludePath = None,
    data_root: DataRoots = None,
    allow_code: AllowCode = False,
    results: Results = Path("results"),
) -> None:
    """Evaluate every cell that is missing; what is done stays done. Exit 1 when a cell failed."""
    if energy:
        check_installed()
    plan = make_plan(
        suites=suite,
        tasks=task,
        families=family,
        models=model,
        shots=shots,
        prompts=prompts,
        seeds=seeds,
        limit=limit,
        engine=engine,
        include=include_path,
        data_roots=data_root,
        allow_code=allow_code,
    )
    _check_agreement(plan, confirm_run_unsafe_code)
    if workers is not None and workers < 1:
        raise PlanError(f"--workers {workers}: expected 1 or more")
    worker_pool = open_executor(executor, ExecutorSettings(workers=workers, address=address))
    if engine not in WITHOUT_MODEL:
        plan = plan.with_models(partial(pinned, allow_pickle=allow_pickle))
    if any(task.unsafe_code for task in plan.tasks.values()):
        from harness.scoring.sandbox import fenced_sandbox

        # On a cluster programs run elsewhere: there each worker looks at its own machine, and its cells fail.
        sandbox = fenced_sandbox(allow_unfenced=allow_unfenced or address is not None)
    store = Store(results)
    store.check_writable()
    done, failures, problems = store.outcomes()
    for problem in problems:
        say(f"skipped {problem}")
    held = settle(store, standing(plan, done, failures))
    for chore in held.chores():
        say(chore)
    kept = held.done if retry_failed else held.done | held.failed
    todo = plan.without(kept)
    if held.done:
        say(f"{len(held.done)} of {len(plan.cells)} cells are done already")
    stored = [*(r for r in done if r.cell.place in held.done), *(r for _, r in held.elsewhere)]
    if deterministic and (loose := sum(not r.provenance.deterministic for r in stored)):
        say(f"{loose} of them without --deterministic, and they stay so; give another --results for new ones")
    if held.failed and not retry_failed:
        despite = " despite --truncation allow" if truncation == "allow" else ""
        say(f"{len(held.failed)} cells failed before and are left alone{despite}; try them again with --retry-failed")
    if any(plan.tasks[c.task].unsafe_code for c in todo.cells):
        say(f"programs that models write run in a sandbox, here {sandbox.describe()}")
    settings = EngineSettings(
        device=device,
        batch_size=batch_size,
        token_budget=token_budget,
        deterministic=deterministic,
        trust_remote_code=trust_remote_code,
        allow_tokenizer_code=allow_tokenizer_code,
        allow_pickle=allow_pickle,
        allow_code=allow_code,
        confirm_run_unsafe_code=confirm_run_unsafe_code,
        allow_unfenced=allow_unfenced,
        truncation=truncation,
        energy=energy,
    )
    recorder = Recorder(store, plan=todo, command=shlex.join(["emergence", *sys.argv[1:]]), done_before=len(kept))
    outcomes = run(plan, store, worker_pool, settings, retry_failed=retry_failed)
    with recorder, ProgressReporter(total=len(todo.cells)) as reporter, closing(outcomes):
        for outcome in outcomes:
            reporter.update(outcome)
            recorder.update(reporter.progress)
    came = reporter.progress
    seconds = duration(came.elapsed_seconds)
    say(f"{came.done} cells evaluated, {came.failed} failed, in {seconds}; results in {results}/")
    if came.failed or (held.failed and not retry_failed):
        say("what failed and why: emergence status")
        raise typer.Exit(1)


def _check_agreement(plan: RunPlan, agreed: bool) -> None:
    """Programs written by a model are executed only after the user said so."""
    unsafe = sorted(name for name, task in plan.tasks.items() if task.unsafe_code)
    if unsafe and not agreed:
        raise PlanError(
            f"{', '.join(unsafe)}: scoring executes programs that the model wrote, in a sandbox with limits; "
            "agree with --confirm_run_unsafe_code or leave these tasks out"
        )
