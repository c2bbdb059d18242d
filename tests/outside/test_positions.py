"""Rotary embeddings that depend on the length of a text: numbers are those of the model run on each text alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from harness.engines.transformers_lm import TransformersLM
from harness.engines.tree.lm import TreeLM
from tests.builders import prompts, zoo

STRETCHED = ("phi3-longrope", "llama-dynamic-rope")
LIMIT = 40
"""Tokens up to which both have their usual positions."""
ALL = 8
"""Requests of one pass: short and long ones together."""


def batched(kind: Callable[..., Any], species: str) -> Any:
    """An engine that runs many requests at a time."""
    return zoo.build(kind, species, None, batch_size=ALL)


def alone(species: str, tokens: list[int]) -> torch.Tensor:
    """Logits of a model that has seen nothing before."""
    model = copy.deepcopy(zoo.model(species)).to(zoo.DEVICE)
    with torch.no_grad():
        logits: torch.Tensor = model(torch.tensor([tokens], device=zoo.DEVICE), use_cache=False).logits[0].double()
    return logits


def text_of(words: Any, n: int, number: int) -> str:
    """A context of about `n` tokens."""
    text = f"{number} " + "The apple is red. The sea is dark blue. " * 20
    return str(words.decode(words.encode(text, add_special_tokens=False)[:n]))


@pytest.mark.parametrize("kind", [TransformersLM, TreeLM], ids=["lm-eval", "tree"])
@pytest.mark.parametrize("species", STRETCHED)
def test_likelihoods_do_not_depend_on_the_batch(species: str, kind: Callable[..., Any]) -> None:
    """The longest text of a batch decides for all of them (transformers#25104, llama.cpp PR#24875)."""
    lm = batched(kind, species)
    lengths = (120, 12, 38, 39, 40, 41, 60, 20, 100, 39)
    requests = prompts.loglikelihoods([(text_of(lm.tokenizer, n, i), " dark blue") for i, n in enumerate(lengths)])
    found = lm.loglikelihood(requests)
    crossed = set()
    for (value, greedy), (context, continuation) in zip(found, lm.pair_tokens(requests), strict=True):
        tokens = [*context, *continuation][:-1]
        logs = alone(species, tokens).log_softmax(-1)[-len(continuation) :]
        due = float(logs[torch.arange(len(continuation)), continuation].sum())
        assert value == pytest.approx(due, abs=1e-4)
        assert greedy == (logs.argmax(-1).tolist() == list(continuation))
        crossed.add(len(tokens) > LIMIT)
    assert crossed == {True, False}


@pytest.mark.parametrize("kind", [TransformersLM, TreeLM], ids=["lm-eval", "tree"])
@pytest.mark.parametrize("species", STRETCHED)
def test_rolling_likelihoods_do_not_depend_on_the_batch(species: str, kind: Callable[..., Any]) -> None:
    """Windows of one text are texts like any other."""
    lm = batched(kind, species)
    texts = [text_of(lm.tokenizer, n, 0) for n in (130, 20, 39, 45)]
    for value, text in zip(lm.loglikelihood_rolling(prompts.rolling(texts)), texts, strict=True):
        ids = lm.tok_encode(text)
        logs = alone(species, [lm.prefix_token_id, *ids][:-1]).log_softmax(-1)
        assert value == pytest.approx(float(logs[torch.arange(len(ids)), ids].sum()), abs=5e-4)


@pytest.mark.parametrize("kind", [TransformersLM, TreeLM], ids=["lm-eval", "tree"])
@pytest.mark.parametrize("species", STRETCHED)
def test_texts_are_what_each_prefix_alone_would_go_on_with(species: str, kind: Callable[..., Any]) -> None:
    """Keys in a cache keep the positions of a shorter text (transformers#25104)."""
    lm = batched(kind, species)
    contexts = [text_of(lm.tokenizer, n, n) for n in (10, 30, 36, 38, 39, 60, 90)]
    found = lm.generate_until(prompts.texts(contexts, until=["\n"], max_gen_toks=8))
    for text, context in zip(found, contexts, strict=True):
        tokens = lm.tok_encode(context)
        start = len(tokens)
        for _ in range(8):
            tokens = [*tokens, int(alone(species, tokens)[-1].argmax())]
            if tokens[-1] == lm.eot_token_id:
                break
        assert text == lm.finished(tokens[:start], tokens[start:], ["\n", lm.eos_text])


@pytest.mark.parametrize("species", ["recurrent-gemma", "mamba", "t5", "falcon-alibi", "gpt2", "opt"])
def test_texts_do_not_depend_on_the_padding_of_a_batch(species: str) -> None:
    """Padding enters a recurrent state, and lengthens what an encoder-decoder may write (lm-eval#704)."""
    requests = prompts.texts(prompts.prompts()[2:4], until=["\n"], max_gen_toks=4)
    assert batched(TransformersLM, species).generate_until(requests) == zoo.bridge(species).generate_until(requests)


@pytest.mark.parametrize("rope", ["linear", "yarn", "llama3"])
def test_scalings_that_do_not_depend_on_the_length_are_run_along_trees(rope: str) -> None:
    """Their frequencies are fixed: rows may share a pass."""
    scaling = {"rope_type": rope, "factor": 2.0, "rope_theta": 10_000.0, "original_max_position_embeddings": 40}
    if rope == "llama3":
        scaling |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    if rope == "linear":
        del scaling["original_max_position_embeddings"]
    words = zoo.tokens("bos")
    causal: Any = AutoModelForCausalLM
    torch.manual_seed(0)
    config: Any = LlamaConfig(vocab_size=len(words), rope_parameters=scaling, **zoo.GQA)
    model = causal.from_config(config).float().eval()
    zoo.enlarge(model, zoo.ZOO["llama"])
    lm = TreeLM(pretrained=model, tokenizer=copy.deepcopy(words), device=zoo.DEVICE)
    assert lm.why_not is None
    requests = prompts.loglikelihoods([(text_of(words, n, n), " dark blue") for n in (12, 60, 100)])
    for (value, _), (context, continuation) in zip(lm.loglikelihood(requests), lm.pair_tokens(requests), strict=True):
        with torch.no_grad():
            logs = model(torch.tensor([[*context, *continuation]])).logits[0].log_softmax(-1)[len(context) - 1 : -1]
        due = float(logs[torch.arange(len(continuation)), continuation].sum())
        assert value == pytest.approx(due, abs=1e-4)
