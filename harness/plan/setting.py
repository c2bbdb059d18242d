"""What makes two results comparable, stated once: the axes along which cells differ, and settings, values on them.

Results may be joined, averaged or compared where their settings agree. Whoever puts results together says which axes
are left free: a curve leaves the model and the few-shot seed free, a leaderboard has a row for each setting of the
model and a column for each setting of the question, a comparison leaves free what its two sides name.

A new axis is a field of `Cell` or `ModelSpec` with a default, and a line in `AXES` with that default and
`in_key="unless default"`: cells that were evaluated before keep their keys, and everything else follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.plan.generation import generation_text

if TYPE_CHECKING:
    from harness.plan.cell import Cell
    from harness.specs import ModelSpec

Value = str | int | None
_SHOWN = 40
"""Characters of a system instruction that stand in a label."""


def _plain(value: Value) -> str:
    return "plain" if value is None else str(value)


def _documents(value: Value) -> str:
    return "all" if value is None else f"first {value}"


def _chosen(value: Value) -> str:
    return "all documents" if value is None else f"documents {value}"


def _chat(value: Value) -> str:
    return "plain text" if value is None else f"chat {value}"


def _instruction(value: Value) -> str:
    """The first words of a system instruction, and what tells it from others that begin with them."""
    if value is None:
        return "plain"
    text = " ".join(str(value).split())
    digest = hashlib.sha256(str(value).encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return text if text == value and len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({digest})"


def _system(value: Value) -> str:
    return "no system instruction" if value is None else f"system {_instruction(value)}"


def _options(value: Value) -> str:
    return "as the task says" if value is None else generation_text(str(value))


def _run(value: Value) -> str:
    return "training run not named" if value is None else f"run {value}"


def _as_written(value: Value) -> str:
    return "as written" if value is None else str(value)


def _format(value: Value) -> str:
    return "format as written" if value is None else f"{value} format"


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """One circumstance in which two results can differ."""

    name: str
    """What people type on the command line, and a column of tables."""
    field: str
    """Attribute of a cell that holds the value, such as `model.dtype`."""
    of: Literal["model", "question"]
    """Whether it says who answered or what was asked."""
    default: Value = None
    """Value that goes without saying in the name of a leaderboard's column."""
    in_key: Literal["always", "unless default", "never"] = "always"
    """Whether the value is part of a cell's key."""
    title: str = ""
    """What the conditions of a curve call it; empty for its name."""
    text: Callable[[Value], str] = _plain
    """The value in words: `float32`, `plain` for no treatment, `first 10` for a limit."""
    label: Callable[[Value], str] | None = None
    """The value where no title stands beside it, such as `5-shot`; None where `text` explains itself."""

    def label_of(self, value: Value) -> str:
        """The value in the label of a setting."""
        return (self.label or self.text)(value)

    def goes_without_saying(self, value: Value) -> bool:
        """True for the default of an axis that was added later: earlier results and tables do not name it."""
        return self.in_key == "unless default" and value == self.default

    def of_cell(self, cell: Cell) -> str:
        """The value of a cell, in words."""
        value: Value = attrgetter(self.field)(cell)
        return self.text(value)


