"""Methods of treating weights with their settings, and named treatments. Pure.

A method is a frozen dataclass, whose fields are the keys of a file; a new one is a class here or in
`harness.treatments.training`, a line in `METHODS`, and a function in `harness.engines.treating` or `engines.tuning`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

from harness.errors import ModelError, PlanError
from harness.plausible import LARGEST_COUNT
from harness.specs import ModelSpec
from harness.treatments.training import (
    ClassifierHead,
    Distill,
    Finetune,
    Lora,
    PrefixTuning,
    PromptTuning,
    TaskTraining,
    is_whole,
)
from harness.wording import percent, quoted


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantise:
    """Round the weights of linear layers to whole numbers times a scale: symmetric, to nearest, without any data."""

    bits: int
    """Bits of a whole number, 2 to 8."""
    group: int | None = None
    """Number of weights, next to each other in a row, that share a scale; None for a whole row, which makes one
    output."""
    activations: bool = False
    """True rounds what goes into these layers as well, to 8 bits with a scale for each token."""

    def __post_init__(self) -> None:
        """Refuse what is no number format."""
        if not is_whole(self.bits) or not 2 <= self.bits <= 8:
            raise PlanError(f"bits is {quoted(self.bits)}; expected 2 to 8")
        if self.group is not None and not (is_whole(self.group) and 2 <= self.group <= LARGEST_COUNT):
            raise PlanError(f"group is {quoted(self.group)}; expected 2 or more")
        if self.group is not None and self.group % 2:
            raise PlanError(f"group is {self.group}; expected an even number")
        if not isinstance(self.activations, bool):
            raise PlanError(f"activations is {quoted(self.activations)}; expected true or false")

    def does(self) -> str:
        """What happens to the weights, in a few words."""
        scale = "a scale per row" if self.group is None else f"a scale per {self.group} weights"
        inputs = ", and the inputs of these layers to 8 bits per token" if self.activations else ""
        return f"rounds the weights of linear layers to {self.bits} bits, {scale}{inputs}"

    def needs(self) -> str | None:
        """What a model has to be like; None where any with linear layers will do."""
        return "layers without mixtures of experts" if self.activations else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Prune:
    """Set the smallest weights of each matrix of the linear layers to zero (magnitude pruning, without retraining)."""

    share: float
    """Share of the weights that become zero, above 0 and below 1."""
    group: int | None = None
    """Number of weights, next to each other in a row, of each of which this share becomes zero, such as 4 for 2:4; None
    chooses among all weights of a matrix."""

    def __post_init__(self) -> None:
        """Refuse what no matrix can lose."""
        is_number = isinstance(self.share, int | float) and not isinstance(self.share, bool)
        if not is_number or not 0.0 < self.share < 1.0:
            raise PlanError(f"share is {quoted(self.share)}; expected above 0 and below 1")
        if self.group is None:
            return
        if not is_whole(self.group) or not 2 <= self.group <= 1024:
            raise PlanError(f"group is {quoted(self.group)}; expected 2 to 1024")
        zeros = self.share * self.group
        if not math.isclose(zeros, round(zeros)) or not 0 < round(zeros) < self.group:
            raise PlanError(f"share of a group is {zeros:g} of {self.group} weights; expected a whole number of them")

    def does(self) -> str:
        """What happens to the weights, in a few words."""
        if self.group is not None:
            kept = self.group - round(self.share * self.group)
            return f"keeps the {kept} largest of each {self.group} weights next to each other in linear layers"
        decimals = 0 if (100 * self.share).is_integer() else 1
        return f"sets the smallest {percent(self.share, decimals)} of the weights of each linear layer to zero"

    def needs(self) -> str | None:
        """What a model has to be like; None where any with linear layers will do."""
        return None if self.group is None else f"rows of a multiple of {self.group} weights"


Method = Quantise | Prune | TaskTraining
METHODS: Mapping[str, type[Method]] = {
    "quantise": Quantise,
    "prune": Prune,
    "finetune": Finetune,
    "lora": Lora,
    "prompt": PromptTuning,
    "prefix": PrefixTuning,
    "head": ClassifierHead,
    "distill": Distill,
}
"""Every method by the name that files give it."""


_PLACE = "teacher_path"
"""The setting that tells where something lies on one machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Treatment:
    """A method with its settings, under a name that people choose it by."""

    name: str
    """Name on the command line."""
    method: Method
    """What is done to the weights."""
    own: bool = False
    """True for one of a user's file, whose settings can change from one day to the next."""
    description: str = ""
    """What its author says of it; empty for the method's own words."""
    source: str | None = None
    """Where it was published; None when that is not said."""

    @property
    def variant(self) -> str:
        """What a model treated so has as its `variant`, which is part of the key of its cells.

        The settings of built-in treatments never change, and the name says it all. A digest of the settings follows the
        name of one's own, so that results of earlier settings stay apart, and that of a distillation, since the weights
        of a teacher may change.

        >>> Treatment(name="int8", method=Quantise(bits=8)).variant
        'int8'
        >>> Treatment(name="mine", method=Quantise(bits=6), own=True).variant
        'mine@f9ac24'
        """
        if not self.own and not isinstance(self.method, Distill):
            return self.name
        return f"{self.name}@{hashlib.sha256(identity_of(self.settings).encode()).hexdigest()[:6]}"

    @property
    def training(self) -> TaskTraining | None:
        """The method, if it trains on documents of a task; None for one that needs none."""
        return self.method if isinstance(self.method, TaskTraining) else None

    def on(self, documents: int) -> Treatment:
        """The same training on so many documents, which the name tells.

        Raises:
            PlanError: it trains nothing, or makes no sense with so many.

        >>> Treatment(name="finetune", method=Finetune()).on(64).variant
        'finetune@64'
        """
        if not isinstance(self.method, TaskTraining):
            raise PlanError(f"treatment {self.name!r} trains nothing; expected no number of documents after it")
        return replace(self, name=f"{self.name}@{documents}", method=replace(self.method, documents=documents))

    def taught_by(self, teacher: ModelSpec | None) -> Treatment:
        """The same distillation by a model whose weights are known; None where the family has no such model."""
        assert isinstance(self.method, Distill)
        if teacher is None:
            return self
        found = replace(
            self.method,
            teacher=teacher.name,
            teacher_revision=teacher.revision,
            teacher_path=teacher.path,
            teacher_params=teacher.params,
        )
        # one name, whether or not its organisation was typed
        short = teacher.name.rpartition("/")[2]
        name = self.name if self.own else self.name.replace(self.method.teacher, short, 1)
        return replace(self, name=name, method=found)

    @property
    def settings(self) -> str:
        """The method and its settings as JSON by sorted names, without those that go without saying.

        >>> Treatment(name="int4", method=Quantise(bits=4, group=32)).settings
        '{"bits":4,"group":32,"method":"quantise"}'
        """
        name = next(name for name, kind in METHODS.items() if type(self.method) is kind)
        defaults = {field.name: field.default for field in fields(self.method)}
        said = {key: value for key, value in asdict(self.method).items() if value != defaults[key]}
        return _written({"method": name, **said})


