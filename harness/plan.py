"""Cells and plans: which numbers are to be produced. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.errors import PlanError, unknown
from harness.specs import Kind, MetricSpec, ModelSpec, Suite, TaskSpec

DEFAULT_ENGINE = "tree"
"""Who answers when nobody says otherwise."""
DESCRIPTIVE_FIELDS = ("params", "params_non_embedding", "params_active", "tokens", "loss")
"""What is told of a model and changes no answer: it can be put right without evaluating anew."""


class Place(NamedTuple):
    """Where a cell's answers belong: a model that two families name has a place in each."""

    family: str
    """Family name."""
    key: str
    """Key of the cell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One number-producing unit: model x task x shots x prompt x seed."""

    model: ModelSpec
    """The model that answers."""
    task: str
    """Task name."""
    suite: str
    """Home suite of the task: a label, not part of the identity."""
    kind: Kind
    """Kind of ability."""
    task_version: str
    """Version given by the task's author."""
    task_digest: str
    """Digest of the task's config and data; results of an edited task stay apart from earlier ones."""
    metrics: tuple[MetricSpec, ...]
    """Metrics, first = headline."""
    shots: int
    """Demonstrations before the question."""
    prompt: str = "default"
    """Name of the prompt variant."""
    seed: int = 0
    """Fixes the permutation of the few-shot pool; k shots are its first k."""
    limit: int | None = None
    """First so many documents; None for all."""
    engine: str = DEFAULT_ENGINE
    """Name of the engine that answers."""

    @property
    def identity(self) -> tuple[str | int | None, ...]:
        """What changes the number. Batch size, host, GPUs and versions do not belong here: they are provenance."""
        m = self.model
        return (
            m.name,
            m.revision,
            m.dtype,
            m.variant,
            self.task,
            self.task_digest,
            self.shots,
            self.prompt,
            self.seed,
            self.limit,
            self.engine,
        )

    @property
    def key(self) -> str:
        """16 hex digits of SHA-256 over the identity."""
        text = json.dumps(self.identity, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def place(self) -> Place:
        """Family and key: what is done, failed or to do. The family draws the curve and does not change the number."""
        return Place(self.model.family, self.key)

    @property
    def label(self) -> str:
        """Short text for progress and messages."""
        return f"{self.model.name} {self.task} {self.shots}-shot {self.prompt} seed {self.seed}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan:
    """Cells to produce, with the tasks they need."""

    cells: tuple[Cell, ...]
    """Distinct by place, in the order asked for."""
    tasks: Mapping[str, TaskSpec]
    """Task name -> spec, for every task of the cells."""

    def without(self, places: Iterable[Place]) -> RunPlan:
        """The plan less the cells whose places are given."""
        gone = frozenset(places)
        return RunPlan(cells=tuple(c for c in self.cells if c.place not in gone), tasks=self.tasks)

    def with_models(self, change: Callable[[ModelSpec], ModelSpec]) -> RunPlan:
        """The plan with every model replaced by what `change` makes of it, asked once per model."""
        changed = {model: change(model) for model in dict.fromkeys(c.model for c in self.cells)}
        return RunPlan(cells=tuple(replace(c, model=changed[c.model]) for c in self.cells), tasks=self.tasks)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What the user asked to vary; None leaves the choice to each suite."""

    shots: tuple[int, ...] | None = None
    """Shot counts."""
    prompts: tuple[str, ...] | None = None
    """Prompt variants; ("all",) takes every variant of each task."""
    seeds: int | None = None
    """Number of few-shot seeds."""
    limit: int | None = None
    """First so many documents."""


def expand(
    suites: Sequence[Suite],
    tasks: Mapping[str, TaskSpec],
    models: Sequence[ModelSpec],
    *,
    sweep: Sweep | None = None,
    engine: str = DEFAULT_ENGINE,
) -> RunPlan:
    """Every cell that suites x models x sweep ask for, each once.

    At 0 shots with greedy decoding all seeds ask the same questions and get the same answers: seed 0 alone is kept.

    Args:
        suites: in the order their cells should run.
        tasks: every task the suites name.
        models: models to evaluate.
        sweep: the user's own choice of shots, prompts, seeds and limit; None takes the suites'.
        engine: name of the engine, part of each cell's identity.

    Raises:
        PlanError: a negative number, an unknown prompt, or more shots than a task can give.
    """
    sweep = sweep or Sweep()
    _check(sweep)
    cells: dict[Place, Cell] = {}
    used: dict[str, TaskSpec] = {}
    for suite in suites:
        shots = suite.shots if sweep.shots is None else sweep.shots
        seeds = suite.seeds if sweep.seeds is None else sweep.seeds
        limit = suite.limit if sweep.limit is None else sweep.limit
        for name in suite.tasks:
            task = used[name] = tasks[name]
            prompts = _prompts(task, suite.prompts if sweep.prompts is None else sweep.prompts)
            for model in models:
                for n_shots in shots:
                    _check_shots(task, n_shots)
                    for prompt in prompts:
                        for seed in range(seeds if n_shots or task.draws(prompt) else 1):
                            cell = Cell(
                                model=model,
                                task=task.name,
                                suite=task.suite,
                                kind=task.kind,
                                task_version=task.version,
                                task_digest=task.digest,
                                metrics=task.metrics,
                                shots=n_shots,
                                prompt=prompt,
                                seed=seed,
                                limit=limit,
                                engine=engine,
                            )
                            cells.setdefault(cell.place, cell)
    return RunPlan(cells=tuple(cells.values()), tasks=used)


def _check(sweep: Sweep) -> None:
    for shots in sweep.shots or ():
        if shots < 0:
            raise PlanError(f"--shots {shots}: expected 0 or more")
    if sweep.seeds is not None and sweep.seeds < 1:
        raise PlanError(f"--seeds {sweep.seeds}: expected 1 or more (the number of few-shot seeds)")
    if sweep.limit is not None and sweep.limit < 1:
        raise PlanError(f"--limit {sweep.limit}: expected 1 or more documents")


def _check_shots(task: TaskSpec, shots: int) -> None:
    if task.shots_available is not None and shots > task.shots_available:
        raise PlanError(f"--shots {shots}: task {task.name} has {task.shots_available} demonstrations to give")


def _prompts(task: TaskSpec, wanted: Sequence[str]) -> tuple[str, ...]:
    if tuple(wanted) == ("all",):
        return tuple(task.prompts)
    for name in wanted:
        if name not in task.prompts:
            raise PlanError(f"task {task.name}: " + unknown("prompt", name, task.prompts))
    return tuple(wanted)
