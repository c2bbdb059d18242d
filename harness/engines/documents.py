"""Read a task's documents once per engine: local files directly, anything else through `datasets`."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from harness.catalog.packaged import packaged_file, split_of
from harness.catalog.tasks.data import named_files, read_split
from harness.catalog.tasks.keys import is_on_hub
from harness.engines.kept_cells import KeptCells
from harness.engines.mirrored import builder_on_hub, load_folder
from harness.errors import CatalogError
from harness.specs import TaskSpec

Splits = Mapping[str, Any]
"""Split name -> documents (`Documents`, or a `datasets.Dataset`)."""


Changes = Callable[[Any], Any]
"""A function that makes the documents of a task from those of a data set."""


@contextmanager
def seeds_of_lm_eval() -> Iterator[None]:
    """Draw as at the start of lm-eval's command line, and go on afterwards as if nothing had been drawn."""
    before, numbers = random.getstate(), np.random.get_state()
    random.seed(0)
    np.random.seed(1234)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numbers)


class Documents(list[dict[str, Any]]):
    """Documents as they stand in the file, with the one attribute lm-eval asks of a data set.

    `datasets` would write a cache, fill missing keys with None and refuse lists of mixed types.
    """

    @property
    def features(self) -> dict[str, None]:
        """Names of the fields that any document has."""
        return {key: None for document in self for key in document}


def picked(pool: Any, places: Sequence[int]) -> Any:
    """Some documents of many, in the order of `places`."""
    return pool.select(places) if hasattr(pool, "select") else Documents(pool[place] for place in places)


class DocumentCache:
    """Splits of the tasks seen so far; an engine keeps one for all its cells.

    What the cells ask goes on to the engine of the next model: it is put together once.
    """

    def __init__(self, cells: KeptCells[Any] | None = None) -> None:
        """No documents yet; `cells` are those of an engine before, None for none."""
        self.cells: KeptCells[Any] = KeptCells() if cells is None else cells
        self._splits: dict[str, Splits] = {}
        self._changed: dict[tuple[Changes, int], tuple[Any, Any]] = {}

    def changing(self, function: Changes) -> Changes:
        """A task's `process_docs`, which is called once for each split: lm-eval calls it up to five times.

        Where it draws by chance, it gives the same documents in every worker, as with lm-eval's own seed.
        """

        def changed(documents: Any) -> Any:
            key = (function, id(documents))
            if key not in self._changed:
                with seeds_of_lm_eval():
                    self._changed[key] = (documents, function(documents))
            return self._changed[key][1]

        return changed

    def splits(self, task: TaskSpec, config: Mapping[str, Any]) -> Splits:
        """Every split `config` names.

        Raises:
            CatalogError: a file is missing or holds something else than documents, or a data set cannot be had.
        """
        source = [config.get(key) for key in ("dataset_path", "dataset_name", "dataset_kwargs", "custom_dataset")]
        key = json.dumps([task.digest, task.data_folder, *source], default=repr, sort_keys=True)
        if key not in self._splits:
            files = {} if callable(config.get("custom_dataset")) else named_files(config)
            if not files or task.dialect != "own":
                _hide_progress()
            if files and task.dialect != "own":
                self._splits[key] = _as_lm_eval_reads(task, config, files)
            else:
                self._splits[key] = _from_files(config, files) if files else _from_elsewhere(task, config)
        return self._splits[key]


def _hide_progress() -> None:
    """Switch off the progress bars of `datasets`, of which a worker would show several for each task."""
    import datasets

    datasets.disable_progress_bars()


def read_documents(paths: Iterable[Path], named: str | None = "json") -> Documents:
    """The documents of files, in order.

    Args:
        paths: the files.
        named: the kind of file that the task names, its `dataset_path`.

    Raises:
        CatalogError: a file cannot be read, holds more than is allowed, or something else than documents.
    """
    return Documents(document.fields for document in read_split(paths, named))


def _from_files(config: Mapping[str, Any], files: Mapping[str, Sequence[str]]) -> Splits:
    return {split: read_documents(map(Path, names), config.get("dataset_path")) for split, names in files.items()}


def _as_lm_eval_reads(task: TaskSpec, config: Mapping[str, Any], files: Mapping[str, Sequence[str]]) -> Splits:
    """Documents of files as `datasets` reads them, which functions of a task may need: a `datasets.Dataset` each."""
    import datasets

    kind = config.get("dataset_path") or "json"
    options = {key: value for key, value in (config.get("dataset_kwargs") or {}).items() if key != "data_files"}
    named = {split: list(names) for split, names in files.items()}
    try:
        loaded: Splits = datasets.load_dataset(kind, data_files=named, **options)
    except (OSError, ValueError, TypeError, datasets.exceptions.DatasetGenerationError) as error:
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise CatalogError(f"task {task.name}: {next(iter(files.values()))[0]}: cannot be read: {reason[0]}") from error
    return loaded


def _from_elsewhere(task: TaskSpec, config: Mapping[str, Any]) -> Splits:
    """Documents of the hub, or of a function that a caller in Python gave."""
    kwargs = dict(config.get("dataset_kwargs") or {})
    custom = config.get("custom_dataset")
    if callable(custom):
        with seeds_of_lm_eval():
            made: Splits = custom(**(config.get("metadata") or {}), **kwargs)
        return made
    path = config.get("dataset_path")
    if (file := packaged_file(config, task.name)) is not None:
        return {split_of(config): read_documents([file])}
    if task.data_folder is not None:
        return _from_folder(task, task.data_folder, config.get("dataset_name"), kwargs)
    if not is_on_hub(path):
        raise CatalogError(f"task {task.name}: data set {path} cannot be had: expected the name of one on the hub")
    try:
        return _from_hub(str(path), config.get("dataset_name"), kwargs)
    except OSError as error:
        # no network, not in the cache, or no such data set: all are OSErrors
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CatalogError(f"task {task.name}: data set {path} cannot be had: {reason[0]}") from error


def _from_folder(task: TaskSpec, folder: Path, name: str | None, kwargs: Mapping[str, Any]) -> Splits:
    try:
        loaded: Splits = load_folder(folder, name, {key: kwargs[key] for key in kwargs if key != "revision"})
    except CatalogError as error:
        raise CatalogError(f"task {task.name}: data set {error}") from error
    return loaded


def _from_hub(path: str, name: str | None, kwargs: Mapping[str, Any]) -> Splits:
    """Load a data set as `datasets.load_dataset` does, but check the files that the data set's card names."""
    options = {key: value for key, value in kwargs.items() if key != "revision"}
    builder = builder_on_hub(path, name, kwargs.get("revision"), options)
    builder.download_and_prepare()
    loaded: Splits = builder.as_dataset()
    return loaded
