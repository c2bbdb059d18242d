"""Points, gaps, curves, and the measurements they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.analysis.curves.scale import Scale, position
from harness.analysis.stats import Array, Estimate, RunNoise
from harness.records import Score
from harness.specs import Kind, MetricSpec
from harness.wording import counted, span

if TYPE_CHECKING:
    from harness.store import DocumentScores


class TrainingRun(NamedTuple):
    """One training run of a size on a curve, all its few-shot seeds taken together."""

    model: str
    """Model name."""
    run: str | None
    """Name of the training run, such as its seed; None when it has none."""
    x: float
    """Scale, in the unit of the curve's axis."""
    estimate: Estimate
    """Score, with its standard error and number of documents."""
    low: float | None
    """Lower end of the 95 % interval over documents; None when the spread is unknown."""
    high: float | None
    """Upper end of the 95 % interval over documents; None when the spread is unknown."""
    n_expected: int
    """Documents that were to be answered."""
    n_truncated: int
    """Number of prompts that did not fit the model's context, over all seeds."""
    of_seeds: tuple[float, ...] = ()
    """Score with each few-shot seed, in their order; empty when there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One size on a curve: all its training runs, and all few-shot seeds of each, taken together.

    Whatever is concluded from a curve counts its points, that is, sizes. How the runs of a size differ says how much
    noise training adds.
    """

    model: str
    """Model name; of several training runs with names of their own what these share, or the first of them."""
    x: float
    """Scale, in the unit of the curve's axis."""
    estimate: Estimate
    """Mean score over the training runs. Its standard error and number of documents are those of one run, because all
    runs answer the same documents."""
    low: float | None
    """Lower end of the 95 % interval, over documents and, where several runs show it, the noise between training runs;
    None when the spread is unknown."""
    high: float | None
    """Upper end of that interval; None when the spread is unknown."""
    n_expected: int
    """Documents that were to be answered; more than `estimate.n` when some are missing."""
    n_truncated: int = 0
    """Number of prompts that did not fit the model's context, over all seeds."""
    runs: tuple[TrainingRun, ...] = ()
    """The training runs of this size, in the order of their names; empty when nothing is known of them."""
    checkpoint: str = ""
    """What tells this point from others of the same model, as in `pythia-1b@step1000`; empty when the name does."""

    @property
    def run_names(self) -> tuple[str, ...]:
        """Name of each training run: its own, or else its place in the order."""
        return tuple(one.run or str(place) for place, one in enumerate(self.runs, start=1))

    @property
    def name(self) -> str:
        """What sentences call this point: the checkpoint, or the model."""
        return self.checkpoint or self.model