AXES: Mapping[str, Axis] = {
    axis.name: axis
    for axis in (
        # the family says on which curve an answer stands and does not change it
        Axis(name="family", field="model.family", of="model", in_key="never"),
        Axis(name="model", field="model.name", of="model"),
        Axis(name="revision", field="model.revision", of="model"),
        Axis(name="dtype", field="model.dtype", of="model"),
        Axis(name="variant", field="model.variant", of="model"),
        Axis(name="task", field="task", of="question"),
        Axis(name="task_digest", field="task_digest", of="question", title="task", label="digest {}".format),
        Axis(name="shots", field="shots", of="question", label="{}-shot".format),
        Axis(name="prompt", field="prompt", of="question", default="default"),
        Axis(name="seed", field="seed", of="question", default=0, label="seed {}".format),
        Axis(
            name="limit",
            field="limit",
            of="question",
            title="documents",
            text=_documents,
            label=lambda value: "all documents" if value is None else _documents(value),
        ),
        Axis(name="engine", field="engine", of="model"),
        Axis(name="chat", field="chat", of="question", in_key="unless default", label=_chat),
        Axis(name="system", field="system", of="question", in_key="unless default", text=_instruction, label=_system),
        Axis(name="run", field="model.run", of="model", in_key="unless default", title="training run", label=_run),
        Axis(
            name="docs", field="docs", of="question", in_key="unless default", title="documents chosen", label=_chosen
        ),
        Axis(name="format", field="format", of="question", in_key="unless default", text=_as_written, label=_format),
        Axis(
            name="generation",
            field="generation",
            of="question",
            in_key="unless default",
            text=_options,
            label=lambda value: f"generation {_options(value)}",
        ),
    )
}
"""Every axis by name, in the order of the values in a key: a new one goes to the end."""
MODEL_AXES = frozenset(axis.name for axis in AXES.values() if axis.of == "model")
"""Who answered."""
QUESTION_AXES = frozenset(AXES) - MODEL_AXES
"""What was asked."""


class Setting(NamedTuple):
    """The values of a cell on the axes that are not left free."""

    names: tuple[str, ...]
    """Names of the axes."""
    values: tuple[Value, ...]
    """Value on each axis."""

    def value(self, name: str) -> Value:
        """The value on the axis called `name`, which must not have been left free."""
        return self.values[self.names.index(name)]

    def text(self, name: str) -> str:
        """The value on the axis called `name`, in words."""
        return AXES[name].text(self.value(name))

    def texts(self) -> tuple[str, ...]:
        """All values in words."""
        return tuple(AXES[name].text(value) for name, value in zip(self.names, self.values, strict=True))


def axes(*, free: Collection[str] = (), first: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the axes that are not left free: those of `first` in that order, then the others in the order of `AXES`.

    >>> axes(free=QUESTION_AXES, first=("family", "engine"))
    ('family', 'engine', 'model', 'revision', 'dtype', 'variant', 'run')
    """
    return _axes(frozenset(free), tuple(first))


@cache
def _axes(free: frozenset[str], first: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys((*first, *AXES)) if name not in free)


@cache
def _reader(names: tuple[str, ...]) -> Callable[[Cell], tuple[Value, ...]]:
    fields = [AXES[name].field for name in names]
    if len(fields) < 2:  # of which attrgetter makes no tuple
        return lambda cell: tuple(attrgetter(field)(cell) for field in fields)
    read: Callable[[Cell], tuple[Value, ...]] = attrgetter(*fields)
    return read


def setting_of(cell: Cell, names: tuple[str, ...]) -> Setting:
    """The setting of a cell on the axes with these names, which `axes` gives."""
    return Setting(names, _reader(names)(cell))


_IN_EVERY_KEY = tuple(axis.name for axis in AXES.values() if axis.in_key == "always")
_UNLESS_DEFAULT = tuple(axis for axis in AXES.values() if axis.in_key == "unless default")


def identity(cell: Cell, added: Iterable[Axis] = _UNLESS_DEFAULT) -> tuple[Value, ...]:
    """The values of a cell from which its key is computed: those on all axes that can change a score.

    Args:
        cell: the cell.
        added: axes whose default is left out, so that cells from before they were added keep their keys.
    """
    values = [(axis, attrgetter(axis.field)(cell)) for axis in added]
    return (*_reader(_IN_EVERY_KEY)(cell), *(f"{axis.name}={value}" for axis, value in values if value != axis.default))


_OF_MODEL = tuple(axis.field.removeprefix("model.") for axis in AXES.values() if axis.field.startswith("model."))


def model_identity(model: ModelSpec) -> tuple[Value, ...]:
    """The model's values on all axes that a model has, whatever it is asked."""
    return tuple([getattr(model, name) for name in _OF_MODEL])
