"""YAML of families, tasks and suites -> specs. Every message names the file and the key."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from harness.catalog.task_code import Locate, locate_code
from harness.catalog.task_config import check_config, check_templates, evaluated_split, example_split
from harness.catalog.yaml_files import FamilyFile, SuiteFile, TaskFile, read_yaml, validated
from harness.errors import CatalogError, unknown
from harness.plan import ALL, model_identity
from harness.specs import Family, MetricSpec, ModelSpec, Suite, TaskSpec

_Thing = TypeVar("_Thing")


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """Everything on offer, by name."""

    families: Mapping[str, Family]
    """Family name -> family."""
    suites: Mapping[str, Suite]
    """Suite name -> suite."""
    tasks: Mapping[str, TaskSpec]
    """Task name -> task."""
    files: Mapping[str, Path]
    """`family NAME`, `suite NAME` or `task NAME` -> the file that defines it."""
    fields: Mapping[str, Mapping[str, frozenset[str]]]
    """Task name -> split -> what any of its documents has; no split where only the hub knows."""

    def family(self, name: str) -> Family:
        """The family called `name`.

        Raises:
            CatalogError: it is not known; the known ones are listed.
        """
        return _known(self.families, name, "family")

    def suite(self, name: str) -> Suite:
        """The suite called `name`.

        Raises:
            CatalogError: it is not known; the known ones are listed.
        """
        return _known(self.suites, name, "suite")

    def task(self, name: str) -> TaskSpec:
        """The task called `name`.

        Raises:
            CatalogError: it is not known; the known ones are listed.
        """
        return _known(self.tasks, name, "task")

    def check_templates(self, names: Iterable[str]) -> None:
        """See that the templates of these tasks fit their documents; a few hundredths of a second for all.

        Raises:
            CatalogError: one names a field that no document has, or is damaged.
        """
        for name in dict.fromkeys(names):
            check_templates(self.task(name), self.fields[name], self.files[f"task {name}"])


def _known(things: Mapping[str, _Thing], name: str, what: str) -> _Thing:
    if name not in things:
        raise CatalogError(unknown(what, name, things))
    return things[name]


def load_catalog(extra: Sequence[Path] = (), *, data_roots: Sequence[Path] = (), allow_code: bool = False) -> Catalog:
    """Everything that comes with the package and lies in the folders or files of `extra`.

    Args:
        extra: folders and files of the user. A task reads data below its own folder, and below the one it was found in.
        data_roots: further folders that tasks may read data from.
        allow_code: the user agreed that Python files which come with tasks run when these are evaluated.

    Raises:
        CatalogError: a file is wrong; the message names the file and the key.

    >>> catalog = load_catalog()
    >>> "embedded" in catalog.families, "arithmetic" in catalog.suites
    (True, True)
    """
    families: dict[str, Family] = {}
    suites: dict[str, Suite] = {}
    tasks: dict[str, TaskSpec] = {}
    fields: dict[str, Mapping[str, frozenset[str]]] = {}
    files: dict[str, Path] = {}
    for path, folder in _yaml_files((*_own_folders(), *extra)):
        spec, splits = _load(path, _Leave((folder, *map(_at_home, data_roots)), allow_code))
        kind = type(spec).__name__.removesuffix("Spec").lower()
        label = f"{kind} {spec.name}"
        if label in files:
            raise CatalogError(f"{path}: {label} is already defined in {files[label]}")
        files[label] = path
        if isinstance(spec, Family):
            families[spec.name] = spec
        elif isinstance(spec, Suite):
            suites[spec.name] = spec
        else:
            tasks[spec.name] = spec
            fields[spec.name] = {split: documents.fields for split, documents in splits.items()}
    for suite in suites.values():
        path = files[f"suite {suite.name}"]
        _check_suite(suite, tasks, path)
        for name in suite.tasks:
            if files[f"task {name}"].parent == path.parent:
                tasks[name] = replace(tasks[name], suite=suite.name)
    return Catalog(families=families, suites=suites, tasks=tasks, files=files, fields=fields)


def load_file(path: Path) -> Family | Suite | TaskSpec:
    """One YAML file; which kind it is shows in its first key: `family`, `suite` or `task`.

    Raises:
        CatalogError: it cannot be read, or says something wrong.
    """
    return _load(path, _Leave((path.parent,), False))[0]


class _Leave(NamedTuple):
    """What the user lets a task file do."""

    roots: tuple[Path, ...]
    """Folders it may read from, beside its own."""
    code: bool
    """Whether Python files in them run."""


def _load(path: Path, leave: _Leave) -> tuple[Family | Suite | TaskSpec, Mapping[str, _Documents]]:
    """What a file defines, and the documents of each split of a task whose data are local."""
    raw = read_yaml(path)
    if "family" in raw:
        return _family(validated(FamilyFile, raw, path), path), {}
    if "suite" in raw:
        file = validated(SuiteFile, raw, path)
        lists = {"tasks": tuple(file.tasks), "shots": tuple(file.shots), "prompts": tuple(file.prompts)}
        return Suite(**{**file.model_dump(exclude={"suite"}), **lists, "name": file.suite}), {}
    if "task" in raw:
        return _task(validated(TaskFile, raw, path), path, leave)
    raise CatalogError(f"{path}: is neither family, suite nor task; expected one of these as a key at the top")


def _family(file: FamilyFile, path: Path) -> Family:
    models = []
    for entry in file.models:
        folder = None if entry.path is None else str((path.parent / _at_home(entry.path)).resolve())
        models.append(
            ModelSpec(
                name=entry.name,
                family=file.family,
                params=entry.params,
                params_non_embedding=entry.params_non_embedding,
                params_active=entry.params_active,
                tokens=entry.tokens or file.tokens,
                loss=entry.loss,
                path=folder,
                revision=entry.revision,
                dtype=entry.dtype or file.dtype,
                variant=entry.variant,
                gpus=file.gpus if entry.gpus is None else entry.gpus,
            )
        )
    if len({model_identity(m) for m in models}) < len(models):
        raise CatalogError(f"{path}: models: one stands twice with the same revision, dtype and variant")
    ordered = tuple(sorted(models, key=lambda m: m.params))
    return Family(name=file.family, models=ordered, url=file.url, licence=file.licence, note=file.note)


class _Documents(NamedTuple):
    """What is known of a data file."""

    number: int
    """Documents in it."""
    characters: int
    """Of all its lines."""
    fields: frozenset[str]
    """What any document has."""
    fewest_examples: int
    """Length of the shortest list `examples` of a document; 0 when one has none."""


def _task(file: TaskFile, path: Path, leave: _Leave) -> tuple[TaskSpec, Mapping[str, _Documents]]:
    allowed = tuple(root.resolve() for root in (path.parent, *leave.roots))
    locate = partial(_located, path.parent, allowed)
    data = _data_files(file.config, path, locate)
    config = _with_data(file.config, data)
    prompts: dict[str, Mapping[str, Any]] = {"default": {}, **file.prompts}
    code: list[Path] = []
    if leave.code:
        config, files = locate_code(config, f"{path}: config", locate)
        code += files
        for prompt, own in prompts.items():
            prompts[prompt], files = locate_code(own, f"{path}: prompts.{prompt}", locate)
            code += files
    task = TaskSpec(
        name=file.task,
        kind=file.kind,
        suite=path.parent.resolve().name,
        metrics=tuple(MetricSpec(**m.model_dump()) for m in file.metrics),
        config=config,
        prompts=prompts,
        demonstrations=file.demonstrations,
        data_files=tuple(data.values()),
        code_files=tuple(code),
        unsafe_code=file.unsafe_code,
        version=file.version,
        description=file.description,
    )
    check_config(task, path, allow_code=leave.code)  # before anything that the config names is read
    documents = {split: _read_documents(data_path) for split, data_path in data.items()}
    evaluated = documents.get(str(evaluated_split(file.config)))
    known = replace(
        task,
        n_docs=None if evaluated is None else evaluated.number,
        shots_available=_shots_available(file, documents, path),
        mean_doc_chars=None if evaluated is None else evaluated.characters / evaluated.number,
        digest=_digest(file, data, code),
    )
    return known, documents


def _data_files(config: Mapping[str, Any], path: Path, locate: Locate) -> dict[str, Path]:
    """Split -> absolute path, for a task whose data are local; empty for one from the hub."""
    kwargs = config.get("dataset_kwargs") or {}
    files = kwargs.get("data_files") if isinstance(kwargs, Mapping) else None
    if files is None:
        return {}
    where = f"{path}: config.dataset_kwargs.data_files"
    if not isinstance(files, Mapping) or not all(isinstance(name, str) for name in files.values()):
        raise CatalogError(f"{where}: expected a mapping of split to file name")
    found = {str(split): locate(name, f"{where}.{split}") for split, name in files.items()}
    for split, file in found.items():
        if file.exists() and not file.is_file():
            raise CatalogError(f"{where}.{split} is {str(file)!r}; expected a regular file")
    return found


def _located(folder: Path, allowed: Sequence[Path], name: str, where: str) -> Path:
    """The file or folder called `name` in a task's folder, behind any links; it must lie below one that is allowed."""
    try:
        found = (folder / name).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # links in a ring, a null byte
        raise CatalogError(f"{where} is {name!r}; expected the name of a file ({error})") from error
    if not any(found.is_relative_to(root) for root in allowed):
        raise CatalogError(
            f"{where} is {str(found)!r}, outside the task's folder; expected a file below it, or below a folder "
            "given with --data-root"
        )
    return found


