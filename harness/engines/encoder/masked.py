"""Choices by a masked language model: the pseudo-log-likelihood of each option behind the question.

The option stands where it would be written, and the model is asked for its tokens one by one, each with a mask in its
place and all other words in sight: log P(option) = sum over its tokens of log P(token | everything else), the score of
Salazar et al. 2020 (Masked Language Model Scoring, arXiv:1910.14659, equation 1) for the option's tokens alone. A word
of several tokens would be scored too high, since its own pieces give it away; so the pieces of the same word to the
right of a token are masked as well (Kauf and Ivanova 2023, A Better Way to Do Masked Language Model Scoring,
arXiv:2305.10588, `PLL-word-l2r`). For label words of one token, such as `positive`, all this is one mask and one pass
for all options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import transformers
from lm_eval.api.instance import Instance
from torch import Tensor

from harness.engines.encoder.lm import EncoderLM
from harness.engines.pairs import Pair, check_scorable, encode_pairs
from harness.errors import ModelError


class Blank(NamedTuple):
    """A text with gaps, of which one is asked for."""

    tokens: tuple[int, ...]
    """Token ids, special tokens among them."""
    place: int
    """Position of the gap that is asked for."""


class MaskedLM(EncoderLM):
    """A model that fills gaps, such as BERT."""

    AUTO_MODEL_CLASS = transformers.AutoModelForMaskedLM

    def __init__(self, **kwargs: Any) -> None:
        """Load the model; `kwargs` are those of `HFLM`.

        Raises:
            ModelError: its tokenizer has no token for a gap.
        """
        super().__init__(**kwargs)
        self._mask = self.tokenizer.mask_token_id
        if self._mask is None:
            raise ModelError(f"{self.name}: its tokenizer has no mask token; expected one that fills gaps")
        self._words: dict[str, tuple[list[int], list[int]]] = {}

    def context_needed(self, prompt: int, scored: int, written: int) -> int:
        """Tokens of the context that a prompt takes with an answer, all of which are read."""
        return prompt + scored + written

    def pair_tokens(self, requests: Sequence[Instance]) -> Sequence[Pair]:
        """Token ids of the context and the continuation of each request, split by lm-eval's rule.

        Raises:
            HarnessError: a continuation has no tokens to score, or more than the model reads.
        """
        pairs = encode_pairs([request.args for request in requests], self._tokens, None)
        # behind an empty question there is still the token that begins a text
        check_scorable(requests, [Pair(pair.context or [0], pair.continuation) for pair in pairs], self.max_length)
        return pairs

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Pseudo-log-likelihood of each continuation, and whether each of its tokens is the likeliest in its gap."""
        asked: list[list[tuple[Blank, int]]] = []
        for request, pair in zip(requests, self.pair_tokens(requests), strict=True):
            room = max(0, self.max_length - len(pair.continuation))
            context = pair.context[len(pair.context) - min(room, len(pair.context)) :]
            asked.append(self._gaps(context, pair.continuation, self._words_of(request.args[1], pair.continuation)))
        # options of one token stand in the same gap
        wanted: dict[Blank, dict[int, None]] = {}
        for gaps in asked:
            for gap, token in gaps:
                wanted.setdefault(gap, {})[token] = None
        filled = self._filled(wanted)
        answers = []
        for gaps in asked:
            found = [filled[gap][token] for gap, token in gaps]
            answers.append((sum(one for one, _ in found), all(likeliest for _, likeliest in found)))
        return answers

    def _gaps(self, context: Sequence[int], answer: Sequence[int], words: Sequence[int]) -> list[tuple[Blank, int]]:
        """The gap in which each token of an answer is asked for, and the token.

        Args:
            context: token ids of the question.
            answer: token ids of the answer.
            words: for each of them, the number of its word.
        """
        first = len(self._before) + len(context)
        found = []
        for i, token in enumerate(answer):
            shown = [self._mask if j >= i and words[j] == words[i] else other for j, other in enumerate(answer)]
            found.append((Blank(tuple(self.framed([*context, *shown])), first + i), token))
        return found

    def _words_of(self, text: str, tokens: Sequence[int]) -> Sequence[int]:
        """The number of the word that each token of an answer belongs to; all of one where nobody can tell."""
        if text not in self._words:
            encoded = self.tokenizer(text.strip(), add_special_tokens=False)
            words = encoded.word_ids() if self.tokenizer.is_fast else [0] * len(encoded["input_ids"])
            self._words[text] = list(encoded["input_ids"]), [word or 0 for word in words]
        alone, words = self._words[text]
        # a word in a text may have the tokens of a word that begins one, or others
        return words if len(alone) == len(tokens) else [0] * len(tokens)

    def forget(self) -> None:
        """Drop the encoded texts of the last cell."""
        super().forget()
        self._words.clear()

    def _filled(self, wanted: Mapping[Blank, Mapping[int, None]]) -> dict[Blank, dict[int, tuple[float, bool]]]:
        """For each gap and each token asked for there: its log-probability, and whether it is the likeliest."""
        gaps = list(wanted)

        def ask(batch: Sequence[int], ids: Tensor, mask: Tensor) -> list[dict[int, tuple[float, bool]]]:
            places = torch.tensor([gaps[i].place for i in batch], device=self.device)
            logits = self._logits(ids, mask, places).float().log_softmax(-1)
            likeliest = logits.argmax(-1).tolist()
            return [
                {token: (float(logits[row, token]), token == likeliest[row]) for token in wanted[gaps[i]]}
                for row, i in enumerate(batch)
            ]

        return dict(zip(gaps, self.read([gap.tokens for gap in gaps], ask), strict=True))

    def _logits(self, ids: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """Logits [rows, vocabulary] at one place of each row; the output layer sees no other."""
        rows = torch.arange(len(ids), device=ids.device)
        head = self.model.get_output_embeddings()
        only = None if head is None else head.register_forward_pre_hook(lambda _, given: (_at(given[0], rows, places),))
        try:
            logits = self.model(input_ids=ids, attention_mask=mask).logits
        finally:
            if only is not None:
                only.remove()
        return _at(logits, rows, places)[:, 0] if logits.shape[1] > 1 else logits[:, 0]


def _at(states: Tensor, rows: Tensor, places: Tensor) -> Tensor:
    """The states [rows, 1, width] at one place of each row; others are left as they are."""
    return states[rows, places][:, None] if states.ndim == 3 and states.shape[1] > 1 else states
