"""Texts by transformers' `generate` in padded batches, by the rules of lm-eval's `HFLM.generate_until` for decoders.

What differs is what lm-eval decides for a whole batch, or without the prompt: whether a prompt has its <bos> already is
asked of each prompt and not of the first, a text is decoded behind its prompt (`decoding`), rows whose positions depend
on their neighbours are kept apart (`stretched`), and logits that are no numbers end the cell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import transformers
from lm_eval.api.instance import Instance
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs

from harness.engines.stretched import Stretch
from harness.errors import ModelError


class Writer(Protocol):
    """What writing asks of a model."""

    stretch: Stretch

    @property
    def max_length(self) -> int:
        """Tokens the model reads, those it writes included."""
        ...

    @property
    def max_gen_toks(self) -> int:
        """Tokens to generate when a request does not say."""
        ...

    @property
    def eos_text(self) -> str | None:
        """Text of the token that ends a text; None when there is none."""
        ...

    def prompt_tokens(self, prompt: str) -> list[int]:
        """Token ids of a prompt."""
        ...

    def generate(self, prompts: Sequence[Sequence[int]], rules: BatchRules) -> list[list[int]]:
        """What is written after each prompt of one batch, in tokens."""
        ...

    def finished(self, prompt: Sequence[int], tokens: Sequence[int], stop: Sequence[str]) -> str:
        """The text of what was written, up to its stop string."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchRules:
    """How the texts of a batch are written."""

    stop: Sequence[str]
    """Texts that end one."""
    limit: int
    """Most new tokens."""
    cache: bool
    """Whether keys and values of earlier tokens stay right."""
    options: Mapping[str, Any]
    """Everything else, for transformers."""


def write_texts(lm: Writer, requests: Sequence[Instance], batch_size: Callable[[Mapping[str, Any]], int]) -> list[str]:
    """The text after each prompt, without its stop string.

    Args:
        lm: writes.
        requests: prompts with lm-eval's generation options.
        batch_size: prompts of one pass, by their options.
    """
    alike: dict[str, list[int]] = {}
    for i, request in enumerate(requests):
        alike.setdefault(json.dumps(request.args[1], sort_keys=True, default=str), []).append(i)
    texts = [""] * len(requests)
    for numbers in alike.values():
        asked: dict[str, Any] = requests[numbers[0]].args[1]
        options = dict(normalize_gen_kwargs(asked, lm.max_gen_toks))
        stop, limit = stop_strings(options.pop("until"), lm.eos_text), int(options.pop("max_gen_toks"))
        room = lm.max_length - limit
        assert room > 0, f"{limit} new tokens leave no room for a prompt in {lm.max_length}"
        prompts = {i: lm.prompt_tokens(requests[i].args[0])[-room:] for i in numbers}
        # as lm-eval sorts them: the longest first, so that memory runs out at once if it does
        order = sorted(numbers, key=lambda i: (-len(prompts[i]), requests[i].args[0]))
        for batch, cache in _batches(order, prompts, limit, lm.stretch, batch_size(asked)):
            rules = BatchRules(stop=stop, limit=limit, cache=cache, options=options)
            written = lm.generate([prompts[i] for i in batch], rules)
            for i, tokens in zip(batch, written, strict=True):
                texts[i] = lm.finished(prompts[i], tokens, stop)
    return texts


def until_end(tokens: Sequence[int], ends: Set[int]) -> list[int]:
    """The tokens up to the first that ends a text; a batch pads what comes after.

    >>> until_end([5, 2, 0, 0], {2})
    [5, 2]
    """
    return list(tokens[: next((i + 1 for i, token in enumerate(tokens) if token in ends), None)])


def stop_strings(until: Any, eos_text: str | None) -> list[str]:
    """lm-eval's stop strings: the task's, and the text of the end token."""
    return list(handle_stop_sequences(until, eos=eos_text or None))


def _batches(
    order: Sequence[int], prompts: Mapping[int, Sequence[int]], limit: int, stretch: Stretch, size: int
) -> Iterator[tuple[list[int], bool]]:
    """Prompts that may share a pass, and whether keys may be cached while their texts grow."""
    kinds: dict[tuple[int, bool], list[int]] = {}
    for i in order:
        length = len(prompts[i])
        cache = stretch.may_cache(length, length + limit)
        # without a cache a text changes kind as it grows: it is written alone
        kinds.setdefault((stretch.kind(length) if cache else -1 - i, cache), []).append(i)
    for (_, cache), members in kinds.items():
        for start in range(0, len(members), size):
            yield members[start : start + size], cache


class StopEachText(transformers.StoppingCriteria):
    """True for every text that holds one of the stop strings after the prompt."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], *, texts: int, prompt: int) -> None:
        """`prompt`: tokens before each of the texts."""
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        self._prompt = prompt
        longest = max((len(tokenizer.encode(text, add_special_tokens=False)) for text in stop), default=0)
        # two tokens more: a stop string may come in other pieces than it is encoded in
        self._window = longest + 2
        self._done = [False] * texts

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Which of the texts have ended."""
        window = input_ids[:, self._prompt :][:, -self._window :].tolist()
        for row, tokens in enumerate(window):
            if not self._done[row]:
                text = self._tokenizer.decode(tokens)
                self._done[row] = any(stop in text for stop in self._stop)
        return torch.tensor(self._done, dtype=torch.bool, device=input_ids.device)


class RefuseNoNumbers(transformers.LogitsProcessor):
    """Passes logits on as they are, and stops where the highest is no number: any token would look chosen."""

    def __init__(self, name: str, dtype: torch.dtype) -> None:
        self._name, self._dtype = name, dtype

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores.

        Raises:
            ModelError: they are no numbers.
        """
        if not bool(torch.isfinite(scores.amax(-1)).all()):
            raise no_numbers(self._name, self._dtype)
        return scores


def no_numbers(name: str, dtype: torch.dtype) -> ModelError:
    """What is said of a model that writes by chance because its logits are no numbers."""
    return ModelError(
        f"{name}: scores are not finite: the model's logits are no numbers while it writes; its weights are damaged, "
        f"or it needs more than {str(dtype).removeprefix('torch.')}"
    )
