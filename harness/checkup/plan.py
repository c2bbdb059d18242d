"""Which models and data sets of a plan load on this machine: from a folder, from a mirror, or from the hub's cache.

Nothing is asked of the network. The weights of a model are looked at, and its config and tokenizer are opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.catalog.mirror import Mirror, data_set_of
from harness.catalog.models.folders import complete_folder
from harness.catalog.models.revisions import cached_commit, snapshot_folder
from harness.checkup.line import CheckupLine
from harness.engines.documents import DocumentCache
from harness.engines.protocol import WITHOUT_MODEL, EngineSettings
from harness.engines.trial import open_without_weights
from harness.errors import HarnessError, ModelError
from harness.executors.ray.memory import memory_needed, total_memory
from harness.plan import RunPlan
from harness.specs import ModelSpec, TaskSpec
from harness.wording import count, counted, file_size

_PREPARE = "`emergence prepare` with the same options downloads it where there is a network, for --mirror"


def check_mirror(mirror: Mirror) -> CheckupLine:
    """What the manifest of a mirror says is there."""
    if not mirror.prepared:
        return CheckupLine(about="mirror", state="ok", found=f"{mirror.folder}: filled by hand, without a manifest")
    size = sum(file.bytes for entry in mirror.prepared.values() for file in entry.files)
    held = counted(len(mirror.prepared), "repository", "repositories")
    return CheckupLine(about="mirror", state="ok", found=f"{mirror.folder}: {held}, {file_size(size)}")


def check_plan(plan: RunPlan, mirror: Mirror | None, settings: EngineSettings) -> Iterator[CheckupLine]:
    """A finding for each model and each data set of a plan.

    Args:
        plan: the plan, models of the hub at the branch, tag or commit that was asked for.
        mirror: where they are read; None for the hub's cache.
        settings: what is agreed to.
    """
    models = dict.fromkeys(replace(cell.model, dtype="float32") for cell in plan.cells if _loads_model(cell.engine))
    largest = {model: max(_needed(plan, model), 0.0) for model in models}
    for model in models:
        yield _model(model, mirror, settings, largest[model])
    local = [task for task in plan.tasks.values() if data_set_of(task) is None]
    if local:
        documents = sum(task.n_docs or 0 for task in local)
        yield CheckupLine(
            about="tasks", state="ok", found=f"{counted(len(local), 'task')} with files of {count(documents)} documents"
        )
    for task in plan.tasks.values():
        if (asked := data_set_of(task)) is not None:
            yield _data_set(task, asked[0], mirror)


def _loads_model(engine: str) -> bool:
    return engine not in WITHOUT_MODEL


def _needed(plan: RunPlan, model: ModelSpec) -> float:
    """Bytes of memory that the model takes, in the largest of the formats that the plan loads it in."""
    return max(memory_needed(cell.model) for cell in plan.cells if cell.model.name == model.name)


def _model(model: ModelSpec, mirror: Mirror | None, settings: EngineSettings, needed: float) -> CheckupLine:
    about = f"model {model.name}{'' if model.path or model.revision == 'main' else f'@{model.revision}'}"
    try:
        place, where = _place(model, mirror)
        folder = complete_folder(place)
        if folder.pickles and not settings.allow_pickle:
            raise ModelError(
                "its weights are pickles, which can run code when they are read; agree with --allow-pickle"
            )
        open_without_weights(replace(model, path=str(place)), settings)
    except HarnessError as error:
        todo = "" if model.path else _PREPARE
        return CheckupLine(about=about, state="missing", found=str(error), todo=todo or "mend the folder")
    size = sum(path.stat().st_size for path in folder.named("*.safetensors", "*.bin"))
    found = f"{where}; {file_size(size)} of weights, config and tokenizer open"
    if needed > total_memory() and not model.gpus:
        found += f"; takes {file_size(needed)} of memory, and this machine has {file_size(total_memory())}"
        return CheckupLine(
            about=about, state="optional", found=found, todo="run it on a GPU, on a larger node or in a smaller --dtype"
        )
    return CheckupLine(about=about, state="ok", found=found)


def _place(model: ModelSpec, mirror: Mirror | None) -> tuple[Path, str]:
    """The folder that a model is loaded from, and how people call that."""
    if model.path is not None:
        return Path(model.path), f"in {model.path}"
    if mirror is not None:
        here = mirror.model(model)
        return Path(str(here.path)), f"in the mirror, at {here.revision[:12]}"
    commit = cached_commit(model.name, model.revision)
    if commit is None:
        raise ModelError("not in this machine's hub cache")
    return snapshot_folder(model.name, commit), f"in the hub's cache, at commit {commit[:12]}"


def _data_set(task: TaskSpec, name: str, mirror: Mirror | None) -> CheckupLine:
    part = task.config.get("dataset_name")
    about = f"data set {name}{f' {part}' if part else ''} of {task.name}"
    try:
        here = task if mirror is None else mirror.task(task)
        splits = DocumentCache().splits(here, here.config)
    except HarnessError as error:
        said = str(error).removeprefix(f"task {task.name}: ")
        return CheckupLine(about=about, state="missing", found=said, todo=_PREPARE)
    lacking = _lacking(task.config, splits)
    if lacking:
        return CheckupLine(
            about=about,
            state="missing",
            found=f"has no split {', '.join(lacking)}; it has {', '.join(splits)}",
            todo="correct the split in the task's file, or take another revision of the data set",
        )
    found = ", ".join(f"{count(len(documents))} in {split}" for split, documents in splits.items())
    return CheckupLine(
        about=about, state="ok", found=f"{'in the hub cache' if mirror is None else 'in the mirror'}: {found}"
    )


def _lacking(config: Mapping[str, Any], splits: Mapping[str, Any]) -> Sequence[str]:
    """Splits that the task names and the data set does not have."""
    keys = ("test_split", "validation_split", "training_split", "fewshot_split")
    named = Counter(str(config[key]) for key in keys if config.get(key))
    return [split for split in named if split.partition("[")[0] not in splits]
