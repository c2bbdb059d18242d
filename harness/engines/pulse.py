"""How far this process is with the cell that it answers, for those who watch it from outside.

A process answers one cell at a time, so there is one pulse. Engines count documents as they are answered, and steps as
the model computes: a document may take a minute, and a worker that goes on with it does not hang.
"""

from __future__ import annotations

from typing import NamedTuple


class Pulse(NamedTuple):
    """What has been done since the cell was begun. It stands still when nothing is done."""

    documents: int = 0
    """Number of documents that are answered."""
    of: int | None = None
    """Number of documents that are asked; None where nobody has said so."""
    steps: int = 0
    """Number of passes through the model, or of other steps that an engine counts."""
    doing: str = ""
    """What is done before documents are answered, in words; empty while they are."""


_now = Pulse()


def pulse() -> Pulse:
    """How far this process is."""
    return _now


def begin(of: int | None = None) -> None:
    """A cell, or a part of one, is begun.

    Args:
        of: number of its documents; None when it is not known.
    """
    global _now  # noqa: PLW0603  (one per process, as there is one cell at a time)
    _now = Pulse(of=of, steps=_now.steps + 1)


def answered(documents: int) -> None:
    """So many more documents are answered."""
    global _now  # noqa: PLW0603
    _now = _now._replace(documents=_now.documents + documents, doing="")


def step() -> None:
    """The model has computed something."""
    global _now  # noqa: PLW0603
    _now = _now._replace(steps=_now.steps + 1)


def doing(what: str) -> None:
    """Something is done before documents are answered, such as `training, step 20 of 200`; empty when it is over."""
    global _now  # noqa: PLW0603
    _now = _now._replace(doing=what, steps=_now.steps + 1)
