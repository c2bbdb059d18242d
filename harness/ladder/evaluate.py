"""Scores a trained model on the shipped documents with teacher forcing, in a few seconds per size.

This is a quick check after training; reported results come from the harness's own engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from harness.ladder import benchmark, skills
from harness.ladder.tokenizer import BOS
from harness.ladder.world import WorldItem

_CHOICES = {
    "sentiment": ("positive", "negative"),
    "sentiment_negated": ("positive", "negative"),
    "topic": ("sport", "food", "music", "space"),
}
_BATCH = 64

Logits = Callable[[Tensor], Tensor]
"""A function from token ids, shape (rows, length), to logits of the next token, shape (rows, length, vocab)."""


class TaskScores(NamedTuple):
    """Results of one task at one number of shots."""

    accuracy: float | None
    """Share of documents whose answer is the likeliest choice; None if the task has no choices."""
    exact_match: float
    """Share of documents whose every answer token is the likeliest one: greedy decoding would be right."""
    token_accuracy: float
    """Mean share of answer tokens that are the likeliest one."""
    log_likelihood: float
    """Mean log-likelihood of the answer per token, in nats."""


def score_task(model: Logits, tokenizer: PreTrainedTokenizerFast, task: str, shots: int) -> TaskScores:
    """Scores on the shipped test documents, every document with the same first few-shot examples."""
    questions = _questions(tokenizer, task, shots)
    results = [result for start in range(0, len(questions), _BATCH) for result in _results(model, questions, start)]
    n = len(results)
    return TaskScores(
        accuracy=sum(result.chosen for result in results) / n if questions[0].choices else None,
        exact_match=sum(result.hits == result.length for result in results) / n,
        token_accuracy=sum(result.hits / result.length for result in results) / n,
        log_likelihood=sum(result.log_likelihood / result.length for result in results) / n,
    )


def load_checkpoint(folder: Path) -> Logits:
    """Loads the checkpoint in a folder; its weights are stored in bf16 and converted to fp32."""
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def logits(ids: Tensor) -> Tensor:
        computed: Tensor = model(ids).logits
        return computed

    return logits


def card_entry(score: TaskScores) -> str:
    """A score as the model card prints it: accuracy, or exact match / token accuracy."""
    if score.accuracy is not None:
        return f"{score.accuracy:.2f}"
    return f"{score.exact_match:.2f} / {score.token_accuracy:.2f} / {score.log_likelihood:.2f}"


class _Question(NamedTuple):
    context: list[int]
    answer: list[int]
    """Tokens of the answer and the newline that ends it."""
    choices: list[int]
    """The one token of each choice; empty if the task has none."""


class _Result(NamedTuple):
    log_likelihood: float
    hits: int
    length: int
    chosen: bool


def _questions(tokenizer: PreTrainedTokenizerFast, task: str, shots: int) -> list[_Question]:
    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
        return ids

    shown = ""
    if task not in skills.SKILLS:
        shown = "".join(f"{item.prompt}{item.answer}\n" for item in benchmark.items(task, "train")[:shots])
    return [
        _Question(
            context=[BOS, *encode(shown + benchmark.prompt(item, shots))],
            answer=encode(f"{item.answer}\n"),
            # Every choice of the family is one token, so one pass scores all of them.
            choices=[encode(choice)[0] for choice in _choices(item)],
        )
        for item in benchmark.items(task, "test")
    ]


def _choices(item: WorldItem) -> list[str]:
    choices = item.fields.get("choices", _CHOICES.get(item.task, ()))
    assert isinstance(choices, list | tuple)
    return [f" {choice}" for choice in choices]


@torch.no_grad()
def _results(model: Logits, questions: Sequence[_Question], start: int) -> Iterator[_Result]:
    batch = questions[start : start + _BATCH]
    ids = torch.zeros(len(batch), max(len(q.context) + len(q.answer) for q in batch), dtype=torch.long)
    for row, question in enumerate(batch):
        ids[row, : len(question.context) + len(question.answer)] = torch.tensor(question.context + question.answer)
    logits = model(ids)
    for row, question in enumerate(batch):
        first, target = len(question.context) - 1, torch.tensor(question.answer)
        log_probs = logits[row, first : first + len(target)].log_softmax(-1)
        best = max(question.choices, key=lambda token: float(log_probs[0, token]), default=None)
        yield _Result(
            log_likelihood=float(log_probs.gather(1, target[:, None]).sum()),
            hits=int((log_probs.argmax(-1) == target).sum()),
            length=len(target),
            chosen=best == question.answer[0],
        )
