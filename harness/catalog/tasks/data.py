"""Local data of a task: the files it may read, and the facts about their documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.documents import DATA_ENDINGS, FILE_KINDS, Document, documents, kind_of_file
from harness.bounded.files import files_below, is_regular, kind_of
from harness.bounded.limits import FIELDS, UnreadableError
from harness.catalog.tasks.code import Locate
from harness.catalog.tasks.config import SPLITS, evaluated_split
from harness.catalog.tasks.keys import is_on_hub
from harness.errors import CatalogError
from harness.wording import cut, quoted


class DataFile(NamedTuple):
    """Facts about the documents of a split."""

    number: int
    """Number of documents."""
    characters: int
    """Number of characters of all documents, as they stand in their files."""
    fields: frozenset[str]
    """Names of the fields that any document has."""
    fewest_examples: int
    """Length of the shortest list `examples` of a document; 0 when a document has none."""
    fewest_at: int = 0
    """Position of the first document with so few."""


def named_files(config: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """Split -> names of its files as the config gives them; empty for a task whose data come from the hub.

    Files without the name of a split form the split `train`, as in `datasets`, if the config names that split, and
    otherwise the split that is evaluated. A file can also stand in `dataset_path`.

    Raises:
        CatalogError: `data_files` is no name, no list of names and no mapping from splits to them.
    """
    kwargs = config.get("dataset_kwargs") or {}
    files = kwargs.get("data_files") if isinstance(kwargs, Mapping) else None
    path = config.get("dataset_path")
    if files is not None and path is not None and path not in FILE_KINDS and is_on_hub(path):
        return {}  # files of the data set on the hub
    if files is None and is_data_file(config.get("dataset_path")):
        files = config["dataset_path"]
    if files is None:
        return {}
    splits = files if isinstance(files, Mapping) else {_only_split(config): files}
    found = {str(split): (names,) if isinstance(names, str) else names for split, names in splits.items()}
    for split, names in found.items():
        if not (isinstance(names, tuple | list) and names and all(isinstance(name, str) for name in names)):
            place = f"dataset_kwargs.data_files{f'.{split}' if isinstance(files, Mapping) else ''}"
            raise CatalogError(f"{place} is {quoted(names)}; expected the name of a file, or a list of names")
    if not found:
        raise CatalogError("dataset_kwargs.data_files is {}; expected a file, a list of files, or these for each split")
    return {split: tuple(names) for split, names in found.items()}


def is_data_file(name: Any) -> bool:
    """Whether a text ends as the names of data files do, such as `x.csv` or `x.jsonl.gz`."""
    return isinstance(name, str) and Path(name.lower().removesuffix(".gz")).suffix in DATA_ENDINGS


def _only_split(config: Mapping[str, Any]) -> str:
    named = {split for key in SPLITS if isinstance(split := config.get(key), str)}
    evaluated = evaluated_split(config)
    return evaluated if isinstance(evaluated, str) and "train" not in named else "train"


def data_files(config: Mapping[str, Any], path: Path, locate: Locate) -> dict[str, tuple[Path, ...]]:
    """Split -> absolute paths, for a task with local data; empty for a task whose data come from the hub.

    Raises:
        CatalogError: the config names no file, or one that the task may not read.
    """
    try:
        named = named_files(config)
    except CatalogError as error:
        raise CatalogError(f"{path}: config.{error}") from error
    found: dict[str, tuple[Path, ...]] = {}
    for split, names in named.items():
        where = f"{path}: config.dataset_kwargs.data_files.{split}"
        found[split] = tuple(locate(name, where) for name in names)
        for file in found[split]:
            if (kind := _kind(file)) not in (None, "a file"):
                raise CatalogError(f"{where} is {quoted(str(file))}, {kind}; expected a regular file")
    return found


def folder_files(folder: Path, where: str) -> tuple[Path, ...]:
    """The data files in a folder that holds a data set.

    Raises:
        CatalogError: it holds none, or cannot be read.
    """
    try:
        found = tuple(path for path in sorted(files_below(folder)) if is_data_file(path.name) and is_regular(path))
    except UnreadableError as error:
        raise CatalogError(f"{folder}: {error}") from error
    if not found:
        raise CatalogError(f"{where} is {quoted(str(folder))}, a folder without data; expected JSON, CSV or Parquet")
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


def with_data(config: Mapping[str, Any], data: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """The config with the absolute paths of its data files, which `data_files` gives.

    What a config may leave out is filled in: the kind of the files, and the split to evaluate where there is only one.
    """
    if not data:
        return dict(config)
    names = {split: str(paths[0]) if len(paths) == 1 else [*map(str, paths)] for split, paths in data.items()}
    kwargs = {**(config.get("dataset_kwargs") or {}), "data_files": names}
    filled: dict[str, Any] = {**config, "dataset_kwargs": kwargs}
    if config.get("dataset_path") is None or is_data_file(config["dataset_path"]):
        files = [file for paths in data.values() for file in paths]
        filled["dataset_path"] = "text" if all(kind_of_file(file.name, None) == "text" for file in files) else "json"
    if evaluated_split(config) is None and len(data) == 1:
        filled["test_split"] = next(iter(data))
    return filled


def read_split(paths: Iterable[Path], named: str | None) -> Iterator[Document]:
    """The documents of a split's files, one after the other.

    Args:
        paths: the files.
        named: the task's `dataset_path`.

    Raises:
        CatalogError: a file cannot be read, is larger than allowed, or holds something else than documents.
    """
    for path in paths:
        try:
            yield from documents(path, kind_of_file(path.name, named))
        except UnreadableError as error:
            what = "" if str(error).startswith("line ") else "data file "
            raise CatalogError(f"{path}: {what}{error}") from error


def read_data(paths: Sequence[Path], named: str | None) -> DataFile:
    """The facts about the documents of a split.

    Raises:
        CatalogError: see `read_split`; or there are no documents, or more fields than allowed.
    """
    fields: set[str] = set()
    number, characters, fewest_at = 0, 0, 0
    fewest: int | None = None
    for document in read_split(paths, named):
        number += 1
        characters += document.characters
        fields.update(document.fields)
        if len(fields) > FIELDS.allowed:
            raise CatalogError(f"{paths[-1]}: data file {FIELDS.exceeded(len(fields))}")
        examples = document.fields.get("examples")
        own = len(examples) if isinstance(examples, list) else 0
        if fewest is None or own < fewest:
            fewest, fewest_at = own, number - 1
    if fewest is None:
        raise CatalogError(f"{paths[0]}: data file is empty")
    return DataFile(number, characters, frozenset(fields), fewest, fewest_at)
