"""Plans: which cells are to be evaluated. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import PlanError, unknown
from harness.plan.cell import DEFAULT_ENGINE, Cell, Place
from harness.plan.documents import chosen_documents, written_documents
from harness.plan.formats import has_twin, twin_metrics, twins_asked
from harness.plan.generation import generation_of
from harness.plausible import COUNT, INDEX, LARGEST_COUNT
from harness.specs import ModelSpec, Suite, TaskSpec
from harness.wording import count, cut, quoted

MOST_CELLS = 1_000_000
"""Of one plan; more would take minutes to list, and nobody has evaluated so many."""
ALL = "all"
"""The word for every suite, or for every prompt of a task: no name of one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan:
    """The cells that a run is to evaluate, with their tasks."""

    cells: tuple[Cell, ...]
    """Each place once, in the order in which suites, tasks and models were given."""
    tasks: Mapping[str, TaskSpec]
    """Task name -> spec, for every task of the cells."""
    pickles: tuple[Path, ...] = ()
    """Weights of local models that are pickles, which can run code when they are read; `evaluate` refuses them unless
    they are allowed."""

    def without(self, places: Iterable[Place]) -> RunPlan:
        """The plan without the cells at these places."""
        gone = frozenset(places)
        return replace(self, cells=tuple(c for c in self.cells if c.place not in gone))

    def with_models(self, change: Callable[[ModelSpec], ModelSpec]) -> RunPlan:
        """The plan with every model replaced by `change(model)`, which is called once per model."""
        changed = {model: change(model) for model in dict.fromkeys(c.model for c in self.cells)}
        return replace(self, cells=tuple(replace(c, model=changed[c.model]) for c in self.cells))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What the user wants to vary; None leaves the choice to each suite."""

    shots: tuple[int, ...] | None = None
    """Shot counts."""
    prompts: tuple[str, ...] | None = None
    """Prompt variants; ("all",) takes every variant of each task."""
    seeds: int | None = None
    """Number of few-shot seeds."""
    limit: int | float | None = None
    """Number of documents of each task, from the first on; below 1 a share of them."""
    counted: Callable[[TaskSpec], int] | None = None
    """Counts the documents of a task whose number is not known, for such a share; None refuses it."""
    docs: str | None = None
    """Numbers of the documents that are asked of each task, such as `17,19-25`: a trial; None for all of them."""
    chat: bool = False
    """True wraps prompts in turns by each model's own chat template."""
    system: str | None = None
    """System instruction before every prompt; None for none."""
    generation: Mapping[str, Any] | None = None
    """Options of writing texts, beyond those of each task that has texts written; None for none."""
    formats: tuple[str, ...] | None = None
    """Formats in which options are asked, `mc` and `cloze`; None takes the one that each task is written in."""


def expand(
    suites: Sequence[Suite],
    tasks: Mapping[str, TaskSpec],
    models: Sequence[ModelSpec],
    *,
    sweep: Sweep | None = None,
    engine: str = DEFAULT_ENGINE,
    engines: Mapping[ModelSpec, str] | None = None,
) -> RunPlan:
    """Every cell of these suites, models and sweep, each once.

    At 0 shots, or with demonstrations in the order of their file, all seeds ask the same questions and greedy decoding
    gives the same answers: seed 0 alone is kept. A model that is trained on the task is another one for each seed.

    Args:
        suites: in the order their cells should run.
        tasks: every task the suites name.
        models: models to evaluate.
        sweep: shots, prompts, seeds and limit that the user chose; None takes those of each suite.
        engine: name of the engine, part of each cell's key.
        engines: models that another engine asks; None for none.

    Raises:
        PlanError: a negative number, an unknown prompt, or more shots than a task can give.
    """
    sweep = sweep or Sweep()
    _check(sweep)
    _check_number(suites, tasks, models, sweep)
    docs = None if sweep.docs is None else written_documents(sweep.docs)
    cells: dict[Place, Cell] = {}
    used: dict[str, TaskSpec] = {}
    for suite in suites:
        shots = suite.shots if sweep.shots is None else sweep.shots
        seeds = suite.seeds if sweep.seeds is None else sweep.seeds
        limit = suite.limit if sweep.limit is None and docs is None else sweep.limit
        for name in suite.tasks:
            task = used[name] = tasks[name]
            n_asked = _number(limit, task, sweep)
            if docs is not None:
                _check_documents(task, docs)
            prompts = _prompts(task, suite.prompts if sweep.prompts is None else sweep.prompts)
            asked = [(prompt, twin) for prompt in prompts for twin in twins_asked(task, prompt, sweep.formats)]
            for model in models:
                for n_shots in task.shots(shots):
                    _check_shots(task, n_shots)
                    for prompt, twin in asked:
                        drawn = (n_shots and task.shuffles(prompt)) or task.draws(prompt, sweep.generation)
                        for seed in range(seeds if drawn or model.tuned else 1):
                            cell = Cell(
                                model=model,
                                task=task.name,
                                suite=task.suite,
                                kind=task.kind,
                                task_version=task.version,
                                task_digest=task.digest,
                                metrics=task.metrics if twin is None else twin_metrics(task, twin),
                                shots=n_shots,
                                prompt=prompt,
                                seed=seed,
                                limit=n_asked,
                                docs=docs,
                                chat="template" if sweep.chat else None,
                                system=sweep.system,
                                format=twin,
                                generation=generation_of(task, prompt, sweep.generation),
                                engine=(engines or {}).get(model, engine),
                            )
                            cells.setdefault(cell.place, cell)
    if sweep.formats and used and not any(map(has_twin, used.values())):
        named = cut(", ".join(used))
        raise PlanError(f"--formats {','.join(sweep.formats)}: no task has options to ask in another format: {named}")
    if sweep.generation and used and not any(task.generates for task in used.values()):
        raise PlanError(f"--gen-kwargs: no task has texts written: {cut(', '.join(used))}")
    return RunPlan(cells=tuple(cells.values()), tasks=used)


