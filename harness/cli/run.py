"""`emergence run`: evaluate the cells that are missing."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

from harness.cli import options as opt
from harness.cli.given import plan_of
from harness.cli.output import say
from harness.cli.running import evaluated, left_alone, made_ready
from harness.cli.tracking import trackers_of
from harness.estimate import seconds_of
from harness.executors.signals import ended_by_sigterm
from harness.plan import AUTO_ENGINE, Slice, sliced


def command(
    context: typer.Context,
    suite: opt.SuiteNames = None,
    task: opt.TaskNames = None,
    family: opt.FamilyNames = None,
    model: opt.ModelNames = None,
    dtype: opt.ModelDtype = None,
    treatment: opt.Treatments = None,
    shots: opt.Shots = None,
    prompts: opt.Prompts = None,
    seeds: opt.Seeds = None,
    limit: opt.DocumentLimit = None,
    docs: opt.Documents = None,
    apply_chat_template: opt.ChatTemplate = False,
    system_instruction: opt.SystemInstruction = None,
    formats: opt.Formats = None,
    gen_kwargs: opt.GenerationOptions = None,
    engine: opt.EngineName = AUTO_ENGINE,
    base_url: opt.BaseUrl = None,
    api_key_env: opt.KeyVariable = None,
    concurrency: opt.Concurrency = 8,
    params: opt.Parameters = None,
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
    track: opt.Track = None,
    results: opt.Results = Path("results"),
) -> None:
    """Evaluate every cell that has no result yet. Exits with 1 when a cell failed."""
    given = locals()
    trackers = trackers_of(track, results)
    with ended_by_sigterm():
        plan = plan_of(given)
        if slice_of is not None:
            plan = sliced(plan, Slice.parse(slice_of), seconds_of)
        run = made_ready(plan, context, given)
        progress = evaluated(run, trackers)
    if progress.failed or left_alone(run):
        say(f"what failed and why: {shlex.join(['emergence', 'status', '--results', str(results)])}")
        raise typer.Exit(1)
