"""Options of the verbs, each with its help, and how lists are read; the same option means the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.engines.protocol import ENGINES
from harness.errors import PlanError, unknown

Results = Annotated[Path, typer.Option("--results", help="Folder of the results.", show_default=True)]
ResultsOrTable = Annotated[
    Path | None, typer.Option("--results", help="Folder of the results; `results` unless told, or --table is given.")
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--table",
        help="CSV or Parquet file with anybody's results instead: columns family, model, params (or flops, tokens, "
        "loss), task, metric, n_shot, and k and n, or value and stderr.",
    ),
]
ScaleAxis = Annotated[Literal["params", "flops", "tokens", "loss"], typer.Option(help="The axis of scale.")]
FamilyChoice = Annotated[list[str] | None, typer.Option("--family", help="Only these families.")]
TaskChoice = Annotated[list[str] | None, typer.Option("--task", "--tasks", help="Only these tasks.")]
ShotChoice = Annotated[list[str] | None, typer.Option("--shots", "--num-fewshot", help="Only these shot counts.")]
FigureFile = Annotated[
    Path | None,
    typer.Option("--figure", help="Draw it too: FILE.html works offline; .png, .svg and .pdf hold one figure each."),
]
IncludePath = Annotated[
    list[Path] | None,
    typer.Option("--include-path", help="Folder or file with families, suites or tasks of your own. Repeatable."),
]
DataRoots = Annotated[
    list[Path] | None,
    typer.Option(
        "--data-root",
        help="Folder that your tasks may read data from, beside their own and the included one. Repeatable.",
    ),
]
AllowCode = Annotated[
    bool, typer.Option("--allow-code", help="Run Python files that come with a task: its metrics, its generation.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, nothing else.")]
SuiteNames = Annotated[
    list[str] | None, typer.Option("--suite", help="Suites to run, or `all`. Repeat, or separate by commas.")
]
TaskNames = Annotated[list[str] | None, typer.Option("--task", "--tasks", help="Only these tasks.")]
FamilyNames = Annotated[list[str] | None, typer.Option("--family", help="Model families; `embedded` unless told.")]
ModelNames = Annotated[
    list[str] | None, typer.Option("--model", help="Only these models of the families; or a folder with a model.")
]
Shots = Annotated[
    list[str] | None,
    typer.Option("--shots", "--num-fewshot", help="Shot counts, such as 0,2,5; the suite's unless told."),
]
Prompts = Annotated[list[str] | None, typer.Option("--prompts", help="Prompt variants, or `all`.")]
Seeds = Annotated[int | None, typer.Option("--seeds", help="Number of few-shot seeds; the suite's unless told.")]
DocumentLimit = Annotated[int | None, typer.Option("--limit", help="First so many documents of each task.")]


def _known_engine(name: str) -> str:
    if name not in ENGINES:
        raise PlanError(unknown("engine", name, ENGINES))
    return name


EngineName = Annotated[
    str, typer.Option("--engine", callback=_known_engine, help=f"Who answers: {', '.join(ENGINES)}.")
]
ExecutorName = Annotated[str, typer.Option(help="Where it runs: ray or inline (this process).")]
Address = Annotated[str | None, typer.Option(help="Ray cluster to join: HOST:PORT or auto.")]
Workers = Annotated[int | None, typer.Option(help="Models loaded at once; what the machine has unless told.")]
Device = Annotated[str, typer.Option(help="torch device; auto takes the worker's GPU, else the CPU.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Requests per forward pass, for the lm-eval engine.")]
TokenBudget = Annotated[
    int | None,
    typer.Option(
        min=1, help="Tokens per forward pass, for the tree engine; 2048 on a CPU and 16384 on a GPU unless told."
    ),
]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="Numbers that depend on the document alone, bit by bit; slower.")
]
Energy = Annotated[
    bool,
    typer.Option(
        "--energy",
        help="Each cell's energy, with codecarbon: measured where RAPL or NVML can be read, otherwise estimated "
        "from the processor's rated power.",
    ),
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try failed cells once more.")]
Truncation = Annotated[
    Literal["refuse", "allow"],
    typer.Option(help="Prompts longer than the model's context: refuse the cell, or cut and count them."),
]
UnsafeCode = Annotated[
    bool, typer.Option("--confirm-run-unsafe-code", help="Execute programs that models write, in a sandbox.")
]
AllowUnfenced = Annotated[
    bool,
    typer.Option(
        "--allow-unfenced", help="Execute them even where neither Landlock nor bubblewrap keeps them from your files."
    ),
]
RemoteCode = Annotated[bool, typer.Option("--trust-remote-code", help="Run Python files that come with a model.")]
TokenizerCode = Annotated[
    bool, typer.Option("--allow-tokenizer-code", help="Run Python files that come with a tokenizer.")
]
AllowPickle = Annotated[
    bool, typer.Option("--allow-pickle", help="Read weights that are no safetensors, such as pytorch_model.bin.")
]


def split(values: Sequence[str] | None) -> tuple[str, ...]:
    """Repeated options and commas alike: `--shots 0 --shots 2,5` is 0, 2, 5."""
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())


def whole_numbers(values: Sequence[str] | None, option: str) -> tuple[int, ...] | None:
    """Whole numbers of a list option; None when the option was not given.

    Raises:
        PlanError: one is no whole number.
    """
    parts = split(values)
    try:
        return tuple(int(part) for part in parts) or None
    except ValueError:
        raise PlanError(f"{option} {','.join(parts)}: expected whole numbers such as 0,2,5") from None
