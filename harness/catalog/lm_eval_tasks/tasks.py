"""A task in lm-eval's dialect as the harness's own kind of task."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.catalog.functions import TaskFunction, package_folder
from harness.catalog.lm_eval_tasks.derived import derived
from harness.catalog.lm_eval_tasks.dialect import OWN_WORDS, asked_config, check_dialect, read_task_file
from harness.catalog.lm_eval_tasks.groups import ChosenTask
from harness.catalog.lm_eval_tasks.program_tasks import judged_here
from harness.catalog.tasks.data import DataFile
from harness.catalog.tasks.loading import OfLmEval, Permissions, task_from
from harness.catalog.yaml_files import OwnWords, TaskFile, WrapperFile, validated
from harness.errors import CatalogError, Faults
from harness.plausible import INDEX
from harness.specs import TaskSpec
from harness.wording import quoted


def load_leaf(leaf: ChosenTask, permitted: Permissions) -> tuple[TaskSpec, Mapping[str, DataFile]]:
    """A task that was chosen by name, with what its group changes, and the documents of its local data.

    Raises:
        CatalogError: something in its file is wrong, or cannot be evaluated here; a line for each fault.
    """
    path, config = leaf_config(leaf, permitted)
    words = validated(OwnWords, {key: config[key] for key in config if key in OWN_WORDS}, path)
    return _made(leaf.name, config, words, path, permitted)


def load_wrapper(
    file: WrapperFile, path: Path, leaf: ChosenTask, permitted: Permissions
) -> tuple[TaskSpec, Mapping[str, DataFile]]:
    """A task of lm-eval as a file of ours changes it, and the documents of its local data.

    Args:
        file: the content of our file.
        path: our file.
        leaf: the task that it names.
        permitted: what the user permits our file to do.

    Raises:
        CatalogError: something in one of the files is wrong; a line for each fault.
    """
    base, config = leaf_config(leaf, permitted._replace(roots=(*permitted.roots, *_folder_of(leaf))))
    changed = {**config, **file.config}
    return _made(file.task, changed, file, path, permitted, base=base)


def _folder_of(leaf: ChosenTask) -> tuple[Path, ...]:
    return () if leaf.file is None else (leaf.file.parent,)


def _made(
    name: str,
    config: Mapping[str, Any],
    words: OwnWords,
    path: Path,
    permitted: Permissions,
    base: Path | None = None,
) -> tuple[TaskSpec, Mapping[str, DataFile]]:
    asked = asked_config(config)
    if isinstance(asked.get("custom_dataset"), TaskFunction) and not (permitted.code or permitted.trusted):
        # it gets `metadata` and `dataset_kwargs`, with which some of lm-eval's load tokenizers that are code
        raise CatalogError(
            f"{path}: custom_dataset runs Python code with what the file gives it; agree with --allow-code"
        )
    found = derived(asked)
    wrapper = words if isinstance(words, WrapperFile) else None
    metadata = config.get("metadata")
    version = metadata.get("version", 1) if isinstance(metadata, Mapping) else 1
    file = TaskFile.model_construct(
        task=name,
        kind=words.kind or found.kind,
        version=str((wrapper and wrapper.version) or version),
        description=wrapper.description if wrapper else "",
        metrics=words.metrics or list(found.metrics),
        demonstrations=words.demonstrations,
        unsafe_code=bool(asked.get("unsafe_code")),
        published=words.published,
        config=asked,
        prompts=words.prompts,
    )
    of = OfLmEval(
        plain=wrapper is None,
        default_shots=default_shots(config, path),
        from_documents=() if words.metrics else found.from_documents,
        own_metrics=words.metrics is not None,
        folder=None if base is None else base.parent,
    )
    faults = Faults(path)
    with faults:
        return task_from(file, path, permitted, of)
    faults.check()
    raise AssertionError


def leaf_config(leaf: ChosenTask, permitted: Permissions) -> tuple[Path, dict[str, Any]]:
    """The file of a task, and all its keys: with what it includes, and with what its group changes.

    Raises:
        CatalogError: the file cannot be read, or asks for what cannot be evaluated here.
    """
    path = leaf.file or Path(f"group {leaf.of}")
    config: dict[str, Any] = {}
    if leaf.file is not None:
        config = read_task_file(leaf.file, allowed_folders(leaf.file, permitted))
    config.update(copy.deepcopy(dict(leaf.changes)))
    judged = judged_here(config)
    check_dialect(config if judged is None else {**judged, "unsafe_code": False}, path)
    return path, config if judged is None else judged


def allowed_folders(path: Path, permitted: Permissions) -> tuple[Path, ...]:
    """Folders that a task's file may include files from: its own, those that the user named, and lm-eval's."""
    lm_eval = package_folder()
    every = (path.parent, *permitted.roots, *((lm_eval,) if lm_eval else ()))
    return tuple(folder.resolve() for folder in every)


def default_shots(config: Mapping[str, Any], path: Path) -> int | None:
    """The task's own number of examples.

    Raises:
        CatalogError: it is no number.
    """
    shots = config.get("num_fewshot")
    if shots is None:
        return None
    if not isinstance(shots, int) or isinstance(shots, bool) or shots < 0:
        raise CatalogError(f"{path}: num_fewshot is {quoted(shots)}; expected {INDEX.expected}")
    return shots
