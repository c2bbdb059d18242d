"""What settings and models are called in lists: short names that no two of them share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from harness.plan.cell import Cell
from harness.plan.setting import AXES, Setting, Value
from harness.specs import ModelSpec
from harness.wording import natural_order

_SIZE = ("model", "revision", "run")
"""What differs between the models of one setting."""
_AS_READ = ("task", "family", "shots", "prompt", "seed", "limit", "variant", "engine", "dtype")
"""Axes in the order in which people want to read their values; others come last."""


def size_setting(cell: Cell) -> Setting:
    """Everything that makes two models of a family comparable, few-shot seed included."""
    return cell.setting(free=_SIZE, first=_AS_READ)


def by_size(cells: Iterable[Cell]) -> dict[Setting, tuple[Cell, ...]]:
    """The cells of each setting, smallest model first; the settings are ordered by task, family, shots and prompt."""
    groups: dict[Setting, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[size_setting(cell)].append(cell)
    ordered = sorted(groups, key=lambda s: [_in_order(value) for value in s.values])
    return {s: tuple(sorted(groups[s], key=_by_size_and_run)) for s in ordered}


def _by_size_and_run(cell: Cell) -> tuple[object, ...]:
    model = cell.model
    return (model.params, model.name, natural_order(str(model.run or "")))


def _in_order(value: Value) -> tuple[int, str]:
    """Numbers by size and words by alphabet; first what is plain, or without a limit."""
    return (value, "") if isinstance(value, int) else (-1, value or "")


def labels(settings: Iterable[Setting]) -> dict[Setting, str]:
    """A short name for each setting: its task and shots, and the other values that are not the same in all settings."""
    given = tuple(settings)
    varying = {"task", "shots"} | {name for name in AXES if len({s.value(name) for s in given if name in s.names}) > 1}
    if len({(s.value("task"), s.value("task_digest")) for s in given}) == len({s.value("task") for s in given}):
        varying.discard("task_digest")  # every task has its own
    return {s: ", ".join(AXES[name].label_of(s.value(name)) for name in s.names if name in varying) for s in given}


class ModelId(NamedTuple):
    """Which model it is, wherever its files lie."""

    family: str
    """Family name."""
    name: str
    """Hub id, or name of a local model."""
    revision: str
    """Commit, or fingerprint of the folder."""
    variant: str | None
    """Treatment; None for the plain model."""
    run: str | int | None = None
    """Training run of its size; None when not said."""


def model_id(model: ModelSpec) -> ModelId:
    """What identifies a model, without what can differ from run to run, such as its folder."""
    return ModelId(model.family, model.name, model.revision, model.variant, model.run)


def model_names(models: Iterable[ModelSpec]) -> dict[ModelId, str]:
    """A short name for each model, smallest first: name and variant, and what tells those apart that share them.

    That is the training run, and the revision where that is not enough.
    """
    known = {model_id(model): model for model in models}
    ordered = sorted(
        known,
        key=lambda m: (m.family, known[m].params, m.name, m.variant or "", natural_order(str(m.run or "")), m.revision),
    )
    short = {m: f"{m.name}+{m.variant}" if m.variant else m.name for m in ordered}
    with_run = _apart(short, lambda m: "" if m.run is None else f" run {m.run}")
    return _apart(with_run, lambda m: f"@{m.revision[:7]}")


def _apart(names: Mapping[ModelId, str], more: Callable[[ModelId], str]) -> dict[ModelId, str]:
    """The names, those that several models share with something more."""
    uses = Counter(names.values())
    return {model: name + (more(model) if uses[name] > 1 else "") for model, name in names.items()}
