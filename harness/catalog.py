"""YAML of families, tasks and suites -> specs. Every message names the file and the key."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

import harness
from harness.errors import CatalogError, unknown
from harness.specs import Dtype, Family, Kind, MetricSpec, ModelSpec, Suite, TaskSpec

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_File = TypeVar("_File", bound=BaseModel)
_Thing = TypeVar("_Thing")


class _Strict(BaseModel):
    """A mistyped key is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _MetricFile(_Strict):
    name: str
    higher_is_better: bool = True
    chance: Annotated[float, Field(ge=0, le=1)] | None = 0.0
    best: float | None = 1.0
    continuous: bool = False


class _TaskFile(_Strict):
    task: _Name
    kind: Kind
    version: str = "1"
    description: str = ""
    metrics: Annotated[list[_MetricFile], Field(min_length=1)]
    demonstrations: Literal["pool", "document"] = "pool"
    unsafe_code: bool = False
    config: dict[str, Any]
    prompts: dict[_Name, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _pairs(self) -> _TaskFile:
        names = [m.name for m in self.metrics]
        if len(set(names)) < len(names):
            raise ValueError("metrics: a name stands twice")
        if not any(m.continuous for m in self.metrics):
            raise ValueError("metrics: none is `continuous: true`; expected a continuous partner of the headline")
        if self.config.get("num_fewshot") is not None:
            raise ValueError("config.num_fewshot is set; expected none, since it would override the shots asked for")
        return self


class _SuiteFile(_Strict):
    suite: _Name
    tasks: Annotated[list[_Name], Field(min_length=1)]
    shots: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]
    prompts: Annotated[list[str], Field(min_length=1)] = ["default"]
    seeds: Annotated[int, Field(ge=1)] = 1
    limit: Annotated[int, Field(ge=1)] | None = None
    unsafe_code: bool = False
    description: str = ""


class _ModelFile(_Strict):
    name: str
    path: str | None = None
    params: Annotated[int, Field(gt=0)]
    params_non_embedding: Annotated[int, Field(gt=0)] | None = None
    params_active: Annotated[int, Field(gt=0)] | None = None
    tokens: Annotated[int, Field(gt=0)] | None = None
    loss: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    revision: str = "main"
    dtype: Dtype | None = None
    variant: _Name | None = None
    gpus: Annotated[float, Field(ge=0)] | None = None


class _FamilyFile(_Strict):
    family: _Name
    url: str | None = None
    licence: str | None = None
    note: str | None = None
    tokens: Annotated[int, Field(gt=0)] | None = None
    dtype: Dtype = "float32"
    gpus: Annotated[float, Field(ge=0)] = 0.0
    models: Annotated[list[_ModelFile], Field(min_length=1)]


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


def _known(things: Mapping[str, _Thing], name: str, what: str) -> _Thing:
    if name not in things:
        raise CatalogError(unknown(what, name, things))
    return things[name]


def load_catalog(extra: Sequence[Path] = ()) -> Catalog:
    """Everything that comes with the package and lies in the folders or files of `extra`.

    Raises:
        CatalogError: a file is wrong; the message names the file and the key.
    """
    families: dict[str, Family] = {}
    suites: dict[str, Suite] = {}
    tasks: dict[str, TaskSpec] = {}
    files: dict[str, Path] = {}
    for path in _yaml_files((*_own_folders(), *extra)):
        spec = load_file(path)
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
    for suite in suites.values():
        _check_suite(suite, tasks, files[f"suite {suite.name}"])
    return Catalog(families=families, suites=suites, tasks=tasks, files=files)


def load_file(path: Path) -> Family | Suite | TaskSpec:
    """One YAML file; which kind it is shows in its first key: `family`, `suite` or `task`.

    Raises:
        CatalogError: it cannot be read, or says something wrong.
    """
    raw = _read_yaml(path)
    if "family" in raw:
        return _family(_validated(_FamilyFile, raw, path), path)
    if "suite" in raw:
        file = _validated(_SuiteFile, raw, path)
        lists = {"tasks": tuple(file.tasks), "shots": tuple(file.shots), "prompts": tuple(file.prompts)}
        return Suite(**{**file.model_dump(exclude={"suite"}), **lists, "name": file.suite})
    if "task" in raw:
        return _task(_validated(_TaskFile, raw, path), path)
    raise CatalogError(f"{path}: is neither family, suite nor task; expected one of these as a key at the top")


def _family(file: _FamilyFile, path: Path) -> Family:
    models = []
    for entry in file.models:
        folder = None if entry.path is None else str((path.parent / entry.path).resolve())
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
    if len({(m.name, m.revision, m.dtype, m.variant) for m in models}) < len(models):
        raise CatalogError(f"{path}: models: one stands twice with the same revision, dtype and variant")
    ordered = tuple(sorted(models, key=lambda m: m.params))
    return Family(name=file.family, models=ordered, url=file.url, licence=file.licence, note=file.note)


def _task(file: _TaskFile, path: Path) -> TaskSpec:
    data = _data_files(file.config, path)
    documents = {split: _read_documents(data_path) for split, data_path in data.items()}
    evaluated = documents.get(str(file.config.get("test_split", "test")))
    return TaskSpec(
        name=file.task,
        kind=file.kind,
        suite=path.parent.resolve().name,
        metrics=tuple(MetricSpec(**m.model_dump()) for m in file.metrics),
        config=_with_data(file.config, data),
        prompts={"default": {}, **file.prompts},
        demonstrations=file.demonstrations,
        data_files=tuple(data.values()),
        n_docs=None if evaluated is None else len(evaluated),
        shots_available=_shots_available(file, documents, path),
        mean_doc_chars=None if not evaluated else sum(map(len, evaluated)) / len(evaluated),
        unsafe_code=file.unsafe_code,
        version=file.version,
        digest=_digest(file, data),
        description=file.description,
    )


