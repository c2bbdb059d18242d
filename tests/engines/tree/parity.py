"""Requests asked of the tree and of lm-eval, and how equal their answers must be."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pytest
from lm_eval.models.huggingface import HFLM

from tests.builders import prompts, zoo
from tests.builders.prompts import PAIRS, Pair

THOROUGH = ("llama", "gpt-neox", "gemma3", "mistral-window", "llama-tied", "opt-350m-like")
"""Architectures that are asked every kind of request, one for each tokenizer and each kind of mask."""


Likelihood = tuple[float, bool]


def assert_same(got: Sequence[Likelihood], wanted: Sequence[Likelihood]) -> None:
    """Equal but for the noise of fp32; greedy flags exactly."""
    assert len(got) == len(wanted)
    assert [value for value, _ in got] == pytest.approx([value for value, _ in wanted], abs=1e-4, rel=2e-6)
    assert [greedy for _, greedy in got] == [greedy for _, greedy in wanted]


def askable(lm: HFLM, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs that lm-eval can score: its split must leave something to score and something to start from."""
    kept = []
    for context, continuation in pairs:
        if context:
            left, right = lm._encode_pair(context, continuation)
        else:
            left, right = [lm.prefix_token_id], lm.tok_encode(continuation, add_special_tokens=False)
        if left and right and len(right) <= lm.max_length:
            kept.append((context, continuation))
    assert len(kept) > 0.8 * len(pairs)
    return kept


def scored(lm: HFLM, pairs: Sequence[Pair]) -> list[Likelihood]:
    answered: list[Likelihood] = lm.loglikelihood(prompts.loglikelihoods(pairs), disable_tqdm=True)
    return answered


def rolled(lm: HFLM, texts: Sequence[str]) -> list[float]:
    answered: list[float] = lm.loglikelihood_rolling(prompts.rolling(texts), disable_tqdm=True)
    return answered


def written(lm: HFLM, asked: Sequence[str], **kwargs: Any) -> list[str]:
    answered: list[str] = lm.generate_until(prompts.texts(asked, **kwargs), disable_tqdm=True)
    return answered


@functools.cache
def reference_pairs(species: str, kind: str) -> tuple[tuple[Pair, ...], tuple[Likelihood, ...]]:
    """The requests of one kind, and lm-eval's answers."""
    lm = zoo.lm_eval(species)
    pairs = askable(lm, PAIRS[kind]())
    return tuple(pairs), tuple(scored(lm, pairs))
