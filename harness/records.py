"""What an evaluation gives: scores, samples, results, failures. A failure is a type of its own, never a score of 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from harness.errors import PlanError
from harness.plan import Cell
from harness.plan.documents import written_documents
from harness.plausible import AMOUNT, COUNT, INDEX, SIZE_BOUNDS, Bound, check_reading, check_score, check_time
from harness.specs import ModelSpec
from harness.wording import quoted


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
    """Number of documents that the value is computed from."""


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
    targets: tuple[str, ...] = ()
    """All reference answers where a document has several, `target` the first; empty for a single one."""
    outputs: tuple[str, ...] = ()
    """All generated texts when the task asks for several (`repeats`), `output` the first; empty for a single one."""
    truncated: bool = False
    """True when the prompt did not fit the model's context and lost its beginning."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where a result was read that another program had written."""

    tool: str
    """Program that evaluated, such as `lm-eval`."""
    tool_version: str | None = None
    """Version of that program; None where the file does not say it."""
    file: str
    """Name of the file, without its folder."""
    sha256: str
    """SHA-256 of the file's bytes in 64 hex digits; `.imported/` beside the results has a copy of the file."""
    imported_at: datetime
    """When it was read (UTC)."""
    licence: str | None = None
    """Licence of the results, as whoever imported them stated it; None when nobody did."""

    @property
    def program(self) -> str:
        """Program and version, in a few words."""
        return f"{self.tool} {self.tool_version or '(version not said)'}"

    @property
    def label(self) -> str:
        """Program, version and file, in a few words."""
        return f"{self.program}: {self.file}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """How much room the weights of a model take, and what a treatment did to them."""

    number: int
    """Parameters of the loaded model, those that layers share counted once."""
    dense_bytes: int
    """Bytes of all of them in the number format of the model."""
    memory_bytes: int
    """Bytes of all of them as they lay in memory while the model answered; pruned weights lie there as zeros."""
    packed_bytes: int
    """Bytes of a file that wastes nothing: whole numbers with their scales, or the weights that are not zero with their
    places. An estimate."""
    treated: int = 0
    """How many of them the treatment took; 0 for a plain model."""
    change: float | None = None
    """Root mean square of what the treatment changed, as a share of that of these weights; None for a plain model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """How a model was trained on the task of a cell, before it answered."""

    folder: str
    """Folder of the trained variant below `.variants` of the results folder, where `variant.json` says more."""
    documents: int
    """Training documents that it learnt from."""
    left_out: int = 0
    """Training documents that were left out because a test document asks the same."""
    steps: int
    """Steps of the optimiser."""
    seconds: float
    """Time that the training took, on the worker that did it; cells of the same variant share it."""
    energy_wh: float | None = None
    """Energy of the training in watt hours, which the same cells share; None when it was not measured."""
    parameters: int
    """Number of parameters that learnt."""
    loss: float | None = None
    """Mean loss of the last steps, in nats per token of the answers; None for a training of very few steps."""
    development_loss: float | None = None
    """Lowest loss on the development split; None without one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where and with what a cell was evaluated; no part of its key."""

    started_at: datetime
    """When the evaluation began (UTC)."""
    seconds: float
    """Wall time of the cell, model loading excluded."""
    load_seconds: float | None = None
    """Time that the model took to load in the process that answered, with the packages it needs; None where it was not
    measured, as before this was recorded."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package name -> version."""
    git_commit: str | None = None
    """Commit of the working folder; None outside a repository."""
    git_dirty: bool | None = None
    """True when the working folder had uncommitted changes; None outside a repository."""
    device: str = "cpu"
    """Device that the model ran on."""
    host: str = ""
    """Name of the machine."""
    batch_size: int | None = None
    """Batch size that worked; None when the engine has none."""
    token_budget: int | None = None
    """Tokens of one forward pass that worked; None when the engine has no such limit."""
    deterministic: bool = False
    """True when the user asked for numbers that depend on each document alone, bit by bit."""
    fallback: str | None = None
    """Why lm-eval's code answered in place of the engine that was chosen; None when the engine answered."""
    foreign_code: tuple[str, ...] = ()
    """Code of others that the user allowed to run, such as `exact_match.py@1f0c9d3e5a7b`; empty when there was none."""
    fence: str | None = None
    """What confined the programs that the model wrote, such as `bubblewrap+landlock+seccomp`, or `none` when only their
    time and memory were limited; None when it wrote no programs, or before this was recorded."""
    energy_wh: float | None = None
    """Energy in watt hours; None when not measured. `harness.engines.energy` says what is counted."""
    energy_measured_wh: float | None = None
    """Part of `energy_wh` that counters of the processor (RAPL) and of GPUs (NVML) gave; the rest is estimated from
    rated power. None when nothing was measured, or before this was recorded."""
    load_energy_wh: float | None = None
    """Energy of loading the model, with what its treatment took; None as for `load_seconds`, and without `--energy`."""
    weights: Weights | None = None
    """Size of the model's weights, and what its treatment did; None for an engine that loads none itself, or before
    this was recorded."""
    tuning: Tuning | None = None
    """How the model was trained on the task; None for a model that was not."""
    peak_bytes: int | None = None
    """Most GPU memory that the cell took, the model included; None on a CPU, or for a cell that several workers shared.
    """
    losses: tuple[str, ...] = ()
    """What became of earlier tries of the same run, whose machines were lost; in half a sentence each."""
    source: Source | None = None
    """The file of another program that the result was read from; None for a cell that was evaluated here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CellResult:
    """One cell that was evaluated."""

    cell: Cell
    """The cell."""
    scores: tuple[Score, ...]
    """In the order of the cell's metrics."""
    samples: tuple[Sample, ...] | None
    """One per document; None when only the header was read."""
    shots_effective: int
    """Number of demonstrations counted in the prompts; a cell where it differs from the request fails."""
    n_expected: int
    """Number of documents that the cell should have answered."""
    n_truncated: int = 0
    """Number of documents whose prompt was cut."""
    n_copies: int = 0
    """Number of documents with a copy among the demonstrations, which was left out for them."""
    n_ambiguous: int = 0
    """Number of documents whose label is the number of one option, and read so, and the text of another."""
    provenance: Provenance
    """Where, when and with what the cell was evaluated."""

    def __post_init__(self) -> None:
        """Refuse scores that are not finite numbers: they must not be stored or averaged, and the cell has failed."""
        for score in self.scores:
            if not math.isfinite(score.value) or not math.isfinite(score.stderr or 0.0):
                raise ValueError(f"metric {score.metric} came out as {score.value} +- {score.stderr}")


