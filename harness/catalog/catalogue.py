"""The YAML files of families, tasks and suites, read to specs. Every message names the file and the key."""

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

from harness.bounded.files import files_below, kind_of, sha256
from harness.bounded.limits import CONFIG_BYTES, DATA_BYTES, UnreadableError
from harness.catalog.family import family_of
from harness.catalog.mirror import Mirror
from harness.catalog.task_code import locate_code
from harness.catalog.task_config import (
    check_config,
    check_templates,
    chosen_examples,
    evaluated_split,
    example_split,
    written_examples,
)
from harness.catalog.task_data import DataFile, data_files, located, read_data, with_data
from harness.catalog.task_documents import Told, look_at_documents
from harness.catalog.yaml_files import FamilyFile, SuiteFile, TaskFile, read_yaml, validated, validated_task
from harness.errors import CatalogError, Faults, unknown
from harness.plan import ALL
from harness.specs import Family, MetricSpec, Suite, TaskSpec

_Thing = TypeVar("_Thing")


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """Every family, suite and task that can be chosen, by name."""

    families: Mapping[str, Family]
    """Family name -> family."""
    suites: Mapping[str, Suite]
    """Suite name -> suite."""
    tasks: Mapping[str, TaskSpec]
    """Task name -> task."""
    files: Mapping[str, Path]
    """`family NAME`, `suite NAME` or `task NAME` -> the file that defines it."""
    fields: Mapping[str, Mapping[str, frozenset[str]]]
    """Task name -> split -> names of the fields of its documents; no splits for a task whose data come from the hub."""
    mirror: Mirror | None = None
    """Folder with the models and data sets of the hub; None to ask the hub or its cache for them."""

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
        """Check that the templates of these tasks ask for fields that their documents have.

        Parsing all templates of the package takes a few hundredths of a second.

        Raises:
            CatalogError: a template asks for a field that no document has, or cannot be parsed.
        """
        faults = Faults()
        for name in dict.fromkeys(names):
            with faults:
                check_templates(self.task(name), self.fields[name], self.files[f"task {name}"])
        faults.check()

    def check_documents(
        self,
        names: Iterable[str],
        *,
        asked: Sequence[int] | None = None,
        shots: int | None = None,
        told: Told | None = None,
    ) -> tuple[str, ...]:
        """Look at every document of these tasks, after their templates have been checked.

        Args:
            names: names of tasks.
            asked: positions of the documents that are evaluated, ascending; None for all.
            shots: largest number of examples that are shown; None for the largest of the suites.
            told: called every few seconds with how far the look has come.

        Returns:
            What can be meant as it is, a line each.

        Raises:
            CatalogError: a run would fail on a document.
        """
        faults, warnings = Faults(), list[str]()
        for name in dict.fromkeys(names):
            path = self.files[f"task {name}"]
            usual = [max(suite.shots) for suite in self.suites.values() if name in suite.tasks and suite.shots]
            most = max(usual, default=None) if shots is None else shots
            found = look_at_documents(self.task(name), self.fields[name], path, asked=asked, shots=most, told=told)
            of_task = Faults(path)
            of_task.add(found.errors)
            with faults:
                of_task.check()
            warnings += found.warnings
        faults.check()
        return tuple(warnings)


def _known(things: Mapping[str, _Thing], name: str, what: str) -> _Thing:
    if name not in things:
        raise CatalogError(unknown(what, name, things))
    return things[name]


