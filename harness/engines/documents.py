"""Read a task's documents once per engine: local JSON lines directly, anything else through `datasets`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.bounded.json_text import json_documents
from harness.bounded.limits import UnreadableError
from harness.catalog.task_keys import is_on_hub
from harness.errors import CatalogError
from harness.specs import TaskSpec

Splits = Mapping[str, Any]
"""Split name -> documents (`Documents`, or a `datasets.Dataset`)."""


class Documents(list[dict[str, Any]]):
    """Documents as they stand in the file, with the one attribute lm-eval asks of a data set.

    `datasets` would write a cache, fill missing keys with None and refuse lists of mixed types.
    """

    @property
    def features(self) -> dict[str, None]:
        """Names of the fields that any document has."""
        return {key: None for document in self for key in document}


class DocumentCache:
    """Splits of the tasks seen so far; an engine keeps one for all its cells."""

    def __init__(self) -> None:
        self._splits: dict[str, Splits] = {}

    def splits(self, task: TaskSpec, config: Mapping[str, Any]) -> Splits:
        """Every split `config` names.

        Raises:
            CatalogError: a file is missing or holds a line that is no JSON object, or a data set cannot be had.
        """
        source = [config.get(key) for key in ("dataset_path", "dataset_name", "dataset_kwargs", "custom_dataset")]
        key = json.dumps([task.digest, *source], default=repr, sort_keys=True)
        if key not in self._splits:
            files = local_files(config)
            self._splits[key] = _from_elsewhere(task, config) if files is None else _from_files(files)
        return self._splits[key]


def local_files(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Split name -> file or files, when `config` reads local JSON lines; None when it does not."""
    if config.get("dataset_path") != "json" or callable(config.get("custom_dataset")):
        return None
    files = (config.get("dataset_kwargs") or {}).get("data_files")
    # files without a split's name form the split `train`, as in `datasets`
    return files if files is None or isinstance(files, Mapping) else {"train": files}


def read_documents(paths: Iterable[Path]) -> Documents:
    """The documents of JSON lines files, in order; blank lines are skipped.

    Raises:
        CatalogError: a file cannot be read, holds more than is allowed, or a line that is no JSON object.
    """
    read = Documents()
    for path in paths:
        try:
            read += (document.fields for document in json_documents(path))
        except UnreadableError as error:
            raise CatalogError(f"{path}: {error}") from error
    return read


def _from_files(files: Mapping[str, Any]) -> Splits:
    return {
        split: read_documents(Path(p) for p in ([where] if isinstance(where, str | Path) else where))
        for split, where in files.items()
    }


def _from_elsewhere(task: TaskSpec, config: Mapping[str, Any]) -> Splits:
    """Documents of the hub, or of a function that a caller in Python gave."""
    kwargs = dict(config.get("dataset_kwargs") or {})
    custom = config.get("custom_dataset")
    if callable(custom):
        made: Splits = custom(**(config.get("metadata") or {}), **kwargs)
        return made
    path = config.get("dataset_path")
    if not is_on_hub(path):
        raise CatalogError(f"task {task.name}: data set {path} cannot be had: expected the name of one on the hub")
    try:
        return _from_hub(str(path), config.get("dataset_name"), kwargs.get("revision"))
    except OSError as error:
        # no network, not in the cache, or no such data set: all are OSErrors
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CatalogError(f"task {task.name}: data set {path} cannot be had: {reason[0]}") from error


def _from_hub(path: str, name: str | None, revision: str | None) -> Splits:
    """Load a data set as `datasets.load_dataset` does, but check the files that the data set's card names."""
    import datasets

    builder = datasets.load_dataset_builder(path, name, revision=revision)
    named = builder.config.data_files or {}  # none when the cache has the data set ready
    for file in (str(file) for files in named.values() for file in files):
        if not file.startswith("hf://datasets/"):
            raise CatalogError(f"data set {path} names {file}; expected files of the hub alone")
    builder.download_and_prepare()
    loaded: Splits = builder.as_dataset()
    return loaded
