"""What a plan needs of the hub: its models and data sets, each once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.catalog.manifest import RepositoryKind
from harness.catalog.mirror import MAIN, data_set_of, files_of_data_set
from harness.plan import RunPlan
from harness.specs import TaskSpec
from harness.treatments import teacher_on_hub


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A model or a data set of the hub at one revision."""

    kind: RepositoryKind
    """What it is."""
    name: str
    """Name on the hub."""
    revision: str = MAIN
    """Branch, tag or commit."""
    parts: tuple[str | None, ...] = ()
    """Parts of a data set, by the `dataset_name` of its tasks; None for the only one. Empty for a model."""

    files: tuple[str, ...] = ()
    """Files of a data set, or patterns of them, that tasks name themselves."""

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.kind} {self.name}{'' if self.revision == MAIN else f'@{self.revision}'}"


def wanted_by(plan: RunPlan) -> tuple[Wanted, ...]:
    """Models first, then those that they are to learn from, then data sets, each in the order of the plan."""
    asked_models = [(cell.model.name, cell.model.revision) for cell in plan.cells if cell.model.path is None]
    teachers = [teacher_on_hub(cell.model.treatment) for cell in plan.cells]
    models = dict.fromkeys([*asked_models, *(teacher for teacher in teachers if teacher is not None)])
    parts: dict[tuple[str, str], dict[str | None, None]] = {}
    files: dict[tuple[str, str], dict[str, None]] = {}
    for task in plan.tasks.values():
        if (asked := data_set_of(task)) is not None:
            named = files_of_data_set(task)
            parts.setdefault(asked, {}).update(dict.fromkeys(() if named else _parts(task)))
            files.setdefault(asked, {}).update(dict.fromkeys(named))
    return (
        *(Wanted(kind="model", name=name, revision=revision) for name, revision in models),
        *(
            Wanted(
                kind="data set", name=name, revision=revision, parts=tuple(names), files=tuple(files[name, revision])
            )
            for (name, revision), names in parts.items()
        ),
    )


def _parts(task: TaskSpec) -> Iterator[str | None]:
    """The parts that the task and each of its prompts ask for."""
    for prompt in task.prompts.values():
        config: Mapping[str, Any] = {**task.config, **prompt}
        name = config.get("dataset_name")
        yield None if name is None else str(name)
