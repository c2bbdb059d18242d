"""What is compared, how it was paired, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.analysis.stats import ALPHA
from harness.plan import Cell
from harness.records import CellResult
from harness.specs import MetricSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Paired:
    """Two sides' scores of the same documents."""

    n: int
    """Documents."""
    mean_a: float
    """Mean of the first side over seeds and documents."""
    mean_b: float
    """Mean of the second side."""
    difference: float
    """Second mean less first, in the unit of the score."""
    stderr: float | None
    """Standard error of `difference`; None for one document."""
    stderr_unpaired: float | None
    """What the standard error would be, had each side answered documents of its own; None for one document."""
    low: float | None
    """Lower end of the 95 % interval; None when there is no spread to tell it from."""
    high: float | None
    """Upper end of the 95 % interval; None when there is no spread to tell it from."""
    p: float | None
    """Two-sided p of "no difference"; None when there is no spread to tell it from."""
    correlation: float | None
    """Pearson correlation of the two scores of a document; None where one side has no spread."""
    higher_b: int
    """Documents on which the second side scored more."""
    equal: int
    """Documents on which both scored the same."""
    higher_a: int
    """Documents on which the first side scored more."""
    detectable: float | None
    """Smallest true difference that would be found with a probability of 80 % (two-sided, 5 %); None when unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One metric of both sides in one setting."""

    task: str
    """Task name."""
    setting: str
    """What else is equal on both sides, as far as it sets this comparison apart from others."""
    metric: MetricSpec
    """What is compared."""
    headline: bool
    """True for the metric a leaderboard shows."""
    a: tuple[Cell, ...]
    """Cells of the first side, one per few-shot seed."""
    b: tuple[Cell, ...]
    """Cells of the second side."""
    scores: Paired
    """Both sides on the documents they share."""
    only_a: int
    """Documents left out because only the first side has them."""
    only_b: int
    """Documents left out because only the second side has them."""
    by_document: bool
    """True when the metric is a score of all documents together, such as a micro-averaged F1, and the means of the
    documents' own scores are compared in its place."""
    q: float | None
    """p adjusted for the number of comparisons: the headline metrics among themselves, all others among themselves;
    None when there is no p."""

    @property
    def better(self) -> Literal["A", "B"] | None:
        """The side that is better at a false-discovery rate of 5 %; None when neither clearly is."""
        if self.q is None or self.q >= ALPHA or self.scores.difference == 0.0:
            return None
        return "B" if (self.scores.difference > 0.0) == self.metric.higher_is_better else "A"


class Compared(NamedTuple):
    """Everything two sides have in common, and what they have not."""

    comparisons: tuple[Comparison, ...]
    """In the order of the pairs and of each task's metrics."""
    unpaired: tuple[Unpaired, ...]
    """Pairs, or metrics of pairs, without anything to compare."""


class Summary(NamedTuple):
    """Headline comparisons counted by who is better."""

    better: int
    """Second side better."""
    worse: int
    """First side better."""
    unclear: int
    """No clear difference."""


class Choice(NamedTuple):
    """One side of a comparison."""

    text: str
    """As the user typed it."""
    wanted: Mapping[str, frozenset[str]]
    """Field -> values that are meant."""


class Pair(NamedTuple):
    """The cells of both sides in one setting."""

    task: str
    """Task name."""
    setting: str
    """What else is equal on both sides, as far as it sets the pair apart from others: `5-shot, default`."""
    a: tuple[CellResult, ...]
    """Cells of the first side, one per few-shot seed."""
    b: tuple[CellResult, ...]
    """Cells of the second side, seed by seed as in `a`."""


class Unpaired(NamedTuple):
    """Cells that could not be compared."""

    task: str
    """Task name."""
    setting: str
    """As in `Pair`."""
    reason: str
    """Why, for people."""


class Pairing(NamedTuple):
    """What two choices give."""

    pairs: tuple[Pair, ...]
    """By task and setting; may be empty."""
    unpaired: tuple[Unpaired, ...]
    """Cells that one side alone has, or that are not comparable."""


class Lead(NamedTuple):
    """What one model of a ranking is ahead of the next by."""

    difference: float | None
    """Mean of the differences of chance-centred headline scores; None when nothing can be paired."""
    p: float | None
    """Two-sided p of "no difference"; None when there is no spread to tell it from."""
    q: float | None
    """p adjusted for the number of neighbours (Benjamini-Hochberg)."""
    settings: int
    """Settings that both answered."""

    @property
    def tied(self) -> bool:
        """True when the order of the two is not clear at a false-discovery rate of 5 %."""
        return self.q is None or self.q >= ALPHA
