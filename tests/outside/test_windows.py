"""Contexts longer than what a model reads, cut wherever the window begins: in a word, in a character."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.engines.transformers_lm import TransformersLM
from harness.engines.tree.lm import TreeLM
from tests.builders import prompts, zoo
from tests.builders.outside import ENGINES, answered, choices, model_folder, refused, task_of

KINDS = pytest.mark.parametrize("kind", [TransformersLM, TreeLM], ids=["lm-eval", "tree"])
SPECIES = ("llama-tied", "mistral-window", "gemma3", "qwen2-window", "opt-350m-like")
"""Tied output layers, and layers that see a window of a few tokens."""
WORDS = "incomprehensible 🙂 Überraschung 漢字 "
"""Words and characters of several tokens each."""


def by_hand(species: str, tokens: Sequence[int], answer: int) -> float:
    """Log-likelihood of the last `answer` tokens, by one pass of the model over all before the last."""
    with torch.no_grad():
        logits = zoo.model(species)(torch.tensor([[*tokens][:-1]]), use_cache=False).logits[0].double()
    logs = logits.log_softmax(-1)[-answer:]
    return float(logs[torch.arange(answer), torch.tensor([*tokens][-answer:])].sum())


@KINDS
@pytest.mark.parametrize("species", SPECIES)
def test_a_context_is_cut_between_tokens_wherever_words_end(species: str, kind: Callable[..., Any]) -> None:
    """The last tokens count as they are, and what is left of a word is never read anew."""
    lm = zoo.build(kind, species, None)
    whole = lm.tok_encode(WORDS * 60)
    room, answer = lm.max_length, lm.tok_encode(" dark blue")[-3:]
    asked = [(("", ""), whole[:n], answer) for n in range(room - 4, room + 8)]
    found = lm._loglikelihood_tokens(asked, disable_tqdm=True)
    within = 0
    for (value, _), (_, context, continuation) in zip(found, asked, strict=True):
        kept = [*context, *continuation][-(room + 1) :]
        assert value == pytest.approx(by_hand(species, kept, len(continuation)), abs=2e-4)
        within += not lm.tokenizer.decode(kept[:1]).startswith(" ")
    assert within > 2


@KINDS
@pytest.mark.parametrize("species", ["mistral-window", "gemma3", "qwen2-window"])
def test_a_sliding_window_ends_where_the_model_says(species: str, kind: Callable[..., Any]) -> None:
    """One token more or less at its edge is another number."""
    lm = zoo.build(kind, species, None)
    asked = prompts.loglikelihoods([(WORDS * 2 + "x" * n, " dark blue") for n in range(4)])
    pairs = lm.pair_tokens(asked)
    assert all(3 * zoo.WINDOW < len(context) < zoo.CONTEXT - 10 for context, _ in pairs)
    for (value, _), (context, continuation) in zip(lm.loglikelihood(asked), pairs, strict=True):
        due = by_hand(species, [*context, *continuation], len(continuation))
        assert value == pytest.approx(due, abs=2e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cut_prompt_is_refused_or_counted(engine: str, tmp_path: Path) -> None:
    """By default nothing is cut in silence; where it is allowed, the result counts the prompts."""
    folder = model_folder(tmp_path / "model", "gpt-neox")
    documents = [{"question": WORDS * 40, "answer": 0}, {"question": "The apple is", "answer": 0}]
    task = task_of(tmp_path, documents, "acc", **choices(["red", "green"]))
    said = refused(engine, folder, task)
    assert said.startswith("task outside, 0 shots: 1 of 2 prompts do not fit model: the longest takes ")
    result = answered(engine, folder, task, truncation="allow")
    assert result.n_truncated == 1
    assert [sample.truncated for sample in result.samples or ()] == [True, False]
