"""YAML files, read strictly: the type of each key of a family, task, suite or treatment, and one line for each error.

Every message names the file and the key.
"""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from harness.bounded import yaml_text
from harness.bounded.files import read_text
from harness.bounded.limits import YAML_BYTES, UnreadableError
from harness.catalog.braces import expanded
from harness.errors import CatalogError, Faults, PlanError
from harness.plan import ALL
from harness.plausible import LARGEST_COUNT, MOST_NAME, check_reading
from harness.scoring.metrics import LOSSES, READINGS
from harness.specs import Dtype, FamilyKind, Kind
from harness.treatments import Treatment, is_taken, method_of
from harness.wording import cut, quantity, quoted

_Model = TypeVar("_Model", bound=BaseModel)


def _whole(value: Any) -> Any:
    """The whole number that a text is: `7B`, or `7e7`, which YAML 1.1 reads as text. And `true` is not 1."""
    if isinstance(value, bool):
        raise PydanticCustomError("bool", "a whole number")
    number = quantity(value) if isinstance(value, str) else None
    # a large power would fill the memory
    if number is None or number.adjusted() > 18 or number != number.to_integral_value():
        return value
    return int(number)


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("bool", "a number")
    return value


def _run(value: Any) -> Any:
    """The name of a training run, which may be a number such as its seed."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise PydanticCustomError("run", "a text or a whole number")
    return str(value)


def _braces(value: Any) -> Any:
    """A text whose braces, if it has any, can be expanded."""
    if isinstance(value, str):
        try:
            expanded(value)
        except ValueError as error:
            raise PydanticCustomError("braces", "{found}", {"found": str(error)}) from error
    return value


def _free(value: str) -> str:
    if value == ALL:
        raise PydanticCustomError("reserved", f"another name, since `{ALL}` stands for every one")
    return value


_MOST_VARIANT = 40
_MOST_TREATMENT = 32
"""Characters of the name of a treatment, which a digest follows in the name of the variant."""


def _composed(value: Any) -> Any:
    """A text whose letters are each one character where Unicode has one, so that names that look alike are alike."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


# In these patterns \w is a letter, digit or mark of any script, `_`, or a joiner that some scripts need.
_NAMED = r"^[^\W_][\w.-]*$"
_Name = Annotated[str, Field(pattern=_NAMED, max_length=MOST_NAME), BeforeValidator(_composed)]
_Variant = Annotated[str, Field(pattern=_NAMED, max_length=_MOST_VARIANT), BeforeValidator(_composed)]
_Treatment = Annotated[str, Field(pattern=_NAMED, max_length=_MOST_TREATMENT), BeforeValidator(_composed)]
_TaskName = Annotated[
    str, Field(pattern=r"^(lm_eval:)?[^\W_][\w.:()-]*$", max_length=MOST_NAME), BeforeValidator(_composed)
]
"""A task of ours, or one or a group or a tag of lm-eval."""
_FreeName = Annotated[_Name, BeforeValidator(_free)]
_Short = Annotated[str, Field(max_length=MOST_NAME)]
_Run = Annotated[_Short, Field(min_length=1), BeforeValidator(_run)]
_Braced = Annotated[_Short, Field(min_length=1), BeforeValidator(_braces)]
_REVISION = r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*$"
_Count = Annotated[int, BeforeValidator(_whole), Field(gt=0, le=LARGEST_COUNT)]
_Shots = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=LARGEST_COUNT)]
_Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
_Positive = Annotated[_Number, Field(ge=0)]


class _Strict(BaseModel):
    """A mistyped key is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricFile(_Strict):
    """One of a task's `metrics`."""

    name: _Short
    higher_is_better: bool = True
    chance: Annotated[_Number, Field(ge=0, le=1)] | None = 0.0
    best: _Number | None = 1.0
    continuous: bool = False

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any) -> Any:
        """The given keys, and those that go without saying for a metric of ours."""
        name = given.get("name") if isinstance(given, Mapping) else None
        return {**READINGS[name], **given} if isinstance(name, str) and name in READINGS else given

    @model_validator(mode="after")
    def _reading(self) -> MetricFile:
        if self.name in LOSSES and self.higher_is_better:
            raise ValueError(f"higher_is_better is true; expected false, since less is better in {self.name}")
        check_reading(self.chance, self.best, higher=self.higher_is_better, continuous=self.continuous)
        return self


class PublishedFile(_Strict):
    """What the page of a task's data set says of it: for estimates alone, since only the data themselves are sure."""

    documents: _Count
    source: Annotated[_Short, Field(min_length=1)]