def load_catalog(
    extra: Sequence[Path] = (),
    *,
    data_roots: Sequence[Path] = (),
    allow_code: bool = False,
    mirror: Path | None = None,
) -> Catalog:
    """Every family, suite and task of the package, and of the user's own files.

    Args:
        extra: files of the user, or folders of such files. A task reads data below its own folder and this one.
        data_roots: further folders that tasks may read data from.
        allow_code: whether Python files that come with a task may run when the task is evaluated.
        mirror: folder with the models and data sets of the hub (see `harness.catalog.mirror`); None for the hub itself.

    Raises:
        CatalogError: files are wrong; a line for each fault, up to ten of a file, names the file and the key.

    >>> catalog = load_catalog()
    >>> "embedded" in catalog.families, "arithmetic" in catalog.suites
    (True, True)
    """
    families: dict[str, Family] = {}
    suites: dict[str, Suite] = {}
    tasks: dict[str, TaskSpec] = {}
    fields: dict[str, Mapping[str, frozenset[str]]] = {}
    files: dict[str, Path] = {}
    own, faults = tuple(_own_folders()), Faults()
    held = None if mirror is None else Mirror.read(mirror)
    for path, folder in _yaml_files((*own, *extra)):
        permitted = _Permissions((folder, *map(_at_home, data_roots)), allow_code, trusted=folder in own)
        loaded = None
        with faults:
            loaded = _load(path, permitted)
        if loaded is None:
            continue
        spec, splits = loaded
        kind = type(spec).__name__.removesuffix("Spec").lower()
        label = f"{kind} {spec.name}"
        if label in files:
            faults.add([f"{path}: {label} is already defined in {files[label]}"])
            continue
        files[label] = path
        if isinstance(spec, Family):
            families[spec.name] = spec
        elif isinstance(spec, Suite):
            suites[spec.name] = spec
        else:
            tasks[spec.name] = spec
            fields[spec.name] = {split: documents.fields for split, documents in splits.items()}
    faults.check()
    for suite in suites.values():
        path = files[f"suite {suite.name}"]
        with faults:
            _check_suite(suite, tasks, path)
    faults.check()
    for suite in suites.values():
        path = files[f"suite {suite.name}"]
        for name in suite.tasks:
            if files[f"task {name}"].parent == path.parent:
                tasks[name] = replace(tasks[name], suite=suite.name)
    return Catalog(families=families, suites=suites, tasks=tasks, files=files, fields=fields, mirror=held)


def load_file(path: Path) -> Family | Suite | TaskSpec:
    """The family, suite or task in one YAML file; its first key says which of them it is.

    Raises:
        CatalogError: the file cannot be read, or something in it is wrong; a line for each fault, ten at most.
    """
    return _load(path, _Permissions((path.parent,), False))[0]


class _Permissions(NamedTuple):
    """What the user permits task files to do."""

    roots: tuple[Path, ...]
    """Folders that a task may read data from, beside its own."""
    code: bool
    """Whether Python files that come with a task may run."""
    trusted: bool = False
    """True for files of the package."""


def _load(path: Path, permitted: _Permissions) -> tuple[Family | Suite | TaskSpec, Mapping[str, DataFile]]:
    """The spec in a file, and the documents of each split when it is a task with local data."""
    raw = read_yaml(path)
    if "family" in raw:
        return family_of(validated(FamilyFile, raw, path), path), {}
    if "suite" in raw:
        file = validated(SuiteFile, raw, path)
        lists = {"tasks": tuple(file.tasks), "shots": tuple(file.shots), "prompts": tuple(file.prompts)}
        return Suite(**{**file.model_dump(exclude={"suite"}), **lists, "name": file.suite}), {}
    if "task" in raw:
        faults = Faults(path)
        of_task = validated_task(raw, path, faults)
        loaded = None
        with faults:
            loaded = None if of_task is None else _task(of_task, path, permitted)
        faults.check()
        assert loaded is not None
        return loaded
    raise CatalogError(f"{path}: is neither family, suite nor task; expected one of these as a key at the top")


def _task(file: TaskFile, path: Path, permitted: _Permissions) -> tuple[TaskSpec, Mapping[str, DataFile]]:
    allowed = tuple(root.resolve() for root in (path.parent, *permitted.roots))
    locate = partial(located, path.parent, allowed)
    faults = Faults()
    data: Mapping[str, tuple[Path, ...]] | None = None
    with faults:
        data = data_files(file.config, path, locate)
    config = with_data(file.config, data or {})
    prompts: dict[str, Mapping[str, Any]] = {"default": {}, **file.prompts}
    code: list[Path] = []
    if permitted.code:
        with faults:
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
        data_files=tuple(path for paths in (data or {}).values() for path in paths),
        code_files=tuple(code),
        unsafe_code=file.unsafe_code,
        version=file.version,
        description=file.description,
        file=str(path),
        trusted=permitted.trusted,
    )
    with faults:
        # what a file that cannot be had would add is no fault of its own
        check_config(task, path, allow_code=permitted.code, with_data=data is not None)
    documents: dict[str, DataFile] = {}
    for split, paths in (data or {}).items():
        with faults:
            documents[split] = read_data(paths, config.get("dataset_path"))
    if faults.lines:
        with faults:
            check_templates(task, {split: found.fields for split, found in documents.items()}, path)
        faults.check()
    assert data is not None
    evaluated = documents.get(str(evaluated_split(config)))
    known = replace(
        task,
        n_docs=None if evaluated is None else evaluated.number,
        shots_available=_shots_available(task, documents, path),
        mean_doc_chars=None if evaluated is None else evaluated.characters / evaluated.number,
        digest=_digest(file, data, code),
    )
    return known, documents


