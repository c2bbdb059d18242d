"""Choices by a classifier: the log-probability of the class whose name an option is.

The model reads the question as the task's prompt writes it, without the options. A task whose text is not what the
model was trained on wants a prompt variant that writes that text alone (`prompts:` in the task file).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers
from lm_eval.api.instance import Instance
from torch import Tensor

from harness.catalog.asking import are_numbered, plain
from harness.catalog.models.architectures import labels_of
from harness.engines.encoder.lm import EncoderLM
from harness.engines.pairs import Pair
from harness.errors import HarnessError, ModelError
from harness.wording import cut, quoted

log = logging.getLogger(__name__)


class ClassifierLM(EncoderLM):
    """A model with a head for classes of texts."""

    AUTO_MODEL_CLASS = transformers.AutoModelForSequenceClassification
    reading = None  # what is asked depends on the model's own labels

    def __init__(self, **kwargs: Any) -> None:
        """Load the model; `kwargs` are those of `HFLM`.

        Raises:
            ModelError: its head does not choose one class among several.
        """
        super().__init__(**kwargs)
        kind = getattr(self.model.config, "problem_type", None)
        self.labels = labels_of(self.model.config.to_dict())
        if len(self.labels) < 2 or kind in ("regression", "multi_label_classification"):
            found = f"problem_type {quoted(kind)}" if kind else f"{len(self.labels)} classes"
            raise ModelError(f"{self.name}: its head has {found}; expected one that chooses one class among several")
        self._classes = {plain(label): number for number, label in enumerate(self.labels)}
        if are_numbered(self.labels):
            log.warning("%s: its classes have no names; class 0 is taken for the first option, and so on", self.name)

    def context_needed(self, prompt: int, scored: int, written: int) -> int:
        """Tokens of the context that a question takes; the option is not read."""
        return prompt

    def pair_tokens(self, requests: Sequence[Instance]) -> Sequence[Pair]:
        """Token ids of each question, and one number in place of the option, which is not read.

        Raises:
            HarnessError: an option is none of the model's classes; the message names the document.
        """
        for request in requests:
            self._class_of(request)
        self.learn(request.args[0] for request in requests)
        return [Pair(self.tok_encode(request.args[0]), [0]) for request in requests]

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Log-probability of each option's class, and whether it is the likeliest of all classes."""
        questions = {request.args[0]: self.tok_encode(request.args[0])[-self.max_length :] for request in requests}

        def ask(batch: Sequence[int], ids: Tensor, mask: Tensor) -> list[Any]:
            logits: Tensor = self.model(input_ids=ids, attention_mask=mask).logits
            return list(logits.float().log_softmax(-1).cpu())

        read = dict(zip(questions, self.read([self.framed(tokens) for tokens in questions.values()], ask), strict=True))
        answers = []
        for request in requests:
            of_all, asked = read[request.args[0]], self._class_of(request)
            answers.append((float(of_all[asked]), int(torch.argmax(of_all)) == asked))
        return answers

    def _class_of(self, request: Instance) -> int:
        """The number of the class that a request's option names."""
        option = str(request.args[1]).strip()
        if are_numbered(self.labels):
            if request.idx < len(self.labels):
                return int(request.idx)
        elif (number := self._classes.get(plain(option))) is not None:
            return number
        error = HarnessError(
            f"document {request.doc_id}: the option {quoted(option)} is none of the classes of {self.name}: "
            f"{cut(', '.join(self.labels))}"
        )
        raise error.about(request.doc_id, request.idx)

    def rows_at_once(self) -> int:
        """Texts that share a pass."""
        # decoders with such a head find the end of a text by its padding
        known: Mapping[str, Any] = self.model.config.to_dict()
        return super().rows_at_once() if known.get("pad_token_id") is not None else 1