def _data_files(config: Mapping[str, Any], path: Path) -> dict[str, Path]:
    """Split -> absolute path, for a task whose data are local; empty for one from the hub."""
    kwargs = config.get("dataset_kwargs") or {}
    files = kwargs.get("data_files") if isinstance(kwargs, Mapping) else None
    if files is None:
        return {}
    if not isinstance(files, Mapping) or not all(isinstance(name, str) for name in files.values()):
        raise CatalogError(f"{path}: config.dataset_kwargs.data_files: expected a mapping of split to file name")
    return {str(split): (path.parent / name).resolve() for split, name in files.items()}


def _with_data(config: Mapping[str, Any], data: Mapping[str, Path]) -> dict[str, Any]:
    if not data:
        return dict(config)
    kwargs = {**config["dataset_kwargs"], "data_files": {split: str(path) for split, path in data.items()}}
    return {**config, "dataset_kwargs": kwargs}


def _read_documents(path: Path) -> list[str]:
    """The lines of a JSONL file, each seen to be an object."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CatalogError(f"{path}: data file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: data file is not UTF-8") from error
    for number, line in enumerate(lines, start=1):
        try:
            document = json.loads(line)
        except ValueError as error:
            raise CatalogError(f"{path}: line {number} is not JSON; expected JSONL, one object per line") from error
        if not isinstance(document, dict):
            raise CatalogError(f"{path}: line {number} is a {type(document).__name__}; expected a JSON object")
    if not lines:
        raise CatalogError(f"{path}: data file is empty")
    return lines


def _shots_available(file: _TaskFile, documents: Mapping[str, Sequence[str]], path: Path) -> int | None:
    if file.demonstrations == "document":
        evaluated = documents.get(str(file.config.get("test_split", "test")), ())
        counts = {len(json.loads(line).get("examples", ())) for line in evaluated}
        if 0 in counts:
            raise CatalogError(f"{path}: demonstrations: document, but a document has no `examples`")
        return min(counts, default=None)
    split = file.config.get("fewshot_split")
    if not documents:
        return None
    if split is None:
        return 0
    if split not in documents:
        raise CatalogError(f"{path}: config.fewshot_split is {split!r}; data_files has {', '.join(sorted(documents))}")
    return len(documents[split])


def _digest(file: _TaskFile, data: Mapping[str, Path]) -> str:
    """12 hex digits over what decides a number: config, prompts, metrics and the bytes of the data files."""
    decides = file.model_dump(include={"config", "prompts", "metrics", "demonstrations"}, mode="json")
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True, ensure_ascii=True).encode())
    for split in sorted(data):
        digest.update(hashlib.sha256(data[split].read_bytes()).digest())
    return digest.hexdigest()[:12]


def _check_suite(suite: Suite, tasks: Mapping[str, TaskSpec], path: Path) -> None:
    for index, name in enumerate(suite.tasks):
        if name not in tasks:
            raise CatalogError(f"{path}: tasks[{index}]: {unknown('task', name, tasks)}")
        if tasks[name].unsafe_code and not suite.unsafe_code:
            raise CatalogError(
                f"{path}: unsafe_code is false, but task {name} executes what the model wrote; expected true"
            )


def _own_folders() -> Iterator[Path]:
    """Families and tasks of the package, wherever it is installed."""
    root = Path(harness.__file__).parent
    yield root / "families"
    # `tasks/` of the repository installs as harness.tasks; in an editable install it lies elsewhere than harness/.
    yield Path(next(iter(importlib.import_module("harness.tasks").__path__)))


def _yaml_files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(p for p in place.rglob("*") if p.suffix in (".yaml", ".yml"))
        elif place.is_file():
            yield place
        else:
            raise CatalogError(f"{place}: no such file or folder")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: is not UTF-8") from error
    except yaml.YAMLError as error:
        raise CatalogError(f"{path}: {_yaml_message(error)}") from error
    if not isinstance(raw, dict):
        raise CatalogError(f"{path}: is a {type(raw).__name__}; expected keys and values")
    return raw


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe (no `!function` or other code from others' files), and strict about a key that stands twice."""


def _mapping(loader: Any, node: Any) -> dict[Any, Any]:
    keys: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in keys:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
        keys.add(key)
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _yaml_message(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "is not YAML"
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


def _validated(model: type[_File], raw: dict[str, Any], path: Path) -> _File:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise CatalogError(f"{path}: {_first_problem(error, model)}") from error


def _first_problem(error: ValidationError, model: type[BaseModel]) -> str:
    """`metrics[0].chance is 1.2; expected less than or equal to 1`."""
    problem = error.errors()[0]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    if problem["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) if "." not in key else "the keys of the documentation"
        return f"unknown key `{key}`; expected {known}"
    if problem["type"] == "missing":
        return f"`{key}` is missing"
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    expected = re.sub(r"^Input should be (a valid )?", "", problem["msg"])
    return f"{key} is {problem['input']!r}; expected {expected}"
