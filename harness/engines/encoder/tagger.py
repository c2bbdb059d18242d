"""Entities by a model that labels words: the answer names them as a task of the kind `ner` wants, `Tom PER ; Tibi LOC`.

A text that is longer than the model reads is labelled in windows that overlap by half; each piece takes its label from
the window in which it has most text on both sides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import transformers
from lm_eval.api.instance import Instance
from torch import Tensor

from harness.catalog.models.architectures import labels_of
from harness.engines.encoder.lm import NO_OFFSETS, EncoderLM
from harness.engines.encoder.words import Labelled, entities_in, first_pieces, labelled_text
from harness.engines.pairs import Pair
from harness.errors import ModelError

_NOTHING = re.compile(r"\bnone\b", re.IGNORECASE)
"""Word that a prompt asks for where there is no entity; otherwise such an answer is empty."""


class TaggerLM(EncoderLM):
    """A model with a head for labels of tokens."""

    AUTO_MODEL_CLASS = transformers.AutoModelForTokenClassification
    reading = None  # what is asked depends on the model's own labels
    gives_likelihoods = False

    def __init__(self, **kwargs: Any) -> None:
        """Load the model; `kwargs` are those of `HFLM`.

        Raises:
            ModelError: its tokenizer does not tell where pieces stand, or its labels have no names.
        """
        super().__init__(**kwargs)
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
        """Nothing: a tagger gives no likelihoods of texts.

        Raises:
            HarnessError: some are asked.
        """
        if requests:
            raise self._cannot("loglikelihood")
        return []

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """The entities of each document's text as a list."""
        texts = [labelled_text(request.doc, request.args[0]) for request in requests]
        pieces = [self.pieces_of(one.text) for one in texts]
        labels = self._labels([tokens for tokens, _ in pieces])
        return [
            _listed(one, [self.labels[number] for number in numbers], offsets)
            or ("none" if _NOTHING.search(request.args[0].replace(one.text, "")) else "")
            for request, one, numbers, (_, offsets) in zip(requests, texts, labels, pieces, strict=True)
        ]

    def _labels(self, texts: Sequence[Sequence[int]]) -> list[list[int]]:
        """Number of the label of each piece of each text."""
        places = [(i, window) for i, tokens in enumerate(texts) for window in windows(len(tokens), self.max_length)]
        rows = [self.framed(texts[i][window.start : window.stop]) for i, window in places]

        def ask(batch: Sequence[int], ids: Tensor, mask: Tensor) -> list[list[int]]:
            found: list[list[int]] = self.model(input_ids=ids, attention_mask=mask).logits.argmax(-1).tolist()
            return found

        labels = [[0] * len(tokens) for tokens in texts]
        nearest = [[-1] * len(tokens) for tokens in texts]
        for (i, window), found in zip(places, self.read(rows, ask), strict=True):
            for at in window:
                edge = min(at - window.start, window.stop - 1 - at)
                if edge > nearest[i][at]:
                    nearest[i][at], labels[i][at] = edge, found[len(self._before) + at - window.start]
        return labels


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