@dataclass(frozen=True, kw_only=True, slots=True)
class CellFailure:
    """One cell that could not be evaluated, and why."""

    cell: Cell
    """The cell."""
    error: str
    """Name of the error, such as `OutOfMemoryError` or `WorkerDied`."""
    message: str
    """First line of the error's text."""
    traceback: str = ""
    """Full traceback; empty when the worker process died and left none."""
    failed_at: datetime
    """When it failed (UTC)."""
    doc_id: int | None = None
    """Position of the document on which it failed, in the evaluated split; None where no single one is to blame."""
    option: int | None = None
    """Position of the option on which it failed, among those of the document; None where no single one is to blame."""
    repeat: str = ""
    """Command that repeats this cell alone, or its document alone; empty for a run that no command started."""
    circumstances: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    """Option of the run -> value, such as `device` -> `cpu`: where one has changed, the cell is tried again; empty for
    failures from before this was recorded."""
    node: str = ""
    """Name of the machine on which it failed; empty when the machine is not known."""
    pid: int | None = None
    """Number of the process that answered; None when it never started."""
    signal: str | None = None
    """Signal that ended this process, such as `SIGSEGV`; None when it lives, or ended by itself."""
    log: tuple[str, ...] = ()
    """The last lines that this process printed, at most 100."""
    losses: tuple[str, ...] = ()
    """What became of earlier tries of the same run, whose machines were lost; in half a sentence each."""


Outcome = CellResult | CellFailure


def implausible(outcome: Outcome) -> str | None:
    """What cannot be in a result or a failure, by the bounds that tables of others keep too; None when nothing is.

    A result with such a number must not be averaged or drawn, and breaks tables of whole numbers and of times.
    """
    try:
        _check_cell(outcome.cell)
        if isinstance(outcome, CellFailure):
            check_time("failed_at", outcome.failed_at)
        else:
            _check_result(outcome)
    except ValueError as error:
        return str(error)
    return None


def check_model(model: ModelSpec) -> None:
    """Check that a model is no larger than any can be.

    Raises:
        ValueError: it is.
    """
    for name in ("params", "params_non_embedding", "params_active", "tokens", "loss"):
        SIZE_BOUNDS[name].check(name, getattr(model, name))
    AMOUNT.check("gpus", model.gpus)


def _check_cell(cell: Cell) -> None:
    check_model(cell.model)
    for name in ("shots", "seed", "limit"):
        INDEX.check(name, getattr(cell, name))
    if cell.docs is not None:
        _check_documents(cell.docs)
    names = [metric.name for metric in cell.metrics]
    if not names or len({*names}) < len(names):
        raise ValueError(f"metrics are {quoted(names)}; expected one or more, each once")
    for metric in cell.metrics:
        check_reading(metric.chance, metric.best, higher=metric.higher_is_better, continuous=metric.continuous)


def _check_documents(docs: str) -> None:
    try:
        written = written_documents(docs)
    except PlanError as error:
        raise ValueError(str(error)) from error
    if written != docs:
        raise ValueError(f"docs is {quoted(docs)}; expected {quoted(written)}")


def _check_result(result: CellResult) -> None:
    metrics = {metric.name: metric for metric in result.cell.metrics}
    names = [score.metric for score in result.scores]
    if not names or len({*names}) < len(names) or not metrics.keys() >= {*names}:
        raise ValueError(f"scores are of {quoted(names)}; expected one each of {quoted([*metrics])}")
    for score in result.scores:
        metric = metrics[score.metric]
        COUNT.check("n", score.n)
        check_score(score.metric, score.value, score.stderr, best=metric.best, higher=metric.higher_is_better)
    COUNT.check("n_expected", result.n_expected)
    INDEX.check("shots_effective", result.shots_effective)
    for name in ("n_truncated", "n_copies", "n_ambiguous"):
        Bound(0, result.n_expected).check(name, getattr(result, name))
    check_time("started_at", result.provenance.started_at)
    AMOUNT.check("seconds", result.provenance.seconds)
    AMOUNT.check("load_seconds", result.provenance.load_seconds)
    AMOUNT.check("energy_wh", result.provenance.energy_wh)
    AMOUNT.check("energy_measured_wh", result.provenance.energy_measured_wh)
    AMOUNT.check("load_energy_wh", result.provenance.load_energy_wh)
    AMOUNT.check("peak_bytes", result.provenance.peak_bytes)
    if (weights := result.provenance.weights) is not None:
        for name in ("number", "dense_bytes", "memory_bytes", "packed_bytes", "treated"):
            INDEX.check(name, getattr(weights, name))
        AMOUNT.check("change", weights.change)
    if (tuning := result.provenance.tuning) is not None:
        for name in ("documents", "left_out", "steps", "parameters"):
            INDEX.check(name, getattr(tuning, name))
        AMOUNT.check("seconds", tuning.seconds)
        AMOUNT.check("energy_wh", tuning.energy_wh)
