"""A model of transformers that answers requests through lm-eval's own `HFLM`."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import torch
import transformers
from lm_eval.api.instance import Instance
from lm_eval.models.utils import has_bos_prefix, postprocess_generated_text
from lm_eval.models.utils_hf import stop_sequences_criteria

from harness.engines.cell_model import in_one_context
from harness.engines.chats import written_turns
from harness.engines.checked_loading import CheckedHFLM
from harness.engines.decoding import ContinuationDecoder
from harness.engines.encoding import EncodedTexts, TokenCache, tokens_alike
from harness.engines.pairs import Pair, check_scorable, encode_pairs, no_first_token
from harness.engines.stretched import Stretch
from harness.engines.writing import BatchRules, RefuseNoNumbers, StopEachText, until_end, write_texts
from harness.records import Weights


class OptionChooser(Protocol):
    """What chooses among options in place of their likelihoods."""

    def responses(self, lm: TransformersLM, requests: Sequence[Instance]) -> Sequence[tuple[float, bool]]:
        """For each request how much speaks for its option, and whether it is the best of its document."""
        ...


class TransformersLM(CheckedHFLM):
    """`HFLM` that encodes a text once, and ends each text at its own stop string."""

    batch_size_per_gpu: int
    gives_likelihoods = True
    weights: Weights | None = None
    class_head: OptionChooser | None = None
    """What chooses among options in place of their likelihoods; None for a model that was given no such head."""

    def __init__(self, **kwargs: Any) -> None:
        """Load the model; `kwargs` are those of `CheckedHFLM`."""
        super().__init__(**kwargs)
        self.fallback: str | None = None
        self.stretch = Stretch(self.model)
        end = self.eot_token_id
        self.eos_text = None if end is None else self.tok_decode(end, skip_special_tokens=False)
        self._decoder = ContinuationDecoder(self.tokenizer)
        start = super().prefix_token_id
        self._bos_text = None if start is None else self.tokenizer.decode(start)
        known = self.model.get_input_embeddings().weight.shape[0]
        # if a tokenizer has no padding token, lm-eval adds one that the model may not know; any token can be padding
        self._padding = self.tokenizer.pad_token_id if (self.tokenizer.pad_token_id or 0) < known else 0
        self._tokens = TokenCache(self.tokenizer, self._special_tokens, known=known)

    @property
    def prefix_token_id(self) -> int:
        """The token that stands for an empty text: the one that begins a text, or else the one that ends it.

        Raises:
            ModelError: the tokenizer has neither.
        """
        token: int | None = super().prefix_token_id
        if token is None:
            raise no_first_token(self.name)
        return token

    @cached_property
    def reading(self) -> Hashable | None:
        """Equal for models that read every text as the same tokens, as many of them; None where nobody can tell."""
        alike = tokens_alike(self.tokenizer)
        if alike is None or self.backend != "causal":
            return None
        known = self.model.get_input_embeddings().weight.shape[0]
        rules = (self.add_bos_token, self._bos_text, super().prefix_token_id, self.max_length, self.max_gen_toks, known)
        return type(self), alike, rules

    @property
    def encoded(self) -> EncodedTexts:
        """Token ids of the cell's texts so far."""
        return self._tokens.encoded

    @encoded.setter
    def encoded(self, texts: EncodedTexts) -> None:
        self._tokens.encoded = texts

    def context_needed(self, prompt: int, scored: int, written: int) -> int:
        """Tokens of the context that a prompt takes with its answer; an encoder-decoder reads the two apart."""
        if self.backend == "causal":
            return in_one_context(prompt, scored, written)
        return max(prompt, scored, written)

    def prompt_room(self, limit: int) -> int:
        """Most tokens of a prompt after which `limit` tokens are written."""
        return int(self.max_length) - limit

    @property
    def batch_size_used(self) -> int | None:
        """Requests per forward pass; None when something else limits the size of a pass."""
        return int(self.batch_size_per_gpu)

    @property
    def token_budget_used(self) -> int | None:
        """Tokens per forward pass; None when something else limits a pass."""
        return None

    @property
    def can_shrink(self) -> bool:
        """True when a forward pass can still be made smaller."""
        return bool(self.batch_size_per_gpu > 1)

    def shrink(self) -> None:
        """Halve the size of a forward pass, because memory ran out."""
        self.batch_size_per_gpu //= 2

    def begin(self, seed: int) -> None:
        """Prepare for a new cell; `seed` fixes all random draws."""
        self.fallback = None

    def forget(self) -> None:
        """Drop the encoded texts of the last cell."""
        self._tokens.forget()

    def respond(self, requests: Sequence[Instance]) -> list[Any]:
        """Responses to requests of any type, in their order: one call for each type, so that batches are full."""
        if self.class_head is not None:
            return [*self.class_head.responses(self, requests)]
        responses: list[Any] = [None] * len(requests)
        for kind in dict.fromkeys(request.request_type for request in requests):
            numbers = [i for i, request in enumerate(requests) if request.request_type == kind]
            answered = getattr(self, kind)([requests[i] for i in numbers], disable_tqdm=True)
            for i, response in zip(numbers, answered, strict=True):
                responses[i] = response
        return responses

    def learn(self, texts: Iterable[str]) -> None:
        """Encode, in one batch, texts whose tokens will later be requested one by one."""
        self._tokens.learn(texts)

    def pair_tokens(self, requests: Sequence[Instance]) -> Sequence[Pair]:
        """Token ids of the context and the continuation of each likelihood request, split by lm-eval's rule.

        Raises:
            HarnessError: a continuation has no tokens to score.
        """
        if self.backend == "causal":
            start = super().prefix_token_id
            pairs = encode_pairs([request.args for request in requests], self._tokens, start)
        else:
            # an encoder-decoder reads context and continuation separately, and one token for an empty context
            pairs = [
                Pair(*self._encode_pair(context, continuation))
                if context
                else Pair([self.prefix_token_id], self.tok_encode(continuation, add_special_tokens=False))
                for context, continuation in (request.args for request in requests)
            ]
        check_scorable(requests, pairs, self.max_length)
        return pairs

    def prompt_tokens(self, prompt: str) -> list[int]:
        """Token ids of a prompt by lm-eval's rule for generation, which looks for <bos>.

        Its rule for likelihoods looks instead for the token that stands for an empty context.
        """
        bos = self.tokenizer.bos_token
        if bos == self._bos_text:
            tokens = self.tok_encode(prompt)
        else:
            tokens = self.tok_encode(
                prompt, add_special_tokens=not has_bos_prefix(prompt, bos) and self.add_bos_token is not False
            )
        # an empty prompt is treated like an empty context
        return tokens or [self.prefix_token_id]

    def chat_text(self, turns: Sequence[Mapping[str, str]], *, begins_answer: bool) -> str:
        """Turns of a chat as the model's template writes them; errors as of `chats.written_turns`."""
        return written_turns(self.tokenizer, turns, begins_answer=begins_answer)

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, left_truncate_len: int | None = None, **kwargs: Any
    ) -> list[int]:
        """Token ids of a text, kept because a context is needed once per option, and again to measure its length."""
        tokens = self._tokens.ids(string, add_special_tokens)
        return tokens[-left_truncate_len:] if left_truncate_len else tokens

    def _special_tokens(self, text: str, add_special_tokens: bool | None) -> Mapping[str, bool]:
        """Arguments by lm-eval's rule: the caller's choice, else the user's, and never a second <bos>."""
        if add_special_tokens is None:
            if has_bos_prefix(text, self._bos_text):
                return {"add_special_tokens": False}
            add_special_tokens = self.add_bos_token
        return {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Log-likelihood of each continuation, and whether it is what greedy decoding would write."""
        pairs = self.pair_tokens(requests)
        asked = [(request.args, *pair) for request, pair in zip(requests, pairs, strict=True)]
        return self._loglikelihood_tokens(asked, disable_tqdm=disable_tqdm)

    def _loglikelihood_tokens(
        self, requests: Any, disable_tqdm: bool = True, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        # when lm-eval reuses logits, it takes the wrong positions if two requests read the same tokens but are scored
        # from different positions on; this cannot happen when every continuation is a single token
        self.logits_cache = all(len(continuation) == 1 for _, _, continuation in requests)
        kinds: dict[int, list[int]] = {}
        for i, (_, context, continuation) in enumerate(requests):
            # the last token is only predicted and need not be read
            length = min(len(context) + len(continuation) - 1, self.max_length)
            kinds.setdefault(self.stretch.kind(length), []).append(i)
        answered: dict[int, tuple[float, bool]] = {}
        for numbers in kinds.values():
            # for rolling likelihoods lm-eval requests a progress bar even when the caller does not
            found = super()._loglikelihood_tokens(
                [requests[i] for i in numbers], disable_tqdm=True, override_bs=override_bs
            )
            answered.update(zip(numbers, found, strict=True))
        return [answered[i] for i in range(len(requests))]

    def _model_call(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        self.stretch.start_afresh()
        logits: torch.Tensor = super()._model_call(*args, **kwargs)
        return logits

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """A text for each prompt, without its stop string."""
        if self.backend == "causal" and self.think_end_token is None:
            return write_texts(self, requests, self._batch_size_for)
        before = self.batch_size_per_gpu
        self.batch_size_per_gpu = min(self._batch_size_for(request.args[1]) for request in requests)
        try:
            texts: list[str] = super().generate_until(requests, disable_tqdm=disable_tqdm)
        finally:
            self.batch_size_per_gpu = before
        return texts

    def generate(self, prompts: Sequence[Sequence[int]], rules: BatchRules) -> list[list[int]]:
        """The tokens that the model writes after each prompt of one batch."""
        width = max(map(len, prompts))
        context = torch.full((len(prompts), width), self._padding)
        mask = torch.zeros_like(context)
        for row, prompt in enumerate(prompts):
            context[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        options = dict(rules.options)
        written = self._model_generate(
            context.to(self.device),
            attention_mask=mask.to(self.device),
            max_length=options.pop("max_length", width + rules.limit),
            stop=list(rules.stop),
            use_cache=rules.cache,
            **options,
        )
        return [until_end(row[width:], self._ends(options)) for row in written.tolist()]

    def finished(self, prompt: Sequence[int], tokens: Sequence[int], stop: Sequence[str]) -> str:
        """The text of the tokens written after a prompt, up to its stop string."""
        return str(postprocess_generated_text(self._decoder.text(prompt, tokens), list(stop), None))

    def _ends(self, options: Mapping[str, Any]) -> frozenset[int]:
        """Tokens that end a text; what comes after one is padding."""
        named = options.get("eos_token_id", self.model.generation_config.eos_token_id)
        return frozenset(named if isinstance(named, list) else [named]) - {None}

    def _batch_size_for(self, options: Mapping[str, Any]) -> int:
        """Texts written at a time; one where a text would depend on its neighbours."""
        # lm-eval watches the first few beams of a batch for stop strings, whichever text they belong to; its limit for
        # an encoder-decoder depends on the width of the batch; a recurrent state may read padding
        alone = self._beams(options) > 1 or self.backend != "causal" or getattr(self.model, "_is_stateful", False)
        return 1 if alone else int(self.batch_size_per_gpu)

    def _beams(self, options: Mapping[str, Any]) -> int:
        return options.get("num_beams") or self.model.generation_config.num_beams or 1

    def _model_generate(self, context: torch.Tensor, max_length: int, stop: list[str], **kwargs: Any) -> torch.Tensor:
        if self._beams(kwargs) > 1:
            # beams change places, so a row does not stay with one text and cannot be stopped by itself
            criteria = stop_sequences_criteria(self.tokenizer, stop, context.shape[1], context.shape[0])
        else:
            # lm-eval stops a batch when all its texts hold the same stop string; texts that end differently
            # would run on to the limit.
            texts, width = context.shape
            # an encoder-decoder's output does not contain the prompt
            prompt = width if self.backend == "causal" else 0
            each = StopEachText(self.tokenizer, stop, texts=texts, prompt=prompt)
            criteria = transformers.StoppingCriteriaList([each])
        if not kwargs.get("do_sample"):
            kwargs = {**kwargs, "do_sample": False}
            kwargs.pop("temperature", None)
        self.stretch.start_afresh()
        mixed = self.mixed_precision_dtype
        with torch.autocast(device_type=self.device.type, dtype=mixed, enabled=mixed is not None):
            generated: torch.Tensor = self.model.generate(
                input_ids=context,
                max_length=max_length,
                stopping_criteria=criteria,
                logits_processor=transformers.LogitsProcessorList([RefuseNoNumbers(self.name, self.model.dtype)]),
                pad_token_id=self._padding,
                **{"use_cache": True, **kwargs},
            )
        return generated
