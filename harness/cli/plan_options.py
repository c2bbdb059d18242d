"""Options that choose the cells of a plan: which models, and what they are asked. Each means the same in every verb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.catalog import offline
from harness.cli.option_panels import AGREED, ASKED, MODELS

SuiteNames = Annotated[
    list[str] | None,
    typer.Option(
        "--suite",
        help="Suites to run, or `all`. Repeat the option, or separate names by commas.",
        rich_help_panel=ASKED,
    ),
]
TaskNames = Annotated[
    list[str] | None, typer.Option("--task", "--tasks", help="Only these tasks.", rich_help_panel=ASKED)
]
FamilyNames = Annotated[
    list[str] | None, typer.Option("--family", help="Model families; `embedded` unless told.", rich_help_panel=MODELS)
]
ModelNames = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="Only these models of the families, or checkpoints of them, such as pythia-70m@step1000 or "
        "'pythia-70m@step*'; or a folder with a model, such as ./folder, a pattern such as 'run/checkpoint-*', or a "
        "model of the hub, organisation/name.",
        rich_help_panel=MODELS,
    ),
]
ModelDtype = Annotated[
    Literal["float32", "bfloat16", "float16"] | None,
    typer.Option(
        "--dtype",
        help="Number format that the models are loaded in; that of their family unless told, float32 without one.",
        rich_help_panel=MODELS,
    ),
]
Treatments = Annotated[
    list[str] | None,
    typer.Option(
        "--treatment",
        help="What is done to the weights of every model, such as none,int8,finetune@64: each makes a variant of it, "
        "with curves of its own; `none` is the model as it is. `emergence list treatments` shows all.",
        rich_help_panel=MODELS,
    ),
]
Shots = Annotated[
    list[str] | None,
    typer.Option(
        "--shots", "--num-fewshot", help="Shot counts, such as 0,2,5; the suite's unless told.", rich_help_panel=ASKED
    ),
]
Prompts = Annotated[
    list[str] | None, typer.Option("--prompts", help="Prompt variants, or `all`.", rich_help_panel=ASKED)
]
Seeds = Annotated[
    int | None,
    typer.Option("--seeds", help="Number of few-shot seeds; the suite's unless told.", rich_help_panel=ASKED),
]
DocumentLimit = Annotated[
    str | None,
    typer.Option(
        "--limit",
        help="Number of documents of each task, from the first on; below 1 a share of them, such as 0.1.",
        rich_help_panel=ASKED,
    ),
]
Documents = Annotated[
    list[str] | None,
    typer.Option(
        "--docs",
        help="Only the documents with these numbers, such as 17 or 17,19-25, the first being 0: a trial, never part of "
        "a whole cell.",
        rich_help_panel=ASKED,
    ),
]
ChatTemplate = Annotated[
    bool,
    typer.Option(
        "--apply-chat-template",
        help="Ask in turns, by each model's own chat template, examples as earlier turns; such cells have curves of "
        "their own.",
        rich_help_panel=ASKED,
    ),
]
SystemInstruction = Annotated[
    str | None,
    typer.Option(
        "--system-instruction",
        help="Text before every prompt, or the system turn of a chat template.",
        rich_help_panel=ASKED,
    ),
]
GenerationOptions = Annotated[
    str | None,
    typer.Option(
        "--gen-kwargs",
        help="Options of writing texts, such as temperature=0.7,max_gen_toks=64, instead of those of the tasks; such "
        "cells have curves of their own.",
        rich_help_panel=ASKED,
    ),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--formats",
        help="Ask for options by letter, `mc`, and by their texts, `cloze`; the format of each task unless told. Cells "
        "of the other format have curves of their own, and are judged beside those of the task.",
        rich_help_panel=ASKED,
    ),
]
IncludePath = Annotated[
    list[Path] | None,
    typer.Option(
        "--include-path",
        help="Folder or file with families, suites, tasks or treatments of your own. Can be repeated.",
        rich_help_panel=ASKED,
    ),
]
DataRoots = Annotated[
    list[Path] | None,
    typer.Option(
        "--data-root",
        help="Folder that your tasks may read data from, beside their own and that of --include-path. Can be repeated.",
        rich_help_panel=ASKED,
    ),
]
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        help="Run Python files that come with a task, which compute its metrics or write its answers.",
        rich_help_panel=AGREED,
    ),
]
MirrorFolder = Annotated[
    Path | None,
    typer.Option(
        "--mirror",
        envvar=offline.MIRROR,
        help="Folder with the models and data sets of the hub, ORG/NAME and datasets/ORG/NAME, as `emergence prepare` "
        "fills it; nothing is asked of the network then.",
        rich_help_panel=MODELS,
    ),
]
