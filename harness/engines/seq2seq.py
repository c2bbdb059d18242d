"""The engine `seq2seq`: models that turn one text into another, such as T5 and BART.

The prompt is what the encoder reads, and the answer is what the decoder writes, so each has a context of its own. The
encoder reads a prompt once for all of its options. Likelihoods are those of lm-eval's `HFLM` with
`AutoModelForSeq2SeqLM`, which also encodes prompt and answer apart and adds no token that ends the answer.

Texts differ from lm-eval's in one point: lm-eval lets an encoder-decoder write as many tokens more than `max_gen_toks`
as the longest prompt of the batch has, since it counts the prompt as if it were part of the answer; here a text has at
most `max_gen_toks` tokens, whatever stands beside it in a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import torch
from lm_eval.api.instance import Instance
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.loading import load_model
from harness.engines.protocol import EngineSettings
from harness.engines.transformers_lm import TransformersLM
from harness.engines.writing import BatchRules, until_end, write_texts
from harness.errors import HarnessError, ModelError
from harness.schedule import Lane
from harness.specs import ModelSpec

Item = TypeVar("Item")


class Seq2SeqLM(TransformersLM):
    """An encoder with a decoder, in batches of prompts that are padded on the right and masked."""

    def __init__(self, **kwargs: Any) -> None:
        """Load the model; `kwargs` are those of `HFLM`.

        Raises:
            ModelError: the model has no encoder with a decoder.
        """
        super().__init__(**kwargs)
        if self.backend != "seq2seq":
            raise ModelError(f"{self.name}: is no encoder with a decoder; expected --engine tree, or none named")

    def prompt_room(self, limit: int) -> int:
        """Most tokens of a prompt: all that the encoder reads, whatever is written."""
        return int(self.max_length)

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """A text for each prompt, without its stop string."""
        return write_texts(self, requests, self._batch_size_for)

    def generate(self, prompts: Sequence[Sequence[int]], rules: BatchRules) -> list[list[int]]:
        """The tokens that the decoder writes for each prompt of one batch."""
        ids, mask = self._padded(prompts, self._padding)
        options = dict(rules.options)
        written = self._model_generate(
            ids,
            attention_mask=mask,
            # the token that the decoder starts from counts, too
            max_length=options.pop("max_length", 1 + rules.limit),
            stop=list(rules.stop),
            use_cache=rules.cache,
            **options,
        )
        return [until_end(row[1:], self._ends(options)) for row in written.tolist()]

    def finished(self, prompt: Sequence[int], tokens: Sequence[int], stop: Sequence[str]) -> str:
        """The text that the decoder wrote, up to its stop string; it continues no prompt."""
        return super().finished([], tokens, stop)

    def _batch_size_for(self, options: Mapping[str, Any]) -> int:
        # lm-eval watches the first few beams of a batch for stop strings, whichever text they belong to
        return 1 if self._beams(options) > 1 else int(self.batch_size_per_gpu)

    def _loglikelihood_tokens(
        self, requests: Any, disable_tqdm: bool = True, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        asked: dict[tuple[int, ...], list[int]] = {}
        for i, (_, context, _) in enumerate(requests):
            asked.setdefault(tuple(context[-self.max_length :]), []).append(i)
        size = int(self.batch_size_per_gpu)
        answers: dict[int, tuple[float, bool]] = {}
        for contexts in _batches(sorted(asked, key=len, reverse=True), size):
            with torch.inference_mode():
                ids, mask = self._padded(contexts, self._padding)
                read = self.model.get_encoder()(input_ids=ids, attention_mask=mask, return_dict=True)
            places = [(row, i) for row, context in enumerate(contexts) for i in asked[context]]
            places.sort(key=lambda place: len(requests[place[1]][2]))
            for batch in _batches(places, size):
                rows = torch.tensor([row for row, _ in batch], device=self.device)
                answered = self._decoded(read.last_hidden_state[rows], mask[rows], [requests[i][2] for _, i in batch])
                answers.update(zip((i for _, i in batch), answered, strict=True))
        return [answers[i] for i in range(len(requests))]

    def _decoded(self, states: Tensor, mask: Tensor, targets: Sequence[Sequence[int]]) -> list[tuple[float, bool]]:
        """Log-likelihood of each target and whether it is what greedy decoding would write.

        Args:
            states: what the encoder made of each prompt, [targets, length, width].
            mask: 1 where a prompt has tokens, [targets, length].
            targets: token ids of the answers.
        """
        labels, there = self._padded(targets, self._padding)
        with torch.inference_mode():
            output = self.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=states), attention_mask=mask, labels=labels
            )
        logits = output.logits.float().log_softmax(-1)
        given = logits.gather(2, labels[..., None])[..., 0].where(there == 1, 0.0).sum(1)
        greedy = ((logits.argmax(-1) == labels) | (there == 0)).all(1)
        return list(zip(given.tolist(), greedy.tolist(), strict=True))

    def _padded(self, rows: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
        """Token ids [rows, longest], padded on the right, and 1 where they are no padding."""
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), padding)
        mask = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
            mask[number, : len(row)] = 1
        return ids.to(self.device), mask.to(self.device)


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


class Seq2SeqEngine(LmEvalEngine):
    """An engine for one encoder-decoder of transformers."""

    @staticmethod
    def refusals(lane: Lane, settings: EngineSettings) -> Mapping[int, HarnessError]:
        """None: prompt and answer are encoded apart, so no token joins them."""
        return {}

    def _load(self, model: ModelSpec) -> Seq2SeqLM:
        return load_model(Seq2SeqLM, model, self._settings, self._device)