def _with_data(config: Mapping[str, Any], data: Mapping[str, Path]) -> dict[str, Any]:
    if not data:
        return dict(config)
    kwargs = {**config["dataset_kwargs"], "data_files": {split: str(path) for split, path in data.items()}}
    return {**config, "dataset_kwargs": kwargs}


def _read_documents(path: Path) -> _Documents:
    """A JSONL file, each of its lines seen to be an object."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CatalogError(f"{path}: data file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: data file is not UTF-8") from error
    fields: set[str] = set()
    fewest = None
    for number, line in enumerate(lines, start=1):
        try:
            document = json.loads(line)
        except ValueError as error:
            raise CatalogError(f"{path}: line {number} is not JSON; expected JSONL, one object per line") from error
        if not isinstance(document, dict):
            raise CatalogError(f"{path}: line {number} is a {type(document).__name__}; expected a JSON object")
        fields.update(document)
        examples = document.get("examples")
        own = len(examples) if isinstance(examples, list) else 0
        fewest = own if fewest is None else min(fewest, own)
    if fewest is None:
        raise CatalogError(f"{path}: data file is empty")
    return _Documents(len(lines), sum(map(len, lines)), frozenset(fields), fewest)


def _shots_available(file: TaskFile, documents: Mapping[str, _Documents], path: Path) -> int | None:
    if not documents:
        return None
    evaluated = evaluated_split(file.config)
    if file.demonstrations == "document":
        fewest = documents[str(evaluated)].fewest_examples
        if not fewest:
            raise CatalogError(f"{path}: demonstrations: document, but a document has no `examples`")
        return fewest
    split = example_split(file.config)
    if split is None:
        return 0
    # a document is no example of itself
    return documents[split].number - (split == evaluated)


def _digest(file: TaskFile, data: Mapping[str, Path], code: Iterable[Path]) -> str:
    """12 hex digits over what decides a number: config, prompts, metrics and the bytes of data files and of code."""
    decides = file.model_dump(include={"config", "prompts", "metrics", "demonstrations"}, mode="json")
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True, ensure_ascii=True).encode())
    for path in (*(data[split] for split in sorted(data)), *code):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _check_suite(suite: Suite, tasks: Mapping[str, TaskSpec], path: Path) -> None:
    for index, name in enumerate(suite.tasks):
        if name not in tasks:
            raise CatalogError(f"{path}: tasks[{index}]: {unknown('task', name, tasks)}")
        if tasks[name].unsafe_code and not suite.unsafe_code:
            raise CatalogError(
                f"{path}: unsafe_code is false, but task {name} executes what the model wrote; expected true"
            )
        for i, prompt in enumerate(suite.prompts):
            if prompt not in tasks[name].prompts and suite.prompts != (ALL,):
                problem = unknown("prompt", prompt, tasks[name].prompts)
                raise CatalogError(f"{path}: prompts[{i}]: task {name}: {problem}")
        most = tasks[name].shots_available
        for i, shots in enumerate(suite.shots):
            if most is not None and shots > most:
                raise CatalogError(f"{path}: shots[{i}] is {shots}; task {name} has {most} demonstrations to give")


def _own_folders() -> Iterator[Path]:
    """Families and tasks of the package, wherever it is installed."""
    root = Path(__file__).parents[1]
    yield root / "families"
    # `tasks/` of the repository installs as harness.tasks; in an editable install it lies elsewhere than harness/.
    yield Path(next(iter(importlib.import_module("harness.tasks").__path__)))


def _at_home(path: str | Path) -> Path:
    """The path with a leading `~` read as the home folder, which a shell leaves alone in `--option=~/x`."""
    return Path(os.path.expanduser(path))  # pathlib's own raises where there is no such user


def _yaml_files(places: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Each file, with the folder that was named."""
    for place in map(_at_home, places):
        if place.is_dir():
            found = sorted(p for p in place.rglob("*") if p.suffix in (".yaml", ".yml"))
            if not found:
                raise CatalogError(f"{place}: no *.yaml or *.yml in it; expected families, suites or tasks")
            yield from ((path, place) for path in found)
        elif place.is_file():
            yield place, place.parent
        else:
            raise CatalogError(f"{place}: no such file or folder")
