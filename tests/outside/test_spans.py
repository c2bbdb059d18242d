"""Entities that share characters, scored by nervaluate's rule: each expected span is met once."""

from __future__ import annotations

import pytest
from nervaluate import Evaluator

from harness.errors import HarnessError
from harness.scoring.metrics import Answer
from harness.scoring.spans import entity_f1_partial, entity_f1_strict

PARIS = "Paris won ."
BANK = "the Bank of England pays"
OTHERS = [("Rome", "LOC"), ("PSV", "ORG"), ("Ann", "PER")]

SpanOf = tuple[int, int, str]
"""First and last character, type."""


def scores(text: str, gold: list[tuple[str, str]], output: str) -> tuple[float, float]:
    """Strict and partial F1 of one document among others that have entities of every type."""
    others = {"text": "Rome PSV Ann", "entities": [{"text": n, "type": t} for n, t in OTHERS]}
    doc = {"text": text, "entities": [{"text": name, "type": kind} for name, kind in gold]}
    answers = [Answer(doc=doc, target="", output=output), Answer(doc=others, target="", output="")]
    return entity_f1_strict(answers).per_sample[0], entity_f1_partial(answers).per_sample[0]


def nervaluate(gold: list[SpanOf], found: list[SpanOf]) -> tuple[float, float]:
    """The same from spans that were placed by hand."""
    sides = [[{"start": a, "end": b, "label": kind} for a, b, kind in side] for side in (gold, found)]
    overall = Evaluator([sides[0]], [sides[1]], tags=["LOC", "ORG", "PER"], loader="dict").evaluate()["overall"]
    return overall["strict"].f1, overall["partial"].f1


TWO = "Paris LOC,Paris ORG"
NESTED = "Bank of England ORG,England LOC"
PLACED = "4-18 ORG,12-18 LOC"


@pytest.mark.parametrize(
    ("text", "gold", "output", "spans", "found"),
    [
        (PARIS, TWO, "Paris LOC ; Paris ORG", "0-4 LOC,0-4 ORG", "0-4 LOC,0-4 ORG"),
        (PARIS, TWO, "Paris ORG", "0-4 LOC,0-4 ORG", "0-4 ORG"),
        (PARIS, TWO, "Paris ORG ; Paris PER", "0-4 LOC,0-4 ORG", "0-4 ORG,0-4 PER"),
        (PARIS, TWO, "Paris PER", "0-4 LOC,0-4 ORG", "0-4 PER"),
        (PARIS, "Paris LOC", "Paris LOC ; Paris ORG", "0-4 LOC", "0-4 LOC,0-4 ORG"),
        (BANK, NESTED, "Bank of England ORG ; England LOC", PLACED, "4-18 ORG,12-18 LOC"),
        (BANK, NESTED, "Bank of England ORG", PLACED, "4-18 ORG"),
        (BANK, NESTED, "England LOC", PLACED, "12-18 LOC"),
        (BANK, NESTED, "Bank of England ORG ; England PER", PLACED, "4-18 ORG,12-18 PER"),
        (BANK, "Bank of England ORG", "Bank of England ORG ; England LOC", "4-18 ORG", "4-18 ORG,12-18 LOC"),
    ],
)
def test_two_types_on_one_span_and_nested_entities(text: str, gold: str, output: str, spans: str, found: str) -> None:
    """A span with two types, and an entity inside another one, count as nervaluate counts them (nervaluate#57, #84)."""
    expected = [(name, kind) for name, _, kind in (piece.rpartition(" ") for piece in gold.split(","))]
    placed = [
        [(int(a), int(b), kind) for a, b, kind in (piece.replace("-", " ").split() for piece in side.split(","))]
        for side in (spans, found)
    ]
    assert scores(text, expected, output) == pytest.approx(nervaluate(placed[0], placed[1]))


def test_an_entity_that_can_stand_apart_does() -> None:
    """`England` has a place of its own, whichever entity is listed first."""
    text = "the Bank of England in England"
    for gold in ([("England", "LOC"), ("Bank of England", "ORG")], [("Bank of England", "ORG"), ("England", "LOC")]):
        assert scores(text, gold, "England LOC ; Bank of England ORG") == (1.0, 1.0)


def test_an_entity_listed_more_often_than_it_stands_in_the_text_is_said_so() -> None:
    """The sentence used to be that it is not in the text at all."""
    with pytest.raises(HarnessError, match="'Paris' of a document is expected 2 times and fewer times in its text"):
        scores(PARIS, [("Paris", "LOC"), ("Paris", "LOC")], "Paris LOC")


def test_an_entity_without_a_text_is_refused() -> None:
    """An empty name would be found everywhere."""
    with pytest.raises(HarnessError, match="an entity of a document has the text ''"):
        scores(PARIS, [("", "LOC")], "Paris LOC")
