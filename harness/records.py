"""What came back: scores, samples, results and failures. A failure is a type of its own, never a zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from harness.plan import Cell


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One metric of one cell."""

    metric: str
    """Metric name."""
    value: float
    """Mean (or corpus value) over the documents, in the metric's own unit."""
    stderr: float | None
    """Standard error from the samples; None when n is 1."""
    n: int
    """Documents the value rests on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What a model answered to one document."""

    doc_id: int
    """Position in the evaluated split."""
    doc_hash: str
    """Hash of the document: the same document has the same hash in every cell."""
    prompt_hash: str
    """Hash of the full prompt text, shots included."""
    prompt: str
    """The full prompt text."""
    target: str
    """Reference answer."""
    output: str
    """Generated text, or the option the model preferred; the first of several texts."""
    scores: Mapping[str, float]
    """Metric name -> this document's score."""
    options: tuple[str, ...] = ()
    """Answer options, empty for generation."""
    option_loglikelihoods: tuple[float, ...] = ()
    """Natural-log likelihood of each option given the prompt; empty for generation."""
    outputs: tuple[str, ...] = ()
    """All generated texts when the task asks for several (`repeats`), `output` the first; empty for a single one."""
    truncated: bool = False
    """True when the prompt did not fit the model's context and lost its beginning."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where and with what a cell was evaluated; never part of its identity."""

    started_at: datetime
    """UTC."""
    seconds: float
    """Wall time of the cell, model loading excluded."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package name -> version."""
    git_commit: str | None = None
    """Commit of the working folder; None outside a repository."""
    git_dirty: bool | None = None
    """True when the working folder had uncommitted changes; None outside a repository."""
    device: str = "cpu"
    """Device the model ran on."""
    host: str = ""
    """Host name."""
    batch_size: int | None = None
    """Batch size that worked; None when the engine has none."""
    token_budget: int | None = None
    """Tokens of one forward pass that worked; None when the engine has no such limit."""
    deterministic: bool = False
    """True when the numbers were asked to depend on each document alone, bit by bit."""
    fallback: str | None = None
    """Why the engine that was asked for left this cell to lm-eval's code; None when it answered itself."""
    foreign_code: tuple[str, ...] = ()
    """Code of others that the user let run, such as `exact_match.py@1f0c9d3e5a7b` of a task; empty when none did."""
    fence: str | None = None
    """What held the programs that the model wrote, such as `bubblewrap+landlock+seccomp`, or `none` for their limits
    alone; None when it wrote none, or before this was recorded."""
    energy_wh: float | None = None
    """Watt hours; None when not measured. See `harness.engines.energy` for what is counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CellResult:
    """One cell that was evaluated."""

    cell: Cell
    """What was asked."""
    scores: tuple[Score, ...]
    """In the order of the cell's metrics."""
    samples: tuple[Sample, ...] | None
    """One per document; None when only the header was read."""
    shots_effective: int
    """Demonstrations the prompts really held; equal to the request, or the cell would have failed."""
    n_expected: int
    """Documents the cell should have had."""
    n_truncated: int = 0
    """Documents whose prompt was cut."""
    provenance: Provenance
    """Where, when and with what."""

    def __post_init__(self) -> None:
        """A number that is none must not be stored, plotted or averaged: such a cell has failed."""
        for score in self.scores:
            if not math.isfinite(score.value) or not math.isfinite(score.stderr or 0.0):
                raise ValueError(f"metric {score.metric} came out as {score.value} +- {score.stderr}")


@dataclass(frozen=True, kw_only=True, slots=True)
class CellFailure:
    """One cell that could not be evaluated, and why."""

    cell: Cell
    """What was asked."""
    error: str
    """Name of the error, such as `OutOfMemoryError` or `WorkerDied`."""
    message: str
    """First line, for people."""
    traceback: str = ""
    """Full traceback; empty when the worker died without one."""
    failed_at: datetime
    """UTC."""


Outcome = CellResult | CellFailure
