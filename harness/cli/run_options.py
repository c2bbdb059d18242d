"""Options of how and where models run. Each means the same in every verb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.option_panels import AGREED, HOW, STORED, WHERE
from harness.engines.protocol import ENGINES
from harness.errors import PlanError, unknown
from harness.plan import AUTO_ENGINE

Gpus = Annotated[
    int | None,
    typer.Option("--gpus", min=1, help="Tell how long a cluster of so many GPUs takes, at what cost."),
]
GpusPerNode = Annotated[int, typer.Option("--gpus-per-node", min=1, help="GPUs of one node of that cluster.")]
GpuMemory = Annotated[
    str | None,
    typer.Option(
        "--gpu-memory", help="Memory of one GPU, such as 80GB; what GPUs that are there tell.", rich_help_panel=WHERE
    ),
]
CellTimeout = Annotated[
    float | None,
    typer.Option(
        "--cell-timeout",
        min=1.0,
        help="Seconds after which a worker that answers one cell is ended; ten times the cell's estimate, and ten "
        "minutes at least, unless told.",
        rich_help_panel=WHERE,
    ),
]
Price = Annotated[float | None, typer.Option("--price", min=0.0, help="Price of one GPU for an hour, in any currency.")]


def _known_engine(name: str) -> str:
    if name != AUTO_ENGINE and name not in ENGINES:
        raise PlanError(unknown("engine", name, (AUTO_ENGINE, *ENGINES)))
    return name


EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        callback=_known_engine,
        help=f"Engine that answers: {', '.join(ENGINES)}; auto takes tree, seq2seq or encoder, as the model is.",
        rich_help_panel=HOW,
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        help="Address of the server for --engine server, such as http://host:8000/v1.",
        rich_help_panel=HOW,
    ),
]
KeyVariable = Annotated[
    str | None,
    typer.Option(
        "--api-key-env",
        metavar="VARIABLE",
        help="Environment variable with the server's key; OPENAI_API_KEY unless told. The key is stored nowhere.",
        rich_help_panel=HOW,
    ),
]
Concurrency = Annotated[
    int, typer.Option(min=1, max=1024, help="Requests to the server under way at a time.", rich_help_panel=HOW)
]
Parameters = Annotated[
    str | None,
    typer.Option(
        "--params",
        help="Parameters of a model on a server that no family file describes, such as 7e9 or 7B.",
        rich_help_panel=HOW,
    ),
]
ExecutorName = Annotated[
    str, typer.Option(help="Where models run: ray, or inline for this process.", rich_help_panel=WHERE)
]
Address = Annotated[str | None, typer.Option(help="Ray cluster to join: HOST:PORT or auto.", rich_help_panel=WHERE)]
Forward = Annotated[
    list[str] | None,
    typer.Option(
        "--forward",
        help="Environment variable that workers on other machines get too, besides those of Hugging Face, proxies and "
        "certificates. Can be repeated.",
        rich_help_panel=WHERE,
    ),
]
Workers = Annotated[
    int | None, typer.Option(help="Models loaded at once; what the machine has unless told.", rich_help_panel=WHERE)
]
Device = Annotated[
    str,
    typer.Option(
        help="torch device; auto takes the GPU of a worker if it has one, else the CPU.", rich_help_panel=WHERE
    ),
]
BatchSize = Annotated[
    int, typer.Option(min=1, help="Requests per forward pass, for the lm-eval engine.", rich_help_panel=HOW)
]
TokenBudget = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Tokens per forward pass, for the tree engine; 2048 on a CPU and 16384 on a GPU unless told.",
        rich_help_panel=HOW,
    ),
]
Deterministic = Annotated[
    bool,
    typer.Option(
        "--deterministic",
        help="Compute scores that depend on each document alone, bit by bit; slower.",
        rich_help_panel=HOW,
    ),
]
Energy = Annotated[
    bool,
    typer.Option(
        "--energy",
        help="Record the energy of each cell, with codecarbon: measured where RAPL or NVML can be read, otherwise "
        "estimated from the rated power of the processor.",
        rich_help_panel=HOW,
    ),
]
SliceOf = Annotated[
    str | None,
    typer.Option(
        "--slice",
        help="One part of the plan, such as 3/16; for arrays of jobs with one results folder.",
        rich_help_panel=WHERE,
    ),
]
TRACKER_WORDS = "tensorboard[:DIR], wandb[:PROJECT], mlflow[:EXPERIMENT], trackio[:PROJECT]"
"""What `--track` takes, for help and messages."""
Track = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        help=f"Let a tracker of experiments follow the run: {TRACKER_WORDS}. It can fail, and the run goes on. Can be "
        "repeated.",
        rich_help_panel=STORED,
    ),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        help="Text file for Prometheus, written every ten seconds: cells, rate, workers, GPUs.",
        rich_help_panel=STORED,
    ),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Evaluate cells again that failed before.", rich_help_panel=STORED)
]
Truncation = Annotated[
    Literal["refuse", "allow"],
    typer.Option(
        help="What to do with prompts longer than the model's context: let the cell fail, or cut and count them.",
        rich_help_panel=HOW,
    ),
]
UnsafeCode = Annotated[
    bool,
    typer.Option(
        "--confirm-run-unsafe-code", help="Execute programs that models write, in a sandbox.", rich_help_panel=AGREED
    ),
]
AllowUnfenced = Annotated[
    bool,
    typer.Option(
        "--allow-unfenced",
        help="Execute these programs even where neither Landlock nor bubblewrap keeps them from your files.",
        rich_help_panel=AGREED,
    ),
]
RemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run Python files that come with a model.", rich_help_panel=AGREED)
]
TokenizerCode = Annotated[
    bool,
    typer.Option("--allow-tokenizer-code", help="Run Python files that come with a tokenizer.", rich_help_panel=AGREED),
]
AllowPickle = Annotated[
    bool,
    typer.Option(
        "--allow-pickle",
        help="Read weights that are not safetensors, such as pytorch_model.bin, which can run code.",
        rich_help_panel=AGREED,
    ),
]