def identity_of(settings: str) -> str:
    """Settings without the place of a teacher's folder, which is another one on another machine.

    >>> identity_of('{"method":"distill","teacher":"m","teacher_path":"/m"}')
    '{"method":"distill","teacher":"m"}'
    """
    return moved_teacher(settings, lambda _: None)


def moved_teacher(settings: str, move: Callable[[str], str | None]) -> str:
    """Settings with the folder of a teacher where `move` says; None leaves it out. Others stay as they are."""
    if f'"{_PLACE}"' not in settings:
        return settings
    said = json.loads(settings)
    place = move(said.pop(_PLACE))
    if place is not None:
        said[_PLACE] = place
    return _written(said)


def teacher_path(settings: str | None) -> str | None:
    """Folder of the model that another one is to learn from; None where there is none."""
    found: list[str] = []
    moved_teacher(settings or "", found.append)
    return found[0] if found else None


def teacher_on_hub(settings: str | None) -> tuple[str, str] | None:
    """Name and revision of the model of the hub that another one is to learn from; None where there is none."""
    said = json.loads(settings or "{}")
    if _PLACE in said or (revision := said.get("teacher_revision")) is None:
        return None
    return said["teacher"], revision


def _written(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def method_of(name: str, settings: Mapping[str, Any]) -> Method:
    """The method called `name` with these settings, as a user chooses them.

    Raises:
        PlanError: a setting is not one of the method, is missing, or has a value that makes no sense.
    """
    kind = METHODS[name]
    found = kind.FOUND if issubclass(kind, TaskTraining) else ()
    known = [field.name for field in fields(kind) if field.name not in found]
    if others := [key for key in settings if key not in known]:
        raise PlanError(f"{others[0]} is no setting of method {name}; expected {', '.join(known)}")
    needed = [field.name for field in fields(kind) if field.default is MISSING]
    if missing := [key for key in needed if key not in settings]:
        raise PlanError(f"{missing[0]} is missing, which method {name} needs")
    return kind(**settings)


def method_from(written: str) -> Method:
    """The method that `Treatment.settings` wrote.

    Raises:
        ModelError: this version knows no such method.
    """
    try:
        settings = dict(json.loads(written))
        kind = METHODS[settings.pop("method")]
        found = {name: settings.pop(name) for name in getattr(kind, "FOUND", ()) if name in settings}
        made = method_of(next(name for name, one in METHODS.items() if one is kind), settings)
        return replace(made, **found) if found else made
    except (ValueError, TypeError, KeyError, PlanError) as error:
        raise ModelError(f"treatment {quoted(written)}: is none that this version can make") from error
