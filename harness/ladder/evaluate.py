"""A quick look at a trained model on the shipped documents: teacher-forced, a few seconds per size.

The harness's own engines are the measurement; this is what a trainer looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from harness.ladder import benchmark, skills
from harness.ladder.model import Llama
from harness.ladder.tokenizer import BOS
from harness.ladder.world import Item

_CHOICES = {
    "sentiment": ("positive", "negative"),
    "sentiment_negated": ("positive", "negative"),
    "topic": ("sport", "food", "music", "space"),
}
_BATCH = 64


class Score(NamedTuple):
    """Results of one task at one number of shots."""

    accuracy: float | None
    """Share of documents whose answer is the likeliest choice; None if the task has no choices."""
    exact_match: float
    """Share of documents whose every answer token is the likeliest one: greedy decoding would be right."""
    token_accuracy: float
    """Mean share of answer tokens that are the likeliest one."""
    log_likelihood: float
    """Mean log-likelihood of the answer per token, in nats."""


def evaluate(model: Llama, tokenizer: PreTrainedTokenizerFast, task: str, shots: int) -> Score:
    """Scores on the shipped test documents, every document with the same first few-shot examples."""
    prompts = _prompts(task, shots)
    pairs: list[tuple[list[int], list[int]]] = []
    owners: list[tuple[int, bool]] = []
    for i, (prompt, answer, choices) in enumerate(prompts):
        context = [BOS, *_encode(tokenizer, prompt)]
        for option in [answer, *(choice for choice in choices if choice != answer)]:
            pairs.append((context, _encode(tokenizer, f"{option}\n")))
            owners.append((i, option == answer))
    scored = _score(model, pairs)
    best: dict[int, float] = {}
    for (i, is_answer), (log_likelihood, _, _) in zip(owners, scored, strict=True):
        if not is_answer:
            best[i] = max(best.get(i, -float("inf")), log_likelihood)
    right = {i: score for (i, is_answer), score in zip(owners, scored, strict=True) if is_answer}
    n = len(prompts)
    return Score(
        accuracy=sum(right[i][0] > best[i] for i in best) / n if best else None,
        exact_match=sum(hits == length for _, hits, length in right.values()) / n,
        token_accuracy=sum(hits / length for _, hits, length in right.values()) / n,
        log_likelihood=sum(ll / length for ll, _, length in right.values()) / n,
    )


def _prompts(task: str, shots: int) -> list[tuple[str, str, Sequence[str]]]:
    """Prompt, answer and choices of every shipped test document."""
    items = benchmark.items(task, "test")
    if task in skills.SKILLS:
        return [(_skill_prompt(item, shots), item.answer, _choices(item)) for item in items]
    shown = "".join(f"{item.prompt}{item.answer}\n" for item in benchmark.items(task, "train")[:shots])
    return [(shown + item.prompt, item.answer, _choices(item)) for item in items]


def _skill_prompt(item: Item, shots: int) -> str:
    arrow = item.prompt.split()[-1]
    examples = item.fields["examples"]
    assert isinstance(examples, list)
    shown = "".join(f"{example['query']} {arrow} {example['answer']}\n" for example in examples[:shots])
    return shown + item.prompt


def _choices(item: Item) -> list[str]:
    choices = item.fields.get("choices", _CHOICES.get(item.task, ()))
    assert isinstance(choices, list | tuple)
    return [f" {choice}" for choice in choices]


def _encode(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


@torch.no_grad()
def _score(model: Llama, pairs: Sequence[tuple[list[int], list[int]]]) -> list[tuple[float, int, int]]:
    """Log-likelihood, number of greedy hits and length of every continuation, newline included."""
    scored: list[tuple[float, int, int]] = []
    for start in range(0, len(pairs), _BATCH):
        batch = pairs[start : start + _BATCH]
        width = max(len(context) + len(answer) for context, answer in batch)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        for row, (context, answer) in enumerate(batch):
            ids[row, : len(context) + len(answer)] = torch.tensor(context + answer)
        log_probs: Tensor = model(ids).log_softmax(-1)
        for row, (context, answer) in enumerate(batch):
            predicted = log_probs[row, len(context) - 1 : len(context) - 1 + len(answer)]
            target = torch.tensor(answer)
            likelihood = predicted.gather(1, target[:, None]).sum()
            hits = (predicted.argmax(-1) == target).sum()
            scored.append((float(likelihood), int(hits), len(answer)))
    return scored
