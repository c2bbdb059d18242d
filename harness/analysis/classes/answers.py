"""Which class each document has and which its answer names, read from what a cell has stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.errors import HarnessError
from harness.plan import Cell
from harness.records import Sample
from harness.wording import counted, natural_order

NO_CLASS = "(no class)"
"""What tables and figures call answers that name no class."""
LABELLED = ("classification", "relation-extraction")
"""Kinds of tasks whose written answers are labels, however many there are."""
_MOST_CLASSES = 200
"""More different answers are no classes that a table could show."""
_FEWEST_PER_LABEL = 4
"""Documents per label from which on written answers of any other kind of task are taken for labels."""
_AROUND = " \t\r\n.,;:!?\"'`*()[]"
"""What may stand around a written label."""


class ClassesError(HarnessError):
    """The answers of a cell have no classes."""


class Labels(NamedTuple):
    """The labels of a cell's documents and answers, as places in `names`."""

    names: tuple[str, ...]
    """Every label: the options of multiple choice in their order, or the right answers that occur, by name."""
    expected: tuple[int, ...]
    """The right label of each document."""
    answered: tuple[int | None, ...]
    """The label that each answer names; None where it names none."""


def labels_in(cell: Cell, samples: Sequence[Sample]) -> Labels:
    """The labels of multiple choice with the same options everywhere, or of answers that are written.

    A written answer names a label if it is that label but for capitals, spaces and signs around it, or if the task's
    own metric takes it for the right one. Every other answer names none.

    Args:
        cell: the cell.
        samples: its stored answers; at least one.

    Raises:
        ClassesError: options differ from document to document, documents have several right answers, or right answers
            are too many to be labels.
    """
    if any(len({*one.targets}) > 1 for one in samples):
        raise ClassesError("its documents have several right answers, so that none has one class")
    chosen = any(one.options for one in samples)
    names = _options(samples) if chosen else _written(cell, samples)
    place = {name: at for at, name in enumerate(names)}
    if chosen:
        return Labels(names, tuple(place[one.target] for one in samples), tuple(place[one.output] for one in samples))
    alike: dict[str, list[int]] = {}
    for name, at in place.items():
        alike.setdefault(_bare(name), []).append(at)
    metric = cell.metrics[0]
    sure = metric.best if metric.higher_is_better and not metric.continuous else None
    return Labels(
        names,
        tuple(place[one.target.strip()] for one in samples),
        tuple(
            place[one.target.strip()]
            if sure is not None and one.scores.get(metric.name) == sure
            else _named(one.output, place, alike)
            for one in samples
        ),
    )


def _named(output: str, place: dict[str, int], alike: dict[str, list[int]]) -> int | None:
    if (exact := place.get(output.strip())) is not None:
        return exact
    found = alike.get(_bare(output), [])
    return found[0] if len(found) == 1 else None


def _bare(text: str) -> str:
    return " ".join(text.strip(_AROUND).casefold().split())


def _options(samples: Sequence[Sample]) -> tuple[str, ...]:
    first = tuple(dict.fromkeys(samples[0].options))
    if any({*one.options} != {*first} for one in samples):
        raise ClassesError("its options differ from document to document, so that they are no classes")
    if any(one.target not in first or one.output not in first for one in samples):
        raise ClassesError("right answers are not among the options")
    return first


def _written(cell: Cell, samples: Sequence[Sample]) -> tuple[str, ...]:
    names = sorted({one.target.strip() for one in samples}, key=natural_order)
    if len(names) < 2:
        raise ClassesError("all its documents have the same right answer")
    many = len(names) > _MOST_CLASSES
    if many or (cell.kind not in LABELLED and len(names) * _FEWEST_PER_LABEL > len(samples)):
        raise ClassesError(
            f"{counted(len(samples), 'document')} have {counted(len(names), 'different right answer')}, which are no "
            "labels"
        )
    return tuple(names)
