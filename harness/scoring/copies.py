"""Finds examples that give a document's answer away: same question and answer, ignoring letter case and white space.

A model that has just read the answer copies it. lm-eval leaves a document out of its own examples where both come from
`test_split` and are equal field by field (lm-eval#4145); here no copy is shown, whichever split is evaluated, and
whatever other fields the copy has.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.scoring.questions import Right


class Asked(NamedTuple):
    """The question and the right answers of a document, by which copies of it are recognised."""

    question: str
    """The whole question; the options, in tasks where the options are the questions."""
    answers: tuple[str, ...]
    """Every right answer, beginning with the one that an example shows."""


class Pool:
    """The examples of a task."""

    def __init__(self, examples: Iterable[Asked | None]) -> None:
        """`examples`: question and answers of each example; None for one that cannot be compared with documents."""
        self._places: dict[Asked, list[int]] = {}
        for place, example in enumerate(examples):
            if example is not None:
                self._places.setdefault(Asked(example.question, example.answers[:1]), []).append(place)

    def copies(self, document: Asked) -> frozenset[int]:
        """Positions of the examples that have the document's question and show one of its right answers."""
        shown = (Asked(document.question, (answer,)) for answer in document.answers)
        return frozenset(place for each in shown for place in self._places.get(each, ()))


def asked_by(question: str | int, options: Sequence[str], right: Right) -> Asked:
    """The question and the right answers of a document, in the form in which they are compared.

    Args:
        question: its question; a number where the options are the questions.
        options: its options.
        right: its right answers.
    """
    texts: Sequence[str] = options if isinstance(question, int) else (question,)
    return Asked("\n".join(map(_plain, texts)), tuple(map(_plain, right.texts)))


def _plain(text: str) -> str:
    """The text without letter case, with each run of white space replaced by one space."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
