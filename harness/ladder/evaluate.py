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
from harness.ladder.family import FamilyMember
from harness.ladder.tokenizer import BOS, load_tokenizer
from harness.ladder.world import WorldItem

_CHOICES = {
    "sentiment": ("positive", "negative"),
    "sentiment_negated": ("positive", "negative"),
    "topic": ("sport", "food", "music", "space"),
    "parity": ("even", "odd"),
}
_SHOTS = {"qa": (0, 4), "arithmetic": (0, 4), "prompting": (0, 1, 2, 4, 8)}
"""Numbers of few-shot examples by suite where it is not 0 alone; they fit the context."""
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


def print_scores(members: Sequence[FamilyMember], out: Path) -> None:
    """Prints one line per member, task and number of shots: a quick check after training, not the harness's results."""
    for member in members:
        folder = out / member.folder
        model, words = load_checkpoint(folder), load_tokenizer(folder)
        for task, (suite, _) in benchmark.BENCHMARKS.items():
            for shots in _SHOTS.get(suite, (0,)):
                print(member.folder, task, shots, card_entry(score_task(model, words, task, shots)), sep="\t")


def score_task(model: Logits, tokenizer: PreTrainedTokenizerFast, task: str, shots: int) -> TaskScores:
    """Scores on the shipped test documents, every document with the same first few-shot examples."""
    questions = _questions(tokenizer, task, shots)
    answers = _continued(model, [(question.context, question.answer) for question in questions])
    pairs = [(question.context, choice) for question in questions for choice in question.choices]
    chosen = iter([choice.log_likelihood for choice in _continued(model, pairs)])
    n, n_right = len(questions), 0
    for question in questions:
        likelihoods = [next(chosen) for _ in question.choices]
        n_right += bool(likelihoods) and likelihoods[question.right] == max(likelihoods)
    return TaskScores(
        accuracy=n_right / n if questions[0].choices else None,
        exact_match=sum(answer.hits == answer.length for answer in answers) / n,
        token_accuracy=sum(answer.hits / answer.length for answer in answers) / n,
        log_likelihood=sum(answer.log_likelihood / answer.length for answer in answers) / n,
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
    """A score as the model card prints it: accuracy, or exact match / token accuracy / log-likelihood."""
    if score.accuracy is not None:
        return f"{score.accuracy:.2f}"
    return f"{score.exact_match:.2f} / {score.token_accuracy:.2f} / {score.log_likelihood:.2f}"


class _Question(NamedTuple):
    context: list[int]
    answer: list[int]
    """Tokens of the answer and the newline that ends it."""
    choices: list[list[int]]
    """The tokens of each choice; empty if the task has none."""
    right: int
    """Which choice is the answer; 0 if the task has none."""


class _Continuation(NamedTuple):
    log_likelihood: float
    hits: int
    length: int


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
            choices=[encode(choice) for choice in _choices(item)],
            right=_choices(item).index(item.answer) if _choices(item) else 0,
        )
        for item in benchmark.items(task, "test")
    ]


def _choices(item: WorldItem) -> list[str]:
    choices = item.fields.get("choices", _CHOICES.get(item.task, ()))
    assert isinstance(choices, list | tuple)
    return [f" {choice}" for choice in choices]


def _continued(model: Logits, pairs: Sequence[tuple[list[int], list[int]]]) -> list[_Continuation]:
    """How likely each continuation is after its context."""
    return [found for start in range(0, len(pairs), _BATCH) for found in _batch(model, pairs[start : start + _BATCH])]


@torch.no_grad()
def _batch(model: Logits, pairs: Sequence[tuple[list[int], list[int]]]) -> Iterator[_Continuation]:
    ids = torch.zeros(len(pairs), max(len(context) + len(text) for context, text in pairs), dtype=torch.long)
    for row, (context, text) in enumerate(pairs):
        ids[row, : len(context) + len(text)] = torch.tensor(context + text)
    logits = model(ids)
    for row, (context, text) in enumerate(pairs):
        first, target = len(context) - 1, torch.tensor(text)
        log_probs = logits[row, first : first + len(target)].log_softmax(-1)
        yield _Continuation(
            log_likelihood=float(log_probs.gather(1, target[:, None]).sum()),
            hits=int((log_probs.argmax(-1) == target).sum()),
            length=len(target),
        )
