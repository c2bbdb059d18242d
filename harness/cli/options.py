"""Options that mean the same in every verb, and what they select from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from harness.catalog import check_local_model, model_from_folder, params_doubt, resolved
from harness.cli.output import say
from harness.engines.protocol import ENGINES
from harness.errors import PlanError, unknown
from harness.plan import RunPlan, Sweep, expand
from harness.specs import ModelSpec, Suite

if TYPE_CHECKING:
    from harness.catalog import Catalog

_T = TypeVar("_T")

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
Scale = Annotated[Literal["params", "flops", "tokens", "loss"], typer.Option(help="The axis of scale.")]
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
Limit = Annotated[int | None, typer.Option("--limit", help="First so many documents of each task.")]
Engine = Annotated[str, typer.Option("--engine", help=f"Who answers: {', '.join(ENGINES)}.")]


def split(values: Sequence[str] | None) -> tuple[str, ...]:
    """Repeated options and commas alike: `--shots 0 --shots 2,5` is 0, 2, 5."""
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())


def numbers(values: Sequence[str] | None, option: str) -> tuple[int, ...] | None:
    """Whole numbers of a list option; None when the option was not given.

    Raises:
        PlanError: one is no whole number.
    """
    parts = split(values)
    try:
        return tuple(int(part) for part in parts) or None
    except ValueError:
        raise PlanError(f"{option} {','.join(parts)}: expected whole numbers such as 0,2,5") from None


def make_plan(
    *,
    suites: Sequence[str] | None,
    tasks: Sequence[str] | None,
    families: Sequence[str] | None,
    models: Sequence[str] | None,
    shots: Sequence[str] | None,
    prompts: Sequence[str] | None,
    seeds: int | None,
    limit: int | None,
    engine: str,
    include: Sequence[Path] | None,
    data_roots: Sequence[Path] | None,
    allow_code: bool,
) -> RunPlan:
    """The plan that the options of `plan` and `run` ask for.

    Args:
        suites: names of suites, or `all`.
        tasks: names of tasks; alone, or as a choice from the suites.
        families: names of families; None takes the embedded one.
        models: names of models of these families, or folders.
        shots: shot counts as typed; None leaves them to the suites.
        prompts: prompt variants; None leaves them to the suites.
        seeds: number of few-shot seeds; None leaves it to the suites.
        limit: first so many documents; None leaves it to the suites.
        engine: name of the engine.
        include: further folders and files of the user.
        data_roots: further folders that the user's tasks may read data from.
        allow_code: whether Python files that come with tasks may run.

    Raises:
        HarnessError: a name is not known, a number makes no sense, a file is wrong, a model cannot be read.
    """
    from harness.catalog import load_catalog  # building its validators takes a third of `--help`

    if engine not in ENGINES:
        raise PlanError(unknown("engine", engine, ENGINES))
    catalog = load_catalog(tuple(include or ()), data_roots=tuple(data_roots or ()), allow_code=allow_code)
    sweep = Sweep(shots=numbers(shots, "--shots"), prompts=split(prompts) or None, seeds=seeds, limit=limit)
    chosen = _suites(catalog, split(suites), split(tasks))
    catalog.check_templates(task for suite in chosen for task in suite.tasks)
    specs = tuple(resolved(model) for model in _models(catalog, split(families), split(models)))
    return expand(chosen, catalog.tasks, specs, sweep=sweep, engine=engine)


def _suites(catalog: Catalog, names: Sequence[str], tasks: Sequence[str]) -> list[Suite]:
    for task in tasks:
        catalog.task(task)
    if not names and not tasks:
        raise PlanError(f"nothing to run: give --suite or --task; suites: all, {', '.join(sorted(catalog.suites))}")
    known = [catalog.suite(name) for name in names if name != "all"]
    wanted = list(catalog.suites.values()) if "all" in names else known
    if not tasks:
        return wanted
    if not names:
        return [Suite(name="chosen", tasks=tuple(tasks))]
    kept = [_only(suite, tasks) for suite in wanted]
    if missing := set(tasks) - {task for suite in kept for task in suite.tasks}:
        raise PlanError(f"--task {','.join(sorted(missing))}: not in suite {', '.join(s.name for s in wanted)}")
    return [suite for suite in kept if suite.tasks]


def _only(suite: Suite, tasks: Sequence[str]) -> Suite:
    from dataclasses import replace

    return replace(suite, tasks=tuple(task for task in suite.tasks if task in tasks))


def _models(catalog: Catalog, families: Sequence[str], names: Sequence[str]) -> tuple[ModelSpec, ...]:
    folders = [name for name in names if _looks_like_folder(name)]
    names = [name for name in names if name not in folders]
    found = [model_from_folder(Path(folder)) for folder in folders]
    _check_names(found)
    if families or names or not folders:
        members = [m for family in families or ("embedded",) for m in catalog.family(family).models]
        if names:
            found += _named(names, members, catalog)
        else:
            found += members
    for model in found:
        check_local_model(model)
        if doubt := params_doubt(model):
            say(f"warning: {doubt}")
    return tuple(_distinct(found))


def _check_names(models: Iterable[ModelSpec]) -> None:
    """See that no two folders share their last name, by which they and their family are called."""
    paths: dict[str, str | None] = {}
    for model in models:
        if paths.setdefault(model.name, model.path) != model.path:
            raise PlanError(
                f"--model {paths[model.name]} and {model.path}: both would be called {model.name}; "
                "give each a name of its own in a family file, and the file with --include-path"
            )


def _named(names: Iterable[str], members: Sequence[ModelSpec], catalog: Catalog) -> list[ModelSpec]:
    chosen = []
    for name in names:
        matches = [m for m in members if _is_called(m, name)]
        if not matches:
            message = unknown("model", name, (m.name for m in members))
            if homes := [f.name for f in catalog.families.values() if any(_is_called(m, name) for m in f.models)]:
                raise PlanError(f"{message}; {name} is in --family {' and '.join(homes)}")
            raise PlanError(f"{message}; a folder is given as ./folder")
        chosen += matches
    return chosen


def _is_called(model: ModelSpec, name: str) -> bool:
    return name in (model.name, model.name.rpartition("/")[2])


def _distinct(items: Iterable[_T]) -> list[_T]:
    return list(dict.fromkeys(items))


def _looks_like_folder(name: str) -> bool:
    return name.startswith((".", "/", "~")) or Path(name).is_dir()