class TaskFile(_Strict):
    """A file that begins with `task`."""

    task: _Name
    kind: Kind
    version: _Short = "1"
    description: str = ""
    metrics: Annotated[list[MetricFile], Field(min_length=1)]
    demonstrations: Literal["pool", "document"] = "pool"
    unsafe_code: bool = False
    shots: _Shots | None = None
    published: PublishedFile | None = None
    config: dict[str, Any]
    prompts: dict[_FreeName, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _pairs(self) -> TaskFile:
        if problems := self.problems():
            raise ValueError("\n".join(problems))
        return self

    def problems(self) -> list[str]:
        """What is wrong with keys that are right each by itself."""
        found = []
        names = [m.name for m in self.metrics]
        if len(set(names)) < len(names):
            found.append("metrics: a name stands twice")
        if not any(m.continuous for m in self.metrics):
            found.append("metrics: none is `continuous: true`; expected a continuous partner of the headline")
        if self.config.get("num_fewshot") is not None:
            found.append("config.num_fewshot is set; expected none, since it would override the shots asked for")
        return found


class OwnWords(_Strict):
    """What a file of ours may say of a task in lm-eval's dialect; what it leaves out is derived."""

    kind: Kind | None = None
    metrics: Annotated[list[MetricFile], Field(min_length=1)] | None = None
    demonstrations: Literal["pool", "document"] = "pool"
    published: PublishedFile | None = None
    prompts: dict[_FreeName, dict[str, Any]] = {}


class WrapperFile(OwnWords):
    """A file that begins with `task` and names one of lm-eval's by `lm_eval`."""

    task: _Name
    lm_eval: Annotated[str, Field(min_length=1)]
    version: _Short | None = None
    description: str = ""
    config: dict[str, Any] = {}


class _LooseTaskFile(TaskFile):
    """A task file of which only the keys by themselves have to be right."""

    @model_validator(mode="after")
    def _pairs(self) -> _LooseTaskFile:
        return self


class SuiteFile(_Strict):
    """A file that begins with `suite`."""

    suite: _FreeName
    tasks: Annotated[list[_TaskName], Field(min_length=1)]
    shots: Annotated[list[_Shots], Field(min_length=1)] = []
    prompts: Annotated[list[str], Field(min_length=1)] = ["default"]
    treatments: Annotated[list[str], Field(min_length=1)] = []
    seeds: _Count = 1
    limit: _Count | None = None
    unsafe_code: bool = False
    in_all: bool = True
    description: str = ""


class ModelFile(_Strict):
    """One of a family's `models`."""

    name: _Braced
    path: str | None = None
    params: _Count | None = None
    params_non_embedding: _Count | None = None
    params_active: _Count | None = None
    tokens: _Count | None = None
    tokens_per_step: _Count | None = None
    loss: _Positive | None = None
    revision: Annotated[_Short, Field(pattern=_REVISION)] = "main"
    dtype: Dtype | None = None
    variant: _Variant | None = None
    run: _Run | None = None
    gpus: _Positive | None = None


class FamilyFile(_Strict):
    """A file that begins with `family`."""

    family: _Name
    kind: FamilyKind = "decoder"
    url: str | None = None
    licence: str | None = None
    sources: dict[str, str] = {}
    note: str | None = None
    tokens: _Count | None = None
    tokens_per_step: _Count | None = None
    revisions: list[_Braced] = []
    checkpoints: Annotated[str, Field(min_length=1)] | None = None
    dtype: Dtype = "float32"
    gpus: _Positive | None = None
    models: Annotated[list[ModelFile], Field(min_length=1)] = []

    @model_validator(mode="after")
    def _some(self) -> FamilyFile:
        if not self.models and self.checkpoints is None:
            raise ValueError("`models` is missing")
        return self


class TreatmentEntry(_Strict):
    """One of a file's `treatments`: a method, and its settings beside it."""

    name: _Treatment
    method: Literal["quantise", "prune", "finetune", "lora", "prompt", "prefix", "head", "distill"]
    bits: _Count | None = None
    share: _Number | None = None
    group: _Count | None = None
    activations: bool | None = None
    documents: _Count | None = None
    steps: _Count | None = None
    epochs: _Number | None = None
    batch: _Count | None = None
    accumulate: _Count | None = None
    learning_rate: _Number | None = None
    warmup: _Number | None = None
    weight_decay: _Number | None = None
    dropout: _Number | None = None
    patience: _Count | None = None
    development: _Number | None = None
    bf16: bool | None = None
    seed: Annotated[int, BeforeValidator(_whole), Field(ge=0, le=LARGEST_COUNT)] | None = None
    rank: _Count | None = None
    alpha: _Number | None = None
    tokens: _Count | None = None
    teacher: _Short | None = None
    temperature: _Number | None = None
    soft: _Number | None = None
    description: _Short = ""
    source: _Short | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> TreatmentEntry:
        if is_taken(self.name):
            raise ValueError(f"name is {quoted(self.name)}, which is built in; expected another")
        self.treatment()
        return self

    def treatment(self) -> Treatment:
        """What the entry describes.

        Raises:
            ValueError: a setting is missing, is not one of the method, or makes no sense.
        """
        settings = self.model_dump(exclude={"name", "method", "description", "source"}, exclude_none=True)
        try:
            method = method_of(self.method, settings)
        except PlanError as error:
            raise ValueError(str(error)) from error
        return Treatment(name=self.name, method=method, own=True, description=self.description, source=self.source)


class TreatmentsFile(_Strict):
    """A file that begins with `treatments`."""

    treatments: Annotated[list[TreatmentEntry], Field(min_length=1)]


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file.

    Raises:
        CatalogError: the file cannot be read, is not YAML, wants to run code, or does not consist of keys and values.
    """
    try:
        raw = yaml_text.parsed_yaml(read_text(path, YAML_BYTES))
    except UnreadableError as error:
        raise CatalogError(f"{path}: {error}") from error
    if not isinstance(raw, dict):
        found = "empty" if raw is None else f"a {type(raw).__name__}"
        raise CatalogError(f"{path}: is {found}; expected keys and values")
    return raw


def validated(model: type[_Model], raw: dict[str, Any], path: Path) -> _Model:
    """The content of a file as one of the models above.

    Raises:
        CatalogError: keys are missing or unknown, or have wrong values; a line for each.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults = Faults(path)
        faults.add(f"{path}: {problem}" for problem in _problems(error, model))
        faults.check()
        raise


def validated_task(raw: dict[str, Any], path: Path, faults: Faults) -> TaskFile | None:
    """The content of a task file; what is wrong with its keys is added to `faults`.

    Where something is, the file without the wrong keys, so that more can be looked at; None where too much is wrong.
    """
    try:
        return TaskFile.model_validate(raw)
    except ValidationError as error:
        faults.add(f"{path}: {problem}" for problem in _problems(error, TaskFile))
        rest = _without(raw, error)
    try:
        file = _LooseTaskFile.model_validate(rest)
    except ValidationError:
        return None
    faults.add(f"{path}: {problem}" for problem in file.problems())
    return file


def _without(raw: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """The content of a file without the keys that are wrong."""
    rest: dict[str, Any] = copy.deepcopy(raw)
    for problem in error.errors(include_url=False):
        if not (places := [part for part in problem["loc"] if part != "[key]"]):
            continue
        *above, last = places
        inside: Any = rest
        for part in above:
            known = isinstance(inside, dict) or (isinstance(inside, list) and isinstance(part, int))
            inside = inside[part] if known else None
        if isinstance(inside, dict):
            inside.pop(last, None)
    return {"kind": "qa", **rest}


_LETTERS = "letters, digits, `.`, `_` and `-`, the first a letter or a digit (of any script)"
_EXPECTED = {
    "model_type": "keys and values",
    "dict_type": "keys and values",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_pattern_mismatch": _LETTERS,
    "string_unicode": _LETTERS,
    "string_too_short": "a name",
    "too_short": "at least one",
}
"""Expected values in the words of YAML, for errors in which pydantic uses those of Python."""


def _problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Everything that is wrong, such as `metrics[0].chance is 1.2; expected less than or equal to 1`."""
    # before a key that is missing: it may be the same, misspelt
    found = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    return [line for problem in found for line in _problem(problem, model).split("\n")]


def _problem(problem: Any, model: type[BaseModel]) -> str:
    places = [part for part in problem["loc"] if part != "[key]"]
    key = cut("".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in places).lstrip("."))
    if problem["type"] == "extra_forbidden":
        for part in places[:-1]:
            if isinstance(part, str):  # a list of models
                (model,) = get_args(model.model_fields[part].annotation)
        return f"unknown key `{key}`; expected {', '.join(model.model_fields)}"
    if problem["type"] == "missing":
        return f"`{key}` is missing"
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}" if key else str(problem["ctx"]["error"])
    expected = _EXPECTED.get(problem["type"]) or re.sub(r"^Input should be (a valid )?", "", problem["msg"])
    if problem["type"] == "string_too_long":
        expected = f"at most {problem['ctx']['max_length']} characters, because a file of the results is named after it"
    return f"{key} is {quoted(problem['input'])}; expected {expected}"
