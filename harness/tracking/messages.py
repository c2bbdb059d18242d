"""What a run tells its trackers, as JSON between two processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

TrackedEnding = Literal["finished", "interrupted", "stopped", "lost"]
"""How a run ended; `lost` when its process is gone and told nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StartOfTracking:
    """A run that begins."""

    name: str
    """Name of the run, which no other has."""
    results: str
    """Where results lie: an absolute path, or the address of an object store."""
    config: Mapping[str, str | int | float | bool | None]
    """What people compare runs by: command, families, tasks, engine, number of cells, versions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """The scores of one cell, as a place on a curve."""

    curve: str
    """Name of the curve: task and setting, between slashes; with the family where the run has several."""
    over: Literal["params", "tokens"]
    """The axis of the curve."""
    at: int
    """Place on the axis: parameters, or training tokens."""
    family: str
    """Family of the model."""
    model: str
    """Name of the model."""
    params: int
    """Its parameters."""
    tokens: int | None
    """Its training tokens; None when not known."""
    scores: Mapping[str, float]
    """Metric -> score; its standard error stands under `METRIC_stderr` where there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgressOfTracking:
    """How far a run is. Cells that failed are counted here, and have no score."""

    done: int
    """Cells that were evaluated."""
    failed: int
    """Cells that failed."""
    total: int
    """Cells to evaluate."""
    seconds: float
    """Time since the run began."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EndOfTracking:
    """A run that has ended, however."""

    ending: TrackedEnding
    """How."""


Message = StartOfTracking | Scored | ProgressOfTracking | EndOfTracking
_KINDS: Mapping[str, type[Message]] = {
    "start": StartOfTracking,
    "score": Scored,
    "progress": ProgressOfTracking,
    "end": EndOfTracking,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_wire(messages: Sequence[Message]) -> bytes:
    """Messages as JSON.

    >>> from_wire(to_wire([EndOfTracking(ending="finished")]))
    [EndOfTracking(ending='finished')]
    """
    return json.dumps([[_NAMES[type(one)], asdict(one)] for one in messages]).encode()


def from_wire(content: bytes) -> list[Message]:
    """The messages in what `to_wire` made."""
    found: list[Any] = json.loads(content)
    return [_KINDS[kind](**fields) for kind, fields in found]
