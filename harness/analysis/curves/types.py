"""Points, gaps, curves and the measurements they are made of, on one scale axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.analysis.stats import Estimate
from harness.records import Score
from harness.specs import Kind, MetricSpec

if TYPE_CHECKING:
    from harness.store import DocumentScores

Scale = Literal["params", "flops", "tokens", "loss"]


AXIS_TITLES: Mapping[Scale, str] = {
    "params": "Parameters (log scale)",
    "flops": "Training compute 6ND, FLOPs (log scale)",
    "tokens": "Training tokens (log scale)",
    "loss": "Loss of the model (smaller is better)",
}


_UNKNOWN: Mapping[Scale, str] = {
    "params": "parameters not known",
    "flops": "training tokens not known",
    "tokens": "training tokens not known",
    "loss": "loss not known",
}


def position(scale: Scale, x: float) -> float:
    """Where `x` stands among sizes, ascending with ability: log10 of a size, and -x of a loss.

    >>> position("params", 1e9), position("loss", 2.5)
    (9.0, -2.5)
    """
    return -x if scale == "loss" else math.log10(x)


def scale_value(scale: Scale, position: float) -> float:
    """The size or loss at a position: the inverse of `position`.

    >>> scale_value("params", 9.0), scale_value("loss", -2.5)
    (1000000000.0, 2.5)
    """
    return -position if scale == "loss" else 10.0**position


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One model on a curve, all its few-shot seeds taken together."""

    model: str
    """Model name."""
    x: float
    """Scale, in the unit of the curve's axis."""
    estimate: Estimate
    """Score with its standard error and number of documents."""
    low: float | None
    """Lower end of the 95 % interval; None when the spread is unknown."""
    high: float | None
    """Upper end of the 95 % interval; None when the spread is unknown."""
    n_expected: int
    """Documents the cell should have had; more than `estimate.n` when some are missing."""
    n_truncated: int = 0
    """Prompts that did not fit the model's context, over all seeds."""


class Gap(NamedTuple):
    """A model without a point, and why."""

    model: str
    """Model name."""
    reason: str
    """What happened, for people."""
    x: float | None
    """Where its point would be; None when its scale is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One metric over the sizes of one family, everything else held equal."""

    family: str
    """Family name."""
    task: str
    """Task name."""
    suite: str
    """Home suite of the task; empty when a table does not say."""
    kind: Kind | Literal[""]
    """Kind of ability; empty when a table does not say."""
    shots: int
    """Demonstrations before the question."""
    prompt: str
    """Prompt variant."""
    metric: MetricSpec
    """What is measured."""
    rank: int
    """Position among the task's metrics; 0 is the headline."""
    scale: Scale
    """What x means."""
    points: tuple[Point, ...]
    """Ascending by position (size up, loss down), at least one."""
    missing: tuple[Gap, ...] = ()
    """Models that were asked and have no point: failed, or of unknown scale. They are never drawn as 0."""
    conditions: str
    """What all points share: engine, dtype, variant, task digest, limit."""
    split: str | None = None
    """How this curve differs from others of the same setting that it must not be joined with; None when it is whole."""
    items: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)
    """Score of each document, (sizes, seeds, documents), the same documents in the same order throughout, so that
    the mean over seeds and documents is `y`; None when they were not read, differ between sizes or seeds, or the
    metric is no mean over documents."""

    @property
    def x(self) -> tuple[float, ...]:
        """Scale of each point, in the unit of the axis."""
        return tuple(p.x for p in self.points)

    @property
    def position(self) -> tuple[float, ...]:
        """Scale of each point as statistics use it, ascending with ability: log10 x, or -x for a loss."""
        return tuple(position(self.scale, p.x) for p in self.points)

    @property
    def y(self) -> tuple[float, ...]:
        """Score of each point."""
        return tuple(p.estimate.value for p in self.points)

    @property
    def low(self) -> tuple[float | None, ...]:
        """Lower end of each 95 % interval."""
        return tuple(p.low for p in self.points)

    @property
    def high(self) -> tuple[float | None, ...]:
        """Upper end of each 95 % interval."""
        return tuple(p.high for p in self.points)

    @property
    def n(self) -> tuple[int, ...]:
        """Documents behind each point."""
        return tuple(p.estimate.n for p in self.points)

    @property
    def stderr(self) -> tuple[float | None, ...]:
        """Standard error of each point."""
        return tuple(p.estimate.stderr for p in self.points)

    @property
    def models(self) -> tuple[str, ...]:
        """Model of each point."""
        return tuple(p.model for p in self.points)

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Score of each point with its uncertainty."""
        return tuple(p.estimate for p in self.points)

    @property
    def setting(self) -> tuple[str, str, int, str, str]:
        """Equal for the metrics of the same samples: family, task, shots, prompt, conditions."""
        return (self.family, self.task, self.shots, self.prompt, self.conditions)

    @property
    def label(self) -> str:
        """Short text for legends within one family: shots, prompt variant, and what sets the curve apart."""
        return f"{self.shots}-shot" + (f", {self.circumstances}" if self.circumstances else "")

    @property
    def circumstances(self) -> str:
        """Prompt variant and what sets the curve apart from others of its shots; empty when there is neither."""
        parts = [self.prompt] if self.prompt != "default" else []
        return ", ".join([*parts, self.split] if self.split else parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What one model did on one task in one setting with one few-shot seed: what curves are made of."""

    family: str
    """Family name."""
    task: str
    """Task name."""
    suite: str = ""
    """Home suite of the task; empty when not known."""
    kind: Kind | Literal[""] = ""
    """Kind of ability; empty when not known."""
    shots: int
    """Demonstrations before the question."""
    prompt: str
    """Prompt variant."""
    conditions: tuple[tuple[str, str], ...]
    """Name and value of whatever else must be equal for two measurements to lie on one curve."""
    model: str
    """Model name."""
    revision: str
    """Tells the checkpoints of a model apart."""
    scales: Mapping[Scale, float | None]
    """Where the model stands on each axis; None when not known."""
    age: tuple[float, float]
    """Of several checkpoints of a model, the greatest is the final one: training tokens, then time of evaluation."""
    seed: int
    """Few-shot seed."""
    metrics: tuple[MetricSpec, ...]
    """Metrics asked for, the same throughout a setting; the order gives the rank of their curves."""
    scores: Mapping[str, Score]
    """Metric name -> score; without those that could not be had."""
    failure: str | None = None
    """Why there are no scores; None when there are."""
    n_expected: int = 0
    """Documents there should be."""
    n_truncated: int = 0
    """Prompts that did not fit the model's context."""
    documents: Callable[[], DocumentScores | None] = lambda: None
    """Reads the scores of single documents; gives None when there are none to read."""

    @property
    def size(self) -> tuple[str, float | None]:
        """Equal for the checkpoints of one model: folders of one name can hold models of several sizes."""
        return (self.model, self.scales["params"])

    @property
    def setting(self) -> tuple[str, str, int, str]:
        """What a curve is of, its metric and conditions apart."""
        return (self.family, self.task, self.shots, self.prompt)