def _check(sweep: Sweep) -> None:
    for shots in sweep.shots or ():
        if not 0 <= shots <= LARGEST_COUNT:
            raise PlanError(f"--shots {quoted(shots)}: expected {INDEX.expected}")
    if sweep.seeds is not None and not 1 <= sweep.seeds <= LARGEST_COUNT:
        raise PlanError(f"--seeds {quoted(sweep.seeds)}: expected 1 or more (the number of few-shot seeds)")
    if isinstance(sweep.limit, float):
        if not 0.0 < sweep.limit < 1.0:
            raise PlanError(f"--limit {quoted(sweep.limit)}: expected a whole number, or a share between 0 and 1")
    elif sweep.limit is not None and not 1 <= sweep.limit <= LARGEST_COUNT:
        raise PlanError(f"--limit {quoted(sweep.limit)}: expected {COUNT.expected}")
    if sweep.limit is not None and sweep.docs is not None:
        raise PlanError("--docs and --limit: expected one of them")


def _number(limit: int | float | None, task: TaskSpec, sweep: Sweep) -> int | None:
    """Number of documents of a task that a limit stands for; a share is rounded up, as lm-eval does it."""
    if limit is None or isinstance(limit, int):
        return limit
    number = task.n_docs
    if number is None and sweep.counted is not None:
        number = sweep.counted(task)
    if number is None:
        raise PlanError(f"--limit {limit:g}: task {task.name} has an unknown number of documents; expected a number")
    return max(1, math.ceil(number * limit))


def _check_documents(task: TaskSpec, docs: str) -> None:
    last = chosen_documents(docs)[-1]
    if task.n_docs is not None and last >= task.n_docs:
        raise PlanError(f"--docs {docs}: task {task.name} has {count(task.n_docs)} documents, the first is 0")


def _check_number(
    suites: Sequence[Suite], tasks: Mapping[str, TaskSpec], models: Sequence[ModelSpec], sweep: Sweep
) -> None:
    """See that the cells can be listed at all, before a single one is made."""
    number = 0
    for suite in suites:
        shots = suite.shots if sweep.shots is None else sweep.shots
        seeds = suite.seeds if sweep.seeds is None else sweep.seeds
        for name in suite.tasks:
            counts = tasks[name].shots(shots)
            prompts = _prompts(tasks[name], suite.prompts if sweep.prompts is None else sweep.prompts)
            drawn = tasks[name].draws
            number += sum(
                seeds if n or model.tuned or drawn(prompt, sweep.generation) else 1
                for model in models
                for n in counts
                for prompt in prompts
            )
    if number > MOST_CELLS:
        raise PlanError(
            f"the plan has {count(number)} cells; expected at most {count(MOST_CELLS)}: ask for fewer seeds, shots, "
            "prompts, tasks or models"
        )


def _check_shots(task: TaskSpec, shots: int) -> None:
    if task.shots_available is not None and shots > task.shots_available:
        raise PlanError(f"--shots {shots}: task {task.name} has {task.shots_available} demonstrations to give")


def _prompts(task: TaskSpec, wanted: Sequence[str]) -> tuple[str, ...]:
    if tuple(wanted) == (ALL,):
        return tuple(task.prompts)
    for name in wanted:
        if name not in task.prompts:
            raise PlanError(f"task {task.name}: " + unknown("prompt", name, task.prompts))
    return tuple(wanted)
