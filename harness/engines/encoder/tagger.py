"""Entities by a model that labels words: the answer names them as a task of the kind `ner` wants, `Tom PER ; Tibi LOC`.

A text that is longer than the model reads is labelled in windows that overlap by half; each piece takes its label from
the window in which it has most text on both sides.

Labels are independent of each other, so the probability of an answer is a product over the words: that of all labels
with which exactly its entities are found. Its logarithm is the smooth partner of the entities' F1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import torch
import transformers
from lm_eval.api.instance import Instance
from torch import Tensor

from harness.catalog.models.architectures import labels_of
from harness.engines.encoder.lm import NO_OFFSETS, EncoderLM
from harness.engines.encoder.words import (
    Labelled,
    Named,
    entities_in,
    first_pieces,
    labelled_text,
    labels_by_word,
    right_labels,
)
from harness.engines.pairs import Pair
from harness.errors import HarnessError, ModelError
from harness.scoring.spans import entity_spans

_NOTHING = re.compile(r"\bnone\b", re.IGNORECASE)
"""Word that a prompt asks for where there is no entity; otherwise such an answer is empty."""
LEAST = math.log(torch.finfo(torch.float32).eps)
"""Least log-probability of a word: that of the smallest step in float32, where scikit-learn's `log_loss` cuts, too."""


class TaggerLM(EncoderLM):
    """A model with a head for labels of tokens."""

    AUTO_MODEL_CLASS = transformers.AutoModelForTokenClassification
    reading = None  # what is asked depends on the model's own labels

    def __init__(self, **kwargs: Any) -> None:
        """Load the model; `kwargs` are those of `HFLM`.

        Raises:
            ModelError: its tokenizer does not tell where pieces stand, or its labels have no names.
        """
        super().__init__(**kwargs)
        self._said: dict[tuple[int, ...], Tensor] = {}
        self.labels = labels_of(self.model.config.to_dict())
        if not self.tokenizer.is_fast:
            raise ModelError(f"{self.name}: {NO_OFFSETS}")
        if not any(label.casefold() == "o" for label in self.labels):
            raise ModelError(
                f"{self.name}: id2label has no label O for words outside of entities; expected the labels that it was "
                "trained with, such as O, B-PER and I-PER"
            )

    def context_needed(self, prompt: int, scored: int, written: int) -> int:
        """None: texts of any length are labelled in windows."""
        return 0

    def pair_tokens(self, requests: Sequence[Instance]) -> Sequence[Pair]:
        """A number for each word of the text, in the place of token ids: the labels of words are what is scored."""
        return [Pair([0], [0] * len(labelled_text(request.doc, request.args[0]).words)) for request in requests]

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Log-probability that the labels name the entities of an answer and no others, and whether the likeliest do.

        That is a sum over the words, whose labels are independent of each other. A label that the model does not have
        would make it infinite, so that no word counts for less than `LEAST`.
        """
        texts = [labelled_text(request.doc, request.args[0]) for request in requests]
        pieces = [self.pieces_of(one.text) for one in texts]
        found = self._log_probabilities([tokens for tokens, _ in pieces])
        return [
            self._likelihood(request, one, offsets, of_pieces)
            for request, one, (_, offsets), of_pieces in zip(requests, texts, pieces, found, strict=True)
        ]

    def _likelihood(
        self, request: Instance, one: Labelled, offsets: Sequence[tuple[int, int]], of_pieces: Tensor
    ) -> tuple[float, bool]:
        """The same for one answer; `of_pieces` has the log-probability of each label of each piece."""
        try:
            spans = entity_spans(one.text, request.doc, str(request.args[1]))
        except HarnessError:  # an answer that names what does not stand in the text, which no label can say
            return LEAST * len(one.words), False
        of_words = labels_by_word(one.words, [Named(span.start, span.end + 1, span.type) for span in spans])
        total, all_likeliest = 0.0, True
        for at, label, right in zip(
            first_pieces(one.words, offsets), of_words, right_labels(self.labels, of_words), strict=True
        ):
            if at is None:  # the tokenizer leaves nothing of it, and it is outside
                total += 0.0 if label == "O" else LEAST
                all_likeliest = all_likeliest and label == "O"
            else:
                likely = float(of_pieces[at, right].logsumexp(0)) if right else LEAST
                total += min(0.0, max(likely, LEAST))
                all_likeliest = all_likeliest and int(of_pieces[at].argmax()) in right
        return total, all_likeliest

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """The entities of each document's text as a list."""
        texts = [labelled_text(request.doc, request.args[0]) for request in requests]
        pieces = [self.pieces_of(one.text) for one in texts]
        found = self._log_probabilities([tokens for tokens, _ in pieces])
        return [
            _listed(one, [self.labels[number] for number in of_pieces.argmax(-1).tolist()], offsets)
            or ("none" if _NOTHING.search(request.args[0].replace(one.text, "")) else "")
            for request, one, of_pieces, (_, offsets) in zip(requests, texts, found, pieces, strict=True)
        ]

    def forget(self) -> None:
        """Drop what the model said of the texts of the last cell."""
        super().forget()
        self._said.clear()

    def _log_probabilities(self, texts: Sequence[Sequence[int]]) -> list[Tensor]:
        """For each text the log-probability of each label of each piece, [pieces, labels]; each text is read once."""
        asked = [tuple(tokens) for tokens in texts]
        new = [tokens for tokens in dict.fromkeys(asked) if tokens not in self._said]
        self._said.update(zip(new, self._read_texts(new), strict=True))
        return [self._said[tokens] for tokens in asked]

    def _read_texts(self, texts: Sequence[Sequence[int]]) -> list[Tensor]:
        places = [(i, window) for i, tokens in enumerate(texts) for window in windows(len(tokens), self.max_length)]
        rows = [self.framed(texts[i][window.start : window.stop]) for i, window in places]

        def ask(batch: Sequence[int], ids: Tensor, mask: Tensor) -> list[Any]:
            return list(self.model(input_ids=ids, attention_mask=mask).logits.float().log_softmax(-1).cpu())

        found = [torch.zeros(len(tokens), len(self.labels)) for tokens in texts]
        nearest = [[-1] * len(tokens) for tokens in texts]
        for (i, window), said in zip(places, self.read(rows, ask), strict=True):
            for at in window:
                edge = min(at - window.start, window.stop - 1 - at)
                if edge > nearest[i][at]:
                    nearest[i][at], found[i][at] = edge, said[self.around[0] + at - window.start]
        return found


def windows(length: int, most: int) -> list[range]:
    """Windows of at most `most` pieces that overlap by half and cover all pieces.

    >>> windows(10, 4)
    [range(0, 4), range(2, 6), range(4, 8), range(6, 10)]
    """
    if length <= most:
        return [range(length)] if length else []
    step = max(1, most // 2)
    starts = [*range(0, length - most, step), length - most]
    return [range(start, start + most) for start in starts]


def _listed(one: Labelled, of_pieces: Sequence[str], offsets: Sequence[tuple[int, int]]) -> str:
    """The entities of a text as an answer; words of which the tokenizer leaves nothing are outside."""
    of_words = ["O" if at is None else of_pieces[at] for at in first_pieces(one.words, offsets)]
    entities = entities_in(one.words, of_words)
    return " ; ".join(f"{one.text[entity.start : entity.end]} {entity.type}" for entity in entities)
