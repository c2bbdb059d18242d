"""What the result files of other programs say, in one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from harness.specs import Kind, MetricSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedScore:
    """One metric of a published result."""

    metric: str
    """Name of the metric; the name of a filter other than `none` stands behind a comma."""
    value: float
    """The score, in the metric's own unit."""
    stderr: float | None
    """Standard error; None where the file gives none."""
    higher_is_better: bool | None = None
    """Whether more is better; None where the file does not say it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What one file says of one model on one task."""

    model: str
    """Name of the model, of the hub or as the file has it."""
    revision: str = "main"
    """Branch, tag or commit of the model."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Number format of the weights; None where the file does not say it."""
    variant: str | None = None
    """Adapter on top of the model, by its name; None for the plain model."""
    params: int | None = None
    """Parameters of the model; None where the file does not say it."""
    task: str
    """Name of the task."""
    version: str | None
    """Version of the task; None where the file does not say it."""
    asked: Mapping[str, object]
    """What else decides the score, such as the prompt where there is no version: results in which it differs are never
    joined."""
    shots: int
    """Demonstrations before the question."""
    seed: int = 0
    """Few-shot seed; 0 is the program's own default."""
    limit: int | None = None
    """Number of documents asked, from the first on; None for all."""
    chat: str | None = None
    """`template` when the prompt was wrapped in the turns of a chat."""
    system: str | None = None
    """System instruction; None for none."""
    scores: tuple[PublishedScore, ...]
    """Its metrics, the one that the task names first being the first."""
    n: int | None
    """Number of documents; None where the file does not say it."""
    has_options: bool | None = None
    """Whether the documents have options to choose from; None where the file does not say it."""
    kind: Kind | None = None
    """Kind of ability; None where the file does not say it, as only files that were exported here do."""
    metrics: tuple[MetricSpec, ...] = ()
    """How its metrics are to be read; empty where the file does not say it, as only exported files do."""
    options: int | None = None
    """Number of options of each document; None where the file does not say it, or it is not the same for all."""
    tool: str
    """Program that evaluated, such as `lm-eval`."""
    tool_version: str | None = None
    """Its version; None where the file does not say it."""
    date: datetime | None = None
    """When it was evaluated (UTC); None where the file does not say it."""
    seconds: float = 0.0
    """Wall time of the evaluation; 0 where the file does not say it, or says it of several tasks together."""
