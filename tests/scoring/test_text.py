from __future__ import annotations

import pytest

from harness.scoring.metrics import Answer
from harness.scoring.text import edit_similarity, token_f1


def said(output: str, target: str) -> Answer:
    return Answer(doc={}, target=target, output=output)


@pytest.mark.parametrize(
    ("output", "target", "expected"),
    [
        ("kitten", "sitting", 1 - 3 / 7),
        (" blue\n", "blue", 1.0),
        ("", "blue", 0.0),
        ("", "", 1.0),
        ("blue", "", 0.0),
        ("Blue", "blue", 0.75),
    ],
)
def test_edit_similarity_counts_the_letters_to_change(output: str, target: str, expected: float) -> None:
    assert edit_similarity(said(output, target)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("output", "target", "expected"),
    [
        ("The dark blue.", "dark blue", 1.0),
        ("blue", "dark blue", 2 / 3),
        ("dark dark blue", "dark blue", 0.8),
        ("red", "dark blue", 0.0),
        ("", "blue", 0.0),
        ("the", "a", 1.0),
        ("the", "blue", 0.0),
    ],
)
def test_token_f1_follows_squad(output: str, target: str, expected: float) -> None:
    assert token_f1(said(output, target)) == pytest.approx(expected)
