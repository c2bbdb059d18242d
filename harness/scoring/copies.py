"""Examples that give a document's answer away: the same question and answer, letter case and white space apart.

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
    """What a document asks, as far as two documents are told apart by it."""

    question: str
    """All of the question; the options where these are the questions."""
    answers: tuple[str, ...]
    """Every right answer, the one that an example shows first."""


class Pool:
    """The examples of a task."""

    def __init__(self, examples: Iterable[Asked | None]) -> None:
        """`examples`: what each asks; None for one that no document could be told from."""
        self._places: dict[Asked, list[int]] = {}
        for place, example in enumerate(examples):
            if example is not None:
                self._places.setdefault(Asked(example.question, example.answers[:1]), []).append(place)

    def copies(self, document: Asked) -> frozenset[int]:
        """Places of the examples that ask the document's question and show one of its right answers."""
        shown = (Asked(document.question, (answer,)) for answer in document.answers)
        return frozenset(place for each in shown for place in self._places.get(each, ()))


def asked_by(question: str | int, options: Sequence[str], right: Right) -> Asked:
    """What a document asks.

    Args:
        question: its question; a number where the options are the questions.
        options: its options.
        right: its right answers.
    """
    texts: Sequence[str] = options if isinstance(question, int) else (question,)
    return Asked("\n".join(map(_plain, texts)), tuple(map(_plain, right.texts)))


def _plain(text: str) -> str:
    """The text without letter case and with one space for each white space."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
