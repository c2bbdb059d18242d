"""The two sides of a comparison, the pairs of cells that they give, and their differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.analysis.stats import ALPHA
from harness.plan import Cell
from harness.records import CellResult
from harness.specs import MetricSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedScores:
    """Two sides' scores of the same documents."""

    n: int
    """Number of documents."""
    mean_a: float
    """Mean of the first side over seeds and documents."""
    mean_b: float
    """Mean of the second side."""
    difference: float
    """Second mean minus first, in the unit of the score."""
    stderr: float | None
    """Standard error of `difference`, over documents, seeds and, where it is counted, training runs; None for one
    document."""
    stderr_unpaired: float | None
    """The standard error if each side had answered documents of its own; None for one document."""
    low: float | None
    """Lower end of the 95 % interval; None when the scores have no spread."""
    high: float | None
    """Upper end of the 95 % interval; None when the scores have no spread."""
    p: float | None
    """Two-sided p of "no difference"; None when the scores have no spread."""
    correlation: float | None
    """Pearson correlation of the two sides over documents; None when one side has no spread."""
    higher_b: int
    """Number of documents on which the second side scored more."""
    equal: int
    """Number of documents on which both sides scored the same."""
    higher_a: int
    """Number of documents on which the first side scored more."""
    detectable: float | None
    """Smallest true difference that would be found with a probability of 80 % (two-sided, 5 %); None if not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One metric in one setting, compared between both sides."""

    task: str
    """Task name."""
    setting: str
    """What is equal on both sides besides the task, as far as other comparisons differ in it."""
    metric: MetricSpec
    """The metric."""
    headline: bool
    """True for the metric that a leaderboard shows."""
    a: tuple[Cell, ...]
    """Cells of the first side, one per training run and few-shot seed."""
    b: tuple[Cell, ...]
    """Cells of the second side."""
    scores: PairedScores
    """Scores of both sides on the documents that they share."""
    only_a: int
    """Number of documents that are left out because only the first side has them."""
    only_b: int
    """Number of documents that are left out because only the second side has them."""
    by_document: bool
    """True when the metric scores all documents together, such as a micro-averaged F1. Then the means of the documents'
    own scores are compared instead."""
    q: float | None
    """p adjusted for the number of comparisons (Benjamini and Hochberg 1995), headlines and other metrics separately;
    None when there is no p."""
    runs_a: int = 1
    """Number of training runs that the score of the first side is a mean of."""
    runs_b: int = 1
    """The same for the second side."""
    run_sd: float | None = None
    """Standard deviation between training runs of one size that errors count, at a score of one half; None for none."""
    run_freedom: float | None = None
    """Degrees of freedom of `run_sd`; None where it was not estimated."""

    @property
    def better(self) -> Literal["A", "B"] | None:
        """The side that is better at a false-discovery rate of 5 %; None when neither side is clearly better."""
        if self.q is None or self.q >= ALPHA or self.scores.difference == 0.0:
            return None
        return "B" if (self.scores.difference > 0.0) == self.metric.higher_is_better else "A"


class Comparisons(NamedTuple):
    """All comparisons of two sides, and what could not be compared."""

    comparisons: tuple[Comparison, ...]
    """In the order of the pairs and of each task's metrics."""
    unpaired: tuple[Unpaired, ...]
    """Pairs, and metrics of pairs, that could not be compared."""


class Summary(NamedTuple):
    """How many headline comparisons each side wins."""

    better: int
    """Comparisons in which the second side is better."""
    worse: int
    """Comparisons in which the first side is better."""
    unclear: int
    """Comparisons without a clear difference."""


class Side(NamedTuple):
    """One side of a comparison."""

    text: str
    """What the user typed."""
    values: Mapping[str, frozenset[str]]
    """Field -> the values it may have on this side."""


class CellPair(NamedTuple):
    """The cells of both sides in one setting."""

    task: str
    """Task name."""
    setting: str
    """What is equal on both sides besides the task, as far as other pairs differ in it: `5-shot, default`."""
    a: tuple[CellResult, ...]
    """Cells of the first side, one per few-shot seed; of several training runs one run after the other."""
    b: tuple[CellResult, ...]
    """Cells of the second side, each of its runs with the same seeds in the same order as those of `a`."""
    runs_a: int = 1
    """Number of training runs of the first side."""
    runs_b: int = 1
    """Number of training runs of the second side."""


class Unpaired(NamedTuple):
    """Cells that could not be compared, and the reason."""

    task: str
    """Task name."""
    setting: str
    """As in `CellPair`."""
    reason: str
    """Why they could not be compared, in words for people."""


class Pairing(NamedTuple):
    """The pairs of cells that two sides give."""

    pairs: tuple[CellPair, ...]
    """Pairs in the order of task and setting; may be empty."""
    unpaired: tuple[Unpaired, ...]
    """Cells that only one side has, or that cannot be compared."""


class Lead(NamedTuple):
    """How far one model of a ranking is ahead of the next."""

    difference: float | None
    """Mean difference of chance-centred headline scores; None when the models share no setting."""
    p: float | None
    """Two-sided p of "no difference"; None when the scores have no spread."""
    q: float | None
    """p adjusted for the number of neighbours in the ranking (Benjamini and Hochberg 1995); None when there is no p."""
    settings: int
    """Number of settings that both models answered."""

    @property
    def tied(self) -> bool:
        """True when it is not clear at a false-discovery rate of 5 % which model is better."""
        return self.q is None or self.q >= ALPHA
