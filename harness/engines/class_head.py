"""A classifier of texts on top of a model whose own weights stay as they are: a linear probe.

The model makes one vector of each question: a decoder the last state of its last token, an encoder the mean of its
states. A linear layer gives each class of the task a logit, and its log-probability stands for the likelihood of the
option that names the class (Alain and Bengio 2016, Understanding intermediate layers using linear classifier probes,
arXiv:1610.01644; the feature-based use of Devlin et al. 2019, arXiv:1810.04805, section 5.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from lm_eval.api.instance import Instance
from torch import Tensor

from harness.engines import pulse
from harness.engines.encoder.lm import EncoderLM
from harness.engines.transformers_lm import TransformersLM
from harness.errors import HarnessError
from harness.wording import cut, quoted


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassHead:
    """The classifier."""

    classes: tuple[str, ...]
    """The options of the task, without the space before them."""
    weight: Tensor
    """One row for each class, [classes, width], in float32."""
    bias: Tensor
    """One number for each class, [classes]."""

    def responses(self, lm: TransformersLM, requests: Sequence[Instance]) -> list[tuple[float, bool]]:
        """Log-probability of the class that each request's option names, and whether it is the likeliest of all.

        Raises:
            HarnessError: an option is none of the classes; the message names the document.
        """
        asked = [self._class_of(request) for request in requests]
        questions = list(dict.fromkeys(str(request.args[0]) for request in requests))
        logits = states_of(lm, questions) @ self.weight.T + self.bias
        found = dict(zip(questions, logits.log_softmax(-1), strict=True))
        return [
            (float(of_all[at]), int(of_all.argmax()) == at)
            for at, of_all in ((at, found[str(request.args[0])]) for at, request in zip(asked, requests, strict=True))
        ]

    def _class_of(self, request: Instance) -> int:
        option = str(request.args[1]).strip()
        if option in self.classes:
            return self.classes.index(option)
        error = HarnessError(
            f"document {request.doc_id}: the option {quoted(option)} is none of the classes that were learnt: "
            f"{cut(', '.join(self.classes))}"
        )
        raise error.about(request.doc_id, request.idx)


def states_of(lm: TransformersLM, questions: Sequence[str]) -> Tensor:
    """One vector for each question [questions, width], in float32 on the CPU; those of similar length share a pass."""
    rows = [_tokens(lm, question) for question in questions]
    found: dict[int, Tensor] = {}
    for batch in _batches(lm, rows):
        ids = torch.zeros(len(batch), len(rows[batch[0]]), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, i in enumerate(batch):
            ids[place, : len(rows[i])] = torch.tensor(rows[i])
            mask[place, : len(rows[i])] = 1
        lm.stretch.start_afresh()
        with torch.inference_mode():
            made = _states(lm, ids.to(lm.device), mask.to(lm.device)).float().cpu()
        found.update(zip(batch, made, strict=True))
        pulse.step()
    return torch.stack([found[i] for i in range(len(rows))]).clone()


def _tokens(lm: TransformersLM, question: str) -> list[int]:
    """Token ids of a question by itself: those of a pair could tell the answer where a token joins the two."""
    if isinstance(lm, EncoderLM):
        return lm.framed(lm.tok_encode(question)[-lm.max_length :])
    return lm.prompt_tokens(question)[-lm.max_length :]


def _states(lm: TransformersLM, ids: Tensor, mask: Tensor) -> Tensor:
    """One vector for each row of token ids [rows, longest], padded on the right, where `mask` is 0."""
    reads_both_ways = lm.backend != "causal" or isinstance(lm, EncoderLM)
    body = lm.model.get_encoder() if lm.backend != "causal" else lm.model.base_model
    states: Tensor = body(input_ids=ids, attention_mask=mask).last_hidden_state
    if not reads_both_ways:
        return states[torch.arange(len(ids), device=ids.device), mask.sum(1) - 1]
    there = mask[..., None].to(states.dtype)
    return (states * there).sum(1) / there.sum(1)


def _batches(lm: TransformersLM, rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Numbers of the rows that share a pass, the longest first."""
    order = sorted(range(len(rows)), key=lambda i: (-len(rows[i]), i))
    start = 0
    while start < len(order):
        longest = len(rows[order[start]])
        kind, most = lm.stretch.kind(longest), _rows_at_once(lm, longest)
        batch = [i for i in order[start : start + most] if lm.stretch.kind(len(rows[i])) == kind]
        yield batch
        start += len(batch)


def _rows_at_once(lm: TransformersLM, longest: int) -> int:
    if isinstance(lm, EncoderLM):
        return lm.rows_at_once()
    if getattr(lm, "deterministic", False):
        return 1
    budget = lm.token_budget_used
    return max(1, budget // longest) if budget is not None else int(lm.batch_size_used or 1)
