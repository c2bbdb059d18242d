"""Cells: the units that are evaluated, stored and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.plan.documents import chosen_documents
from harness.plan.formats import Format
from harness.plan.setting import Setting, axes, identity, setting_of
from harness.specs import Kind, MetricSpec, ModelSpec

DEFAULT_ENGINE = "tree"
"""Engine that asks models which continue a text, unless another one is chosen."""
AUTO_ENGINE = "auto"
"""Stands for the engine that fits each model; no engine has this name."""
DESCRIPTIVE_FIELDS = ("params", "params_non_embedding", "params_active", "tokens", "loss")
"""Fields that describe a model and change none of its answers: stored results can be corrected without a new run."""


class Place(NamedTuple):
    """The family and the key of a cell: a model that two families name has a place in each of them."""

    family: str
    """Family name."""
    key: str
    """Key of the cell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """What is evaluated, stored and compared as one: a model, a task, a number of shots, a prompt and a seed."""

    model: ModelSpec
    """The model that answers."""
    task: str
    """Task name."""
    suite: str
    """Suite that the task belongs to: a label that is no part of the key."""
    kind: Kind
    """Kind of ability."""
    task_version: str
    """Version that the task's author gives."""
    task_digest: str
    """Digest of the task's config and data, so that results of an edited task stay apart from earlier ones."""
    metrics: tuple[MetricSpec, ...]
    """Metrics of the task; the first is the headline."""
    shots: int
    """Demonstrations before the question."""
    prompt: str = "default"
    """Name of the prompt variant."""
    seed: int = 0
    """Few-shot seed: it fixes one permutation of the examples, of which k shots are the first k."""
    limit: int | None = None
    """Number of documents that are asked, from the first on; None for all."""
    docs: str | None = None
    """Numbers of the documents that are asked, such as `17,19-25`: a trial; None for those of `limit`."""
    chat: str | None = None
    """`template` wraps the prompt in turns by the model's own chat template, examples included; None asks in plain
    text."""
    system: str | None = None
    """System instruction before the prompt; None for none."""
    format: Format | None = None
    """The other format in which the options are asked, `mc` by letters or `cloze` by their texts; None for that which
    the task is written in."""
    generation: str | None = None
    """Options of writing texts beyond those of the task, as JSON by sorted names; None for none."""
    engine: str = DEFAULT_ENGINE
    """Name of the engine."""

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
        """Family and key, by which cells are done, failed or to do: each family has a curve of its own."""
        return Place(self.model.family, self.key)

    def positions(self, n_docs: int) -> Sequence[int]:
        """Positions of the documents that are asked, ascending, of a task that has `n_docs`."""
        if self.docs is not None:
            return [number for number in chosen_documents(self.docs) if number < n_docs]
        return range(n_docs if self.limit is None else min(n_docs, self.limit))

    def n_asked(self, n_docs: int | None) -> int | None:
        """Number of the documents that are asked; None when only the hub knows."""
        return None if n_docs is None else len(self.positions(n_docs))

    @property
    def label(self) -> str:
        """Short text for progress lines and messages."""
        chosen = "" if self.docs is None else f" documents {self.docs}"
        twin = "" if self.format is None else f" {self.format} format"
        treated = f"+{self.model.variant}" if self.model.treatment else ""
        return f"{self.model.name}{treated} {self.task} {self.shots}-shot {self.prompt} seed {self.seed}{twin}{chosen}"
