"""When a text ends, how tokens are drawn, and how texts share slots."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.engines.tree.generation import Pieces, Sampling, Stop, Text

LETTERS = "abcdefgh \n."


def decode(tokens: list[int]) -> str:
    """Token n is the n-th letter."""
    return "".join(LETTERS[token] for token in tokens)


def stop(*strings: str, limit: int = 99, tokens: frozenset[int] = frozenset()) -> Stop:
    """A rule over the letters."""
    return Stop(strings=strings, tokens=tokens, limit=limit, pieces=Pieces(decode, merges_spaces=False))  # type: ignore[arg-type]


def written_until(rule: Stop, text: str) -> str:
    """How much of `text` is written before the rule ends it."""
    tokens: list[int] = []
    for letter in text:
        tokens.append(LETTERS.index(letter))
        if rule.reached(tokens):
            break
    return decode(tokens)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (stop("\n"), "abc\n"),
        (stop("c\nd"), "abc\nd"),
        (stop("h", "b"), "ab"),
        (stop(limit=2), "ab"),
        (stop(tokens=frozenset({2})), "abc"),
        (stop(), "abc\ndef"),
    ],
    ids=["newline", "across tokens", "the first of two", "limit", "token", "never"],
)
def test_a_text_ends_where_its_rule_says(rule: Stop, expected: str) -> None:
    assert written_until(rule, "abc\ndef") == expected


def test_only_tokens_that_can_complete_a_stop_string_are_looked_at_twice() -> None:
    decoded: list[list[int]] = []

    def watched(tokens: list[int]) -> str:
        decoded.append(list(tokens))
        return decode(tokens)

    rule = Stop(strings=("c.",), tokens=frozenset(), limit=99, pieces=Pieces(watched, merges_spaces=False))  # type: ignore[arg-type]
    assert written_until(rule, "abab.aba") == "abab.aba"
    assert [tokens for tokens in decoded if len(tokens) > 1] == [[0, 1, 0, 1, 10]]
    assert sorted(tokens for tokens in decoded if len(tokens) == 1) == [[0], [1], [10]]


@pytest.mark.parametrize("merges_spaces", [False, True])
def test_tokens_that_are_parts_of_characters_are_looked_at(merges_spaces: bool) -> None:
    pieces = Pieces(lambda tokens: "é" if list(tokens) == [1, 2] else "\ufffd", merges_spaces=merges_spaces)
    rule = Stop(strings=("é",), tokens=frozenset(), limit=9, pieces=pieces)
    assert not rule.reached([1])
    assert rule.reached([1, 2])


def test_a_stop_string_that_ends_in_a_space_is_always_looked_for() -> None:
    # decoding a token alone may strip its leading space
    pieces = Pieces(lambda tokens: "".join("x y"[t] for t in tokens).strip(), merges_spaces=False)
    rule = Stop(strings=("x ",), tokens=frozenset(), limit=9, pieces=pieces)
    assert rule.reached([0, 1, 2])


# --- sampling -------------------------------------------------------------------------------------------------------


def text(seed: int, sampling: Sampling | None = None) -> Text:
    """A text that never ends by itself."""
    return Text(context=[0], stop=stop(), sampling=sampling, seed=(seed,))


def test_the_same_seed_draws_the_same_numbers() -> None:
    assert [text(3).draw() for _ in range(2)] == [text(3).draw()] * 2
    assert text(3).draw() != text(4).draw()
    once = text(3)
    assert once.draw() != once.draw()


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0.5, 0.3, 0.15, 0.05]),
        (Sampling(temperature=0.5), np.array([0.25, 0.09, 0.0225, 0.0025]) / 0.365),
        (Sampling(top_k=2), [0.625, 0.375, 0, 0]),
        (Sampling(top_p=0.7), [0.625, 0.375, 0, 0]),
        (Sampling(min_p=0.2), np.array([0.5, 0.3, 0.15, 0]) / 0.95),
    ],
    ids=["plain", "temperature", "top-k", "top-p", "min-p"],
)
def test_probabilities_are_those_of_transformers(sampling: Sampling, expected: list[float]) -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    np.testing.assert_allclose(sampling.probabilities(logits)[0].numpy(), expected, atol=1e-6)
