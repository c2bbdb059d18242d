"""The report of one cell by class, as scikit-learn, nervaluate and seqeval print it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.plan import Cell

Scheme = Literal["label", "strict", "partial"]
"""What counts as right: the label of the document; or an entity or a relation as a whole, or in part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScore:
    """How well one cell knows one class."""

    name: str
    """The label, the type of entity, or the relation."""
    scheme: Scheme
    """What counts as right."""
    precision: float
    """Share of the answers that name this class which are right; 0 where none names it, as scikit-learn has it."""
    recall: float
    """Share of what has this class which is found; 0 where nothing has it."""
    f1: float
    """Harmonic mean of the two; 0 where both are."""
    stderr: float | None
    """Standard error of F1 over documents, by the delta method; None where the class has fewer than two documents."""
    support: int
    """How often the class is right."""
    predicted: int
    """How often an answer names it."""
    right: float
    """How often it is named rightly; halves are entities and relations that are right in part."""
    n: int
    """Documents in which it is right or named."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Average:
    """Precision, recall and F1 over all classes."""

    name: Literal["micro avg", "macro avg", "weighted avg"]
    """micro adds up all answers; macro is the mean over classes; weighted is that mean by support."""
    scheme: Scheme
    """What counts as right."""
    precision: float
    """Precision, 0 to 1."""
    recall: float
    """Recall, 0 to 1."""
    f1: float
    """F1, 0 to 1."""
    stderr: float | None
    """Standard error of F1 over documents, by the delta method with the weights as they are; None for one document."""
    support: int
    """How often any class is right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassReport:
    """What one cell answered, by class."""

    cell: Cell
    """The cell."""
    names: tuple[str, ...]
    """Every class, in the order of the task's options, or else of their names."""
    rows: tuple[ClassScore, ...]
    """One per class, of each scheme in turn."""
    averages: tuple[Average, ...]
    """Micro, macro and weighted average of each scheme in turn."""
    accuracy: float | None
    """Share of documents with the right label; None for entities and relations."""
    matrix: tuple[tuple[int, ...], ...] | None
    """Documents by their class (a row each, in the order of `names`) and by the class that the answer names (columns);
    the last column counts answers that name none. None for entities and relations."""
    n: int
    """Number of documents."""
    unnamed: int
    """Answers that name no class; of entities and relations pieces of answers that are none."""
    note: str | None = None
    """What a reader should know of this report beside the score of the cell; None for nothing."""

    @property
    def schemes(self) -> tuple[Scheme, ...]:
        """What counts as right, strictest first."""
        return tuple(dict.fromkeys(row.scheme for row in self.rows))
