"""`emergence run`: evaluate the cells that are missing."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

from harness.cli import plan_options, result_options, run_options
from harness.cli.given import plan_of
from harness.cli.output import say
from harness.cli.running import evaluated, left_alone, made_ready
from harness.cli.tracking import trackers_of
from harness.estimate import seconds_of
from harness.executors.signals import ended_by_sigterm
from harness.plan import AUTO_ENGINE, Slice, sliced


def command(
    context: typer.Context,
    suite: plan_options.SuiteNames = None,
    task: plan_options.TaskNames = None,
    family: plan_options.FamilyNames = None,
    model: plan_options.ModelNames = None,
    dtype: plan_options.ModelDtype = None,
    treatment: plan_options.Treatments = None,
    shots: plan_options.Shots = None,
    prompts: plan_options.Prompts = None,
    seeds: plan_options.Seeds = None,
    limit: plan_options.DocumentLimit = None,
    docs: plan_options.Documents = None,
    apply_chat_template: plan_options.ChatTemplate = False,
    system_instruction: plan_options.SystemInstruction = None,
    formats: plan_options.Formats = None,
    gen_kwargs: plan_options.GenerationOptions = None,
    engine: run_options.EngineName = AUTO_ENGINE,
    base_url: run_options.BaseUrl = None,
    api_key_env: run_options.KeyVariable = None,
    concurrency: run_options.Concurrency = 8,
    params: run_options.Parameters = None,
    executor: run_options.ExecutorName = "ray",
    address: run_options.Address = None,
    forward: run_options.Forward = None,
    workers: run_options.Workers = None,
    cell_timeout: run_options.CellTimeout = None,
    gpu_memory: run_options.GpuMemory = None,
    device: run_options.Device = "auto",
    batch_size: run_options.BatchSize = 32,
    token_budget: run_options.TokenBudget = None,
    deterministic: run_options.Deterministic = False,
    energy: run_options.Energy = False,
    retry_failed: run_options.RetryFailed = False,
    truncation: run_options.Truncation = "refuse",
    confirm_run_unsafe_code: run_options.UnsafeCode = False,
    allow_unfenced: run_options.AllowUnfenced = False,
    trust_remote_code: run_options.RemoteCode = False,
    allow_tokenizer_code: run_options.TokenizerCode = False,
    allow_pickle: run_options.AllowPickle = False,
    include_path: plan_options.IncludePath = None,
    data_root: plan_options.DataRoots = None,
    allow_code: plan_options.AllowCode = False,
    mirror: plan_options.MirrorFolder = None,
    slice_of: run_options.SliceOf = None,
    metrics: run_options.MetricsFile = None,
    track: run_options.Track = None,
    results: result_options.Results = Path("results"),
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
