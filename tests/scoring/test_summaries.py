"""ROUGE as hand counting and `rouge-score` give it."""

from __future__ import annotations

import pytest

from harness.scoring.metrics import Answer, sample_metric

REFERENCE = "The cat sat on the mat"


def rouge(name: str, output: str, target: str = REFERENCE, *others: str) -> float:
    also = tuple(Answer(doc={}, target=other, output=output) for other in others)
    return sample_metric(name)(Answer(doc={}, target=target, output=output, also=also))


@pytest.mark.parametrize(
    ("output", "one", "two", "longest"),
    [
        (REFERENCE, 1.0, 1.0, 1.0),
        ("the cat sat.", 2 * 3 / 9, 2 * 2 / 7, 2 * 3 / 9),
        ("on the mat the cat sat", 1.0, 0.8, 0.5),  # all words, four of five pairs, three words in order
        ("cats sitting", 2 * 1 / 8, 0.0, 2 * 1 / 8),  # the stem of cats is cat, that of sitting is sit
        ("", 0.0, 0.0, 0.0),
        ("北京", 0.0, 0.0, 0.0),
    ],
)
def test_rouge_counts_shared_words_pairs_and_the_longest_sequence(
    output: str, one: float, two: float, longest: float
) -> None:
    found = [rouge(name, output) for name in ("rouge_1", "rouge_2", "rouge_l")]
    assert found == pytest.approx([one, two, longest])


def test_the_best_of_several_references_counts() -> None:
    assert rouge("rouge_2", "a dog ran", REFERENCE, "a dog ran") == 1.0