class Gap(NamedTuple):
    """A model that has no point on a curve, and the reason."""

    model: str
    """Model name."""
    reason: str
    """What happened, in words for people."""
    x: float | None
    """Scale at which its point would lie; None when its scale is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One metric over the sizes of one family, with everything else equal."""

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
    """The metric."""
    rank: int
    """Position among the task's metrics; 0 is the headline."""
    scale: Scale
    """The measure of size on the x axis."""
    points: tuple[Point, ...]
    """At least one point; sizes ascending, losses descending."""
    gaps: tuple[Gap, ...] = ()
    """Models without a point, because they failed or their scale is not known. They are never drawn as 0."""
    conditions: str
    """What all points share, in words: engine, dtype, variant, task digest, limit."""
    of_checkpoints: bool = False
    """True when some points are stages of one training: checkpoints, and not sizes."""
    left_out: int = 0
    """Earlier checkpoints that have no point here, because on this axis only the most trained of each size has one."""
    joined_from: int | None = None
    """Points before neighbours were joined, see `neighbours_joined`; None when each point is one checkpoint or size."""
    format: str | None = None
    """Format in which options are asked, `mc` or `cloze`, where it is not that which the task is written in; a table
    may name both. None where nothing is said."""
    split: str | None = None
    """How this curve differs from others of the same setting that it cannot be joined with; None without any."""
    source: str | None = None
    """Whose results these are that one's own are compared with; None for one's own."""
    noise: RunNoise | None = None
    """Noise between training runs, from the sizes with several; None where no size has several."""
    items: Array | None = field(default=None, compare=False, repr=False)
    """Score of each document, (sizes, seeds, documents), with the same documents in the same order everywhere, so that
    the mean over seeds and documents is `y`. None when scores of documents were not read, when sizes or seeds have
    different documents, or when the metric is not a mean over documents."""

    @property
    def x(self) -> tuple[float, ...]:
        """Scale of each point, in the unit of the axis."""
        return tuple(p.x for p in self.points)

    @property
    def position(self) -> tuple[float, ...]:
        """Scale of each point as statistics use it, which rises with ability: log10 x, or -x for a loss."""
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
        """Number of documents of each point."""
        return tuple(p.estimate.n for p in self.points)

    @property
    def sizes(self) -> str:
        """How many sizes, and how many training runs of each, in words: `8 sizes × 3 runs`, `8 sizes, 1 to 5 runs`."""
        sizes, fewest, most = counted(len(self.points), self.noun), min(self.runs), max(self.runs)
        if most == 1:
            return sizes
        return f"{sizes} × {most} runs" if fewest == most else f"{sizes}, {fewest} to {most} runs"

    @property
    def documents(self) -> str:
        """How many documents the points rest on, in words: `n = 120 to 200 documents`."""
        known = [e.n_known for e in self.estimates]
        counts = [n for n in known if n is not None]
        if not counts:
            return "number of documents not known"
        return f"n = {span(counts)} {'document' if max(counts) == 1 else 'documents'}"

    @property
    def stderr(self) -> tuple[float | None, ...]:
        """Standard error of each point."""
        return tuple(p.estimate.stderr for p in self.points)

    @property
    def models(self) -> tuple[str, ...]:
        """Model of each point."""
        return tuple(p.model for p in self.points)

    @property
    def runs(self) -> tuple[int, ...]:
        """Number of training runs of each point, at least 1."""
        return tuple(max(len(p.runs), 1) for p in self.points)

    @property
    def names(self) -> tuple[str, ...]:
        """What sentences call each point: its checkpoint where several are of one model, otherwise its model."""
        return tuple(p.name for p in self.points)

    @property
    def noun(self) -> str:
        """What a point is: a size, or a checkpoint."""
        return "checkpoint" if self.of_checkpoints else "size"

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Score of each point, with its uncertainty."""
        return tuple(p.estimate for p in self.points)

    @property
    def run_estimates(self) -> tuple[Estimate, ...]:
        """As `estimates`, with the noise between training runs in the standard errors where it is known."""
        if (noise := self.noise) is None:
            return self.estimates
        at_half = noise.wary_sd**2
        of_runs = [at_half * noise.share(e.value) / runs for e, runs in zip(self.estimates, self.runs, strict=True)]
        return tuple(
            e if e.stderr is None else e._replace(stderr=math.sqrt(e.stderr**2 + more), proportion=False)
            for e, more in zip(self.estimates, of_runs, strict=True)
        )

    @property
    def setting(self) -> tuple[str, str, int, str, str]:
        """Family, task, shots, prompt and conditions: equal for all metrics of the same answers."""
        return (self.family, self.task, self.shots, self.prompt, self.conditions)

    @property
    def question(self) -> tuple[str, str, int, str, str]:
        """As `setting`, whatever the format is in which options are asked: equal for a curve and its twin."""
        named = f"format {self.format}"
        others = [f", {self.conditions},".replace(f", {named},", ",", 1) if self.format else self.conditions]
        return (*self.setting[:4], others[0].strip(", "))

    @property
    def label(self) -> str:
        """Text for a legend: shots, prompt variant, and how the curve differs from others of the setting."""
        return f"{self.shots}-shot" + (f", {self.circumstances}" if self.circumstances else "")

    @property
    def circumstances(self) -> str:
        """Prompt variant, `split` and `source`, in words; empty where there is none but the default prompt."""
        prompt = None if self.prompt == "default" else self.prompt
        return ", ".join(part for part in (prompt, self.split, self.source) if part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """The scores of one model on one task in one setting with one few-shot seed. Curves are made of these."""

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
    """Name and value of everything else that must be equal for two measurements to lie on one curve."""
    model: str
    """Model name."""
    revision: str
    """Which checkpoint of the model it is."""
    stage: str = ""
    """What people call this checkpoint; empty when nothing but its amount of training tells it from others."""
    scales: Mapping[Scale, float | None]
    """Scale of the model by each measure of size; None when it is not known."""
    run: str | None = None
    """Which training run of its size the model is; None when not said."""
    age: tuple[float, float]
    """Training tokens, then time of evaluation. Of several checkpoints of a model the greatest is the final one."""
    seed: int
    """Few-shot seed."""
    metrics: tuple[MetricSpec, ...]
    """Metrics of the setting, in the order that gives the rank of their curves."""
    scores: Mapping[str, Score]
    """Metric name -> score. A metric that could not be computed is left out."""
    failure: str | None = None
    """Why there are no scores; None when there are."""
    n_expected: int = 0
    """Number of documents that were to be answered."""
    n_truncated: int = 0
    """Number of prompts that did not fit the model's context."""
    documents: Callable[[], DocumentScores | None] = lambda: None
    """Reads the scores of single documents; returns None when there are none."""

    @property
    def trained(self) -> tuple[str, float | None, str | None]:
        """Name, parameters and training run, equal for the checkpoints of one model.

        One name alone may stand for several sizes, and for several training runs of one size.
        """
        return (self.model, self.scales["params"], self.run)

    @property
    def name(self) -> str:
        """The model, with its training run where that has a name."""
        return self.model if self.run is None else f"{self.model} run {self.run}"

    @property
    def setting(self) -> tuple[str, str, int, str]:
        """Family, task, shots and prompt: everything that a curve shows, except metric and conditions."""
        return (self.family, self.task, self.shots, self.prompt)
