"""Options of the verbs with their help, and how lists are read. An option means the same in every verb."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.catalog import offline
from harness.engines.protocol import ENGINES
from harness.errors import PlanError, unknown
from harness.plan import AUTO_ENGINE
from harness.plausible import LARGEST_COUNT
from harness.wording import quantity

_MODELS, _ASKED = "Which models", "What is asked"
_WHERE, _HOW = "Where they run", "How they run"
_AGREED, _KEPT = "What is agreed to", "Results"
"""Groups of options in the help of `run` and of the verbs that take its options."""
Results = Annotated[
    Path, typer.Option("--results", help="Folder of the results.", show_default=True, rich_help_panel=_KEPT)
]
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
TableColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        help="Columns of the table that are called otherwise, or a value for all its rows: value=score,params=size,"
        "n_shot=0.",
    ),
]
ScaleAxis = Annotated[
    Literal["params", "params_non_embedding", "params_active", "flops", "tokens", "loss"],
    typer.Option(
        help="The axis of scale: parameters in all, outside the embeddings or used per token; compute, tokens or loss."
    ),
]
FamilyChoice = Annotated[list[str] | None, typer.Option("--family", help="Only these families.")]
TaskChoice = Annotated[list[str] | None, typer.Option("--task", "--tasks", help="Only these tasks.")]
ShotChoice = Annotated[list[str] | None, typer.Option("--shots", "--num-fewshot", help="Only these shot counts.")]
CompareWith = Annotated[
    list[Path] | None,
    typer.Option(
        "--compare-with",
        help="Results of others to draw beside: a results folder, also of imported results, or a table as --table "
        "takes it. What is comparable joins curves and verdicts, the rest is drawn alone. Can be repeated.",
    ),
]
FigureFile = Annotated[
    Path | None,
    typer.Option(
        "--figure",
        help="Draw figures into this file too: an .html page works offline; .svg, .png and .pdf are one picture.",
    ),
]
PictureWidth = Annotated[
    str | None,
    typer.Option(
        "--width",
        help="Width of that picture in a paper, such as 3.3in, 84mm or 600px. All its letters have one size then, and "
        "its caption goes to stderr.",
    ),
]
PictureFont = Annotated[
    float | None, typer.Option("--font", help="Size of these letters in points; 8 unless told.", show_default=False)
]
IncludePath = Annotated[
    list[Path] | None,
    typer.Option(
        "--include-path",
        help="Folder or file with families, suites, tasks or treatments of your own. Can be repeated.",
        rich_help_panel=_ASKED,
    ),
]
DataRoots = Annotated[
    list[Path] | None,
    typer.Option(
        "--data-root",
        help="Folder that your tasks may read data from, beside their own and that of --include-path. Can be repeated.",
        rich_help_panel=_ASKED,
    ),
]
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        help="Run Python files that come with a task, which compute its metrics or write its answers.",
        rich_help_panel=_AGREED,
    ),
]
MirrorFolder = Annotated[
    Path | None,
    typer.Option(
        "--mirror",
        envvar=offline.MIRROR,
        help="Folder with the models and data sets of the hub, ORG/NAME and datasets/ORG/NAME, as `emergence prepare` "
        "fills it; nothing is asked of the network then.",
        rich_help_panel=_MODELS,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
SuiteNames = Annotated[
    list[str] | None,
    typer.Option(
        "--suite",
        help="Suites to run, or `all`. Repeat the option, or separate names by commas.",
        rich_help_panel=_ASKED,
    ),
]
TaskNames = Annotated[
    list[str] | None, typer.Option("--task", "--tasks", help="Only these tasks.", rich_help_panel=_ASKED)
]
FamilyNames = Annotated[
    list[str] | None, typer.Option("--family", help="Model families; `embedded` unless told.", rich_help_panel=_MODELS)
]
ModelNames = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="Only these models of the families, or checkpoints of them, such as pythia-70m@step1000 or "
        "'pythia-70m@step*'; or a folder with a model, such as ./folder, a pattern such as 'run/checkpoint-*', or a "
        "model of the hub, organisation/name.",
        rich_help_panel=_MODELS,
    ),
]
ModelDtype = Annotated[
    Literal["float32", "bfloat16", "float16"] | None,
    typer.Option(
        "--dtype",
        help="Number format that the models are loaded in; that of their family unless told, float32 without one.",
        rich_help_panel=_MODELS,
    ),
]
Treatments = Annotated[
    list[str] | None,
    typer.Option(
        "--treatment",
        help="What is done to the weights of every model, such as none,int8,finetune@64: each makes a variant of it, "
        "with curves of its own; `none` is the model as it is. `emergence list treatments` shows all.",
        rich_help_panel=_MODELS,
    ),
]
Shots = Annotated[
    list[str] | None,
    typer.Option(
        "--shots", "--num-fewshot", help="Shot counts, such as 0,2,5; the suite's unless told.", rich_help_panel=_ASKED
    ),
]
Prompts = Annotated[
    list[str] | None, typer.Option("--prompts", help="Prompt variants, or `all`.", rich_help_panel=_ASKED)
]
Seeds = Annotated[
    int | None,
    typer.Option("--seeds", help="Number of few-shot seeds; the suite's unless told.", rich_help_panel=_ASKED),
]
Gpus = Annotated[
    int | None,
    typer.Option("--gpus", min=1, help="Tell how long a cluster of so many GPUs takes, at what cost."),
]
GpusPerNode = Annotated[int, typer.Option("--gpus-per-node", min=1, help="GPUs of one node of that cluster.")]
GpuMemory = Annotated[
    str | None,
    typer.Option(
        "--gpu-memory", help="Memory of one GPU, such as 80GB; what GPUs that are there tell.", rich_help_panel=_WHERE
    ),
]
CellTimeout = Annotated[
    float | None,
    typer.Option(
        "--cell-timeout",
        min=1.0,
        help="Seconds after which a worker that answers one cell is ended; ten times the cell's estimate, and ten "
        "minutes at least, unless told.",
        rich_help_panel=_WHERE,
    ),
]
Price = Annotated[float | None, typer.Option("--price", min=0.0, help="Price of one GPU for an hour, in any currency.")]
DocumentLimit = Annotated[
    str | None,
    typer.Option(
        "--limit",
        help="Number of documents of each task, from the first on; below 1 a share of them, such as 0.1.",
        rich_help_panel=_ASKED,
    ),
]
Documents = Annotated[
    list[str] | None,
    typer.Option(
        "--docs",
        help="Only the documents with these numbers, such as 17 or 17,19-25, the first being 0: a trial, never part of "
        "a whole cell.",
        rich_help_panel=_ASKED,
    ),
]

ChatTemplate = Annotated[
    bool,
    typer.Option(
        "--apply-chat-template",
        help="Ask in turns, by each model's own chat template, examples as earlier turns; such cells have curves of "
        "their own.",
        rich_help_panel=_ASKED,
    ),
]
SystemInstruction = Annotated[
    str | None,
    typer.Option(
        "--system-instruction",
        help="Text before every prompt, or the system turn of a chat template.",
        rich_help_panel=_ASKED,
    ),
]


GenerationOptions = Annotated[
    str | None,
    typer.Option(
        "--gen-kwargs",
        help="Options of writing texts, such as temperature=0.7,max_gen_toks=64, instead of those of the tasks; such "
        "cells have curves of their own.",
        rich_help_panel=_ASKED,
    ),
]


Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--formats",
        help="Ask for options by letter, `mc`, and by their texts, `cloze`; the format of each task unless told. Cells "
        "of the other format have curves of their own, and are judged beside those of the task.",
        rich_help_panel=_ASKED,
    ),
]


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
        rich_help_panel=_HOW,
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        help="Address of the server for --engine server, such as http://host:8000/v1.",
        rich_help_panel=_HOW,
    ),
]
KeyVariable = Annotated[
    str | None,
    typer.Option(
        "--api-key-env",
        metavar="VARIABLE",
        help="Environment variable with the server's key; OPENAI_API_KEY unless told. The key is stored nowhere.",
        rich_help_panel=_HOW,
    ),
]
Concurrency = Annotated[
    int, typer.Option(min=1, max=1024, help="Requests to the server under way at a time.", rich_help_panel=_HOW)
]
Parameters = Annotated[
    str | None,
    typer.Option(
        "--params",
        help="Parameters of a model on a server that no family file describes, such as 7e9 or 7B.",
        rich_help_panel=_HOW,
    ),
]
ExecutorName = Annotated[
    str, typer.Option(help="Where models run: ray, or inline for this process.", rich_help_panel=_WHERE)
]
Address = Annotated[str | None, typer.Option(help="Ray cluster to join: HOST:PORT or auto.", rich_help_panel=_WHERE)]
Forward = Annotated[
    list[str] | None,
    typer.Option(
        "--forward",
        help="Environment variable that workers on other machines get too, besides those of Hugging Face, proxies and "
        "certificates. Can be repeated.",
        rich_help_panel=_WHERE,
    ),
]
Workers = Annotated[
    int | None, typer.Option(help="Models loaded at once; what the machine has unless told.", rich_help_panel=_WHERE)
]
Device = Annotated[
    str,
    typer.Option(
        help="torch device; auto takes the GPU of a worker if it has one, else the CPU.", rich_help_panel=_WHERE
    ),
]
BatchSize = Annotated[
    int, typer.Option(min=1, help="Requests per forward pass, for the lm-eval engine.", rich_help_panel=_HOW)
]
TokenBudget = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Tokens per forward pass, for the tree engine; 2048 on a CPU and 16384 on a GPU unless told.",
        rich_help_panel=_HOW,
    ),
]
Deterministic = Annotated[
    bool,
    typer.Option(
        "--deterministic",
        help="Compute scores that depend on each document alone, bit by bit; slower.",
        rich_help_panel=_HOW,
    ),
]
Energy = Annotated[
    bool,
    typer.Option(
        "--energy",
        help="Record the energy of each cell, with codecarbon: measured where RAPL or NVML can be read, otherwise "
        "estimated from the rated power of the processor.",
        rich_help_panel=_HOW,
    ),
]
SliceOf = Annotated[
    str | None,
    typer.Option(
        "--slice",
        help="One part of the plan, such as 3/16; for arrays of jobs with one results folder.",
        rich_help_panel=_WHERE,
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
        rich_help_panel=_KEPT,
    ),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        help="Text file for Prometheus, written every ten seconds: cells, rate, workers, GPUs.",
        rich_help_panel=_KEPT,
    ),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Evaluate cells again that failed before.", rich_help_panel=_KEPT)
]
Truncation = Annotated[
    Literal["refuse", "allow"],
    typer.Option(
        help="What to do with prompts longer than the model's context: let the cell fail, or cut and count them.",
        rich_help_panel=_HOW,
    ),
]
UnsafeCode = Annotated[
    bool,
    typer.Option(
        "--confirm-run-unsafe-code", help="Execute programs that models write, in a sandbox.", rich_help_panel=_AGREED
    ),
]
AllowUnfenced = Annotated[
    bool,
    typer.Option(
        "--allow-unfenced",
        help="Execute these programs even where neither Landlock nor bubblewrap keeps them from your files.",
        rich_help_panel=_AGREED,
    ),
]
RemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run Python files that come with a model.", rich_help_panel=_AGREED)
]
TokenizerCode = Annotated[
    bool,
    typer.Option(
        "--allow-tokenizer-code", help="Run Python files that come with a tokenizer.", rich_help_panel=_AGREED
    ),
]
AllowPickle = Annotated[
    bool,
    typer.Option(
        "--allow-pickle",
        help="Read weights that are not safetensors, such as pytorch_model.bin, which can run code.",
        rich_help_panel=_AGREED,
    ),
]


def memory_bytes(text: str, option: str) -> float:
    """Bytes of a size such as `80GB`, `40 GiB` or `80`, which counts in gigabytes.

    Raises:
        PlanError: it is no size, or none that a GPU has.

    >>> memory_bytes("80GB", "--gpu-memory"), memory_bytes("16GiB", "--gpu-memory")
    (80000000000.0, 17179869184.0)
    """
    units = {"": 1e9, "gb": 1e9, "gib": 2.0**30, "g": 1e9, "tb": 1e12, "tib": 2.0**40}
    found = re.fullmatch(r"(\d{1,7}(?:\.\d{1,3})?)\s*([a-z]*)", text.strip().lower())
    size = float(found[1]) * units.get(found[2], 0.0) if found else 0.0
    if not 1e9 <= size <= 1e13:
        raise PlanError(f"{option} {text}: expected a size such as 80GB, of 1 GB to 10,000 GB")
    return size


def seconds_in(text: str, option: str) -> float:
    """Seconds of a time such as `30s`, `10m`, `1.5h` or `600`.

    Raises:
        PlanError: it is none, or longer than a month.

    >>> seconds_in("10m", "--every"), seconds_in("30", "--every")
    (600.0, 30.0)
    """
    found = re.fullmatch(r"(\d{1,7}(?:\.\d{1,3})?)\s*([smhd]?)", text.strip().lower())
    seconds = float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]] if found else 0.0
    if not 0.0 < seconds <= 2_678_400:
        raise PlanError(f"{option} {text}: expected a time such as 30s, 10m or 1h, of a month at most")
    return seconds


def count_of(text: str, option: str) -> int:
    """A whole number above 0 that people write in short, such as 2M.

    Raises:
        PlanError: it is none.

    >>> count_of("2M", "--tokens-per-step"), count_of("2097152", "--tokens-per-step")
    (2000000, 2097152)
    """
    read = quantity(text)
    if read is None or not 0 < read <= LARGEST_COUNT or read != read.to_integral_value():
        raise PlanError(f"{option} {text}: expected a whole number above 0, such as 2097152 or 2M")
    return int(read)


def document_limit(text: str | None) -> int | float | None:
    """Number of documents, or a share of them below 1; None for all.

    Raises:
        PlanError: it is neither.

    >>> document_limit("100"), document_limit("0.1"), document_limit(None)
    (100, 0.1, None)
    """
    if text is None:
        return None
    number = float(text) if re.fullmatch(r"-?(\d{1,15}(\.\d*)?|\.\d+)", text.strip()) else math.nan
    if 0.0 < number < 1.0:
        return number
    if number.is_integer():
        return int(number)
    raise PlanError(f"--limit {text}: expected a number of documents such as 100, or a share of them such as 0.1")


def split(values: Sequence[str] | None) -> tuple[str, ...]:
    """The words of a list option, which can be repeated or separated by commas: `--shots 0 --shots 2,5` is 0, 2, 5."""
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())


def whole_numbers(values: Sequence[str] | None, option: str) -> tuple[int, ...] | None:
    """The whole numbers of a list option; None when the option was not given.

    Raises:
        PlanError: a word is not a whole number.
    """
    parts = split(values)
    try:
        return tuple(int(part) for part in parts) or None
    except ValueError:
        raise PlanError(f"{option} {','.join(parts)}: expected whole numbers such as 0,2,5") from None
