"""What was asked, whoever was asked it: cells of one setting differ in the size of the model alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from harness.plan import Cell
from harness.specs import ModelSpec


class Setting(NamedTuple):
    """Everything that makes two cells of a family comparable, few-shot seed included."""

    family: str
    variant: str | None
    """Treatment of the model; None for the plain one."""
    task: str
    task_digest: str
    """Another digest is another task of the same name."""
    shots: int
    prompt: str
    seed: int
    limit: int | None
    """First so many documents; None for all."""
    engine: str
    dtype: str


_WORDS: Mapping[str, Callable[[Setting], str]] = {
    "task": lambda s: s.task,
    "family": lambda s: s.family,
    "shots": lambda s: f"{s.shots}-shot",
    "prompt": lambda s: s.prompt,
    "seed": lambda s: f"seed {s.seed}",
    "limit": lambda s: "all documents" if s.limit is None else f"first {s.limit}",
    "variant": lambda s: s.variant or "plain",
    "engine": lambda s: s.engine,
    "dtype": lambda s: s.dtype,
    "task_digest": lambda s: f"digest {s.task_digest}",
}
"""Fields in the order in which people want them -> how each is said."""


def setting(cell: Cell) -> Setting:
    """The setting of one cell."""
    model = cell.model
    return Setting(
        family=model.family,
        variant=model.variant,
        task=cell.task,
        task_digest=cell.task_digest,
        shots=cell.shots,
        prompt=cell.prompt,
        seed=cell.seed,
        limit=cell.limit,
        engine=cell.engine,
        dtype=model.dtype,
    )


def by_size(cells: Iterable[Cell]) -> dict[Setting, tuple[Cell, ...]]:
    """The cells of each setting from the smallest model to the largest, settings by task, shots, prompt and seed."""
    groups: dict[Setting, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[setting(cell)].append(cell)
    ordered = sorted(groups, key=lambda s: (s.task, s.family, s.shots, s.prompt, s.seed, *map(str, s)))
    return {s: tuple(sorted(groups[s], key=lambda c: (c.model.params, c.model.name))) for s in ordered}


def labels(settings: Iterable[Setting]) -> dict[Setting, str]:
    """What to call each setting: task and shots, and of the rest what is not the same in all of them."""
    told = tuple(settings)
    varying = {"task", "shots"} | {field for field in _WORDS if len({getattr(s, field) for s in told}) > 1}
    if len({(s.task, s.task_digest) for s in told}) == len({s.task for s in told}):
        varying.discard("task_digest")  # every task has its own
    return {s: ", ".join(word(s) for field, word in _WORDS.items() if field in varying) for s in told}


class ModelId(NamedTuple):
    """Which model it is, wherever its files lie."""

    family: str
    name: str
    revision: str
    variant: str | None


def model_id(model: ModelSpec) -> ModelId:
    """The model without what may be told differently from run to run, such as its folder."""
    return ModelId(model.family, model.name, model.revision, model.variant)


def names(models: Iterable[ModelSpec]) -> dict[ModelId, str]:
    """What to call each model: name and variant, with the revision when two share them. Smallest model first."""
    known = {model_id(model): model for model in models}
    ordered = sorted(known, key=lambda m: (m.family, known[m].params, m.name, m.variant or "", m.revision))
    short = {m: f"{m.name}+{m.variant}" if m.variant else m.name for m in ordered}
    uses = Counter(short.values())
    return {m: f"{name}@{m.revision[:7]}" if uses[name] > 1 else name for m, name in short.items()}
