"""Local data of a task: the files it may read, and the facts about their documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.files import kind_of
from harness.bounded.json_text import json_documents
from harness.bounded.limits import FIELDS, UnreadableError
from harness.catalog.task_code import Locate
from harness.errors import CatalogError
from harness.wording import cut, quoted


class DataFile(NamedTuple):
    """Facts about a data file."""

    number: int
    """Number of documents."""
    characters: int
    """Number of characters of all lines."""
    fields: frozenset[str]
    """Names of the fields that any document has."""
    fewest_examples: int
    """Length of the shortest list `examples` of a document; 0 when a document has none."""


def data_files(config: Mapping[str, Any], path: Path, locate: Locate) -> dict[str, Path]:
    """Split -> absolute path, for a task with local data; empty for a task whose data come from the hub.

    Raises:
        CatalogError: the config names no file, or one that the task may not read.
    """
    kwargs = config.get("dataset_kwargs") or {}
    files = kwargs.get("data_files") if isinstance(kwargs, Mapping) else None
    if files is None:
        return {}
    where = f"{path}: config.dataset_kwargs.data_files"
    if not isinstance(files, Mapping) or not all(isinstance(name, str) for name in files.values()):
        raise CatalogError(f"{where}: expected a mapping of split to file name")
    found = {str(split): locate(name, f"{where}.{split}") for split, name in files.items()}
    for split, file in found.items():
        if (kind := _kind(file)) not in (None, "a file"):
            raise CatalogError(f"{where}.{split} is {quoted(str(file))}, {kind}; expected a regular file")
    return found


def _kind(path: Path) -> str | None:
    try:
        return kind_of(path)
    except UnreadableError as error:
        raise CatalogError(f"{path}: {error}") from error


def located(folder: Path, allowed: Sequence[Path], name: str, where: str) -> Path:
    """The file or folder called `name` in a task's folder, with links followed, if it lies below an allowed folder.

    Raises:
        CatalogError: it lies elsewhere.
    """
    try:
        found = (folder / name).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # links in a ring, a null byte
        raise CatalogError(f"{where} is {quoted(name)}; expected the name of a file ({cut(str(error))})") from error
    if not any(found.is_relative_to(root) for root in allowed):
        raise CatalogError(
            f"{where} is {quoted(str(found))}, outside the task's folder; expected a file below it, or below a folder "
            "given with --data-root"
        )
    return found


def with_data(config: Mapping[str, Any], data: Mapping[str, Path]) -> dict[str, Any]:
    """The config with the absolute paths of its data files, which `data_files` gives."""
    if not data:
        return dict(config)
    kwargs = {**config["dataset_kwargs"], "data_files": {split: str(path) for split, path in data.items()}}
    return {**config, "dataset_kwargs": kwargs}


def read_data_file(path: Path) -> DataFile:
    """The facts about a JSONL file, each line of which has to be an object.

    Raises:
        CatalogError: the file cannot be read, is larger than allowed, or has a line that is not an object.
    """
    fields: set[str] = set()
    number, characters, fewest = 0, 0, None
    try:
        for document in json_documents(path):
            number += 1
            characters += document.characters
            fields.update(document.fields)
            FIELDS.check(len(fields))
            examples = document.fields.get("examples")
            own = len(examples) if isinstance(examples, list) else 0
            fewest = own if fewest is None else min(fewest, own)
    except UnreadableError as error:
        what = "" if str(error).startswith("line ") else "data file "
        raise CatalogError(f"{path}: {what}{error}") from error
    if fewest is None:
        raise CatalogError(f"{path}: data file is empty")
    return DataFile(number, characters, frozenset(fields), fewest)
