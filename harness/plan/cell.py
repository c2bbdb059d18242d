"""Cells: the units that are evaluated, stored and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.plan.setting import Setting, axes, identity, setting_of
from harness.specs import Kind, MetricSpec, ModelSpec

DEFAULT_ENGINE = "tree"
"""Who answers when nobody says otherwise."""
DESCRIPTIVE_FIELDS = ("params", "params_non_embedding", "params_active", "tokens", "loss")
"""What is told of a model and changes no answer: it can be put right without evaluating anew."""


class Place(NamedTuple):
    """Where a cell's answers belong: a model that two families name has a place in each."""

    family: str
    """Family name."""
    key: str
    """Key of the cell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One number-producing unit: model x task x shots x prompt x seed."""

    model: ModelSpec
    """The model that answers."""
    task: str
    """Task name."""
    suite: str
    """Home suite of the task: a label, not part of the identity."""
    kind: Kind
    """Kind of ability."""
    task_version: str
    """Version given by the task's author."""
    task_digest: str
    """Digest of the task's config and data; results of an edited task stay apart from earlier ones."""
    metrics: tuple[MetricSpec, ...]
    """Metrics, first = headline."""
    shots: int
    """Demonstrations before the question."""
    prompt: str = "default"
    """Name of the prompt variant."""
    seed: int = 0
    """Fixes the permutation of the few-shot pool; k shots are its first k."""
    limit: int | None = None
    """First so many documents; None for all."""
    engine: str = DEFAULT_ENGINE
    """Name of the engine that answers."""

    def setting(self, *, free: Collection[str] = (), first: Sequence[str] = ()) -> Setting:
        """The values that cells must share to be compared.

        Args:
            free: names of the axes on which they may differ.
            first: names of the axes whose values come first.
        """
        return setting_of(self, axes(free=free, first=first))

    @property
    def key(self) -> str:
        """16 hex digits of SHA-256 over what changes the number; where and with what it runs is provenance."""
        text = json.dumps(identity(self), ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def place(self) -> Place:
        """Family and key: what is done, failed or to do. The family draws the curve and does not change the number."""
        return Place(self.model.family, self.key)

    @property
    def label(self) -> str:
        """Short text for progress and messages."""
        return f"{self.model.name} {self.task} {self.shots}-shot {self.prompt} seed {self.seed}"