def _shots_available(task: TaskSpec, documents: Mapping[str, DataFile], path: Path) -> int | None:
    if not documents:
        return None
    evaluated = evaluated_split(task.config)
    if task.demonstrations == "document":
        read = documents[str(evaluated)]
        if not read.fewest_examples:
            place = f"document {read.fewest_at} of {evaluated}"
            raise CatalogError(f"{path}: demonstrations: document, but a document has no `examples`: {place}")
        return read.fewest_examples
    split, samples, chosen = example_split(task.config), written_examples(task.config), chosen_examples(task.config)
    number = len(samples or ()) if split is None else documents[split].number
    if chosen is not None:
        if too_far := [place for place in chosen if place >= number]:
            where = f"{path}: config.fewshot_config.fewshot_indices"
            raise CatalogError(f"{where} has {too_far[0]}; there are {number} demonstrations, the first is 0")
        number = len(chosen)
    # a document is no example of itself
    return number - (split == evaluated)


def _digest(file: TaskFile, data: Mapping[str, Sequence[Path]], code: Iterable[Path]) -> str:
    """12 hex digits of what decides a score: config, prompts, metrics, and the bytes of data and code files."""
    decides = file.model_dump(include={"config", "prompts", "metrics", "demonstrations"}, mode="json")
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True, ensure_ascii=True).encode())
    files = [(path, DATA_BYTES) for split in sorted(data) for path in data[split]] + [
        (path, CONFIG_BYTES) for path in code
    ]
    for path, limit in files:
        try:
            digest.update(sha256(path, limit))
        except UnreadableError as error:
            raise CatalogError(f"{path}: {error}") from error
    return digest.hexdigest()[:12]


def _check_suite(suite: Suite, tasks: Mapping[str, TaskSpec], path: Path) -> None:
    faults = Faults(path)
    for index, name in enumerate(suite.tasks):
        if name not in tasks:
            faults.add([f"{path}: tasks[{index}]: {unknown('task', name, tasks)}"])
        else:
            faults.add(f"{path}: {problem}" for problem in _problems_with(suite, tasks[name]))
    faults.check()


def _problems_with(suite: Suite, task: TaskSpec) -> Iterator[str]:
    """What a suite asks of a task that the task cannot give."""
    if task.unsafe_code and not suite.unsafe_code:
        yield f"unsafe_code is false, but task {task.name} executes what the model wrote; expected true"
    for i, prompt in enumerate(suite.prompts):
        if prompt not in task.prompts and suite.prompts != (ALL,):
            yield f"prompts[{i}]: task {task.name}: {unknown('prompt', prompt, task.prompts)}"
    most = task.shots_available
    for i, shots in enumerate(suite.shots):
        if most is not None and shots > most:
            yield f"shots[{i}] is {shots}; task {task.name} has {most} demonstrations to give"


def _own_folders() -> Iterator[Path]:
    """The folders of the package's own families and tasks, wherever it is installed."""
    root = Path(__file__).parents[1]
    yield root / "families"
    # `tasks/` of the repository installs as harness.tasks; in an editable install it lies elsewhere than harness/.
    yield Path(next(iter(importlib.import_module("harness.tasks").__path__)))


def _at_home(path: str | Path) -> Path:
    """The path with a leading `~` replaced by the home folder, which a shell does not do in `--option=~/x`."""
    return Path(os.path.expanduser(path))  # pathlib's own raises where there is no such user


def _yaml_files(places: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Each YAML file once, with the folder that the user named first."""
    seen: set[str] = set()
    for path, place in _found(places):
        if (same := os.path.realpath(path)) not in seen:
            seen.add(same)
            yield path, place


def _found(places: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    for place in map(_at_home, places):
        try:
            kind = kind_of(place)
            found = sorted(files_below(place)) if kind == "a folder" else [place]
        except UnreadableError as error:
            raise CatalogError(f"{place}: {error}") from error
        if kind is None:
            raise CatalogError(f"{place}: no such file or folder")
        if kind == "a folder":
            found = [path for path in found if path.suffix in (".yaml", ".yml")]
        if not found:
            raise CatalogError(f"{place}: no *.yaml or *.yml in it; expected families, suites or tasks")
        yield from ((path, place if kind == "a folder" else place.parent) for path in found)
