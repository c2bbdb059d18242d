"""Generate texts by transformers' `generate` in padded batches, with the rules of lm-eval's `HFLM.generate_until`.

The rules are those for decoder-only models. They differ from lm-eval's where it decides for a whole batch or
without the prompt: each prompt is checked for <bos>, not only the first; a text is decoded together with the end of its
prompt (`decoding`); rows whose positions depend on their neighbours are kept apart (`stretched`); and logits that are
not numbers make the cell fail.
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
    """The methods that generating texts needs of a model."""

    stretch: Stretch

    @property
    def max_length(self) -> int:
        """Context length in tokens, including the tokens that the model writes."""
        ...

    def prompt_room(self, limit: int) -> int:
        """Most tokens of a prompt after which `limit` tokens are written."""
        ...

    @property
    def max_gen_toks(self) -> int:
        """Number of tokens to generate when a request does not set one."""
        ...

    @property
    def eos_text(self) -> str | None:
        """Text of the token that ends a text; None when there is none."""
        ...

    def prompt_tokens(self, prompt: str) -> list[int]:
        """Token ids of a prompt."""
        ...

    def generate(self, prompts: Sequence[Sequence[int]], rules: BatchRules) -> list[list[int]]:
        """The tokens that the model writes after each prompt of one batch."""
        ...

    def finished(self, prompt: Sequence[int], tokens: Sequence[int], stop: Sequence[str]) -> str:
        """The text of the tokens written after a prompt, up to its stop string."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchRules:
    """How the texts of a batch are generated."""

    stop: Sequence[str]
    """Stop strings, each of which ends a text."""
    limit: int
    """Maximum number of new tokens."""
    cache: bool
    """Whether keys and values of earlier tokens may be cached."""
    options: Mapping[str, Any]
    """All other generation options, passed to transformers."""


def write_texts(lm: Writer, requests: Sequence[Instance], batch_size: Callable[[Mapping[str, Any]], int]) -> list[str]:
    """The text after each prompt, without its stop string.

    Args:
        lm: the model.
        requests: prompts with lm-eval's generation options.
        batch_size: number of prompts in one pass, as a function of their options.
    """
    alike: dict[str, list[int]] = {}
    for i, request in enumerate(requests):
        alike.setdefault(json.dumps(request.args[1], sort_keys=True, default=str), []).append(i)
    texts = [""] * len(requests)
    for numbers in alike.values():
        asked: dict[str, Any] = requests[numbers[0]].args[1]
        options = dict(normalize_gen_kwargs(asked, lm.max_gen_toks))
        stop, limit = stop_strings(options.pop("until"), lm.eos_text), int(options.pop("max_gen_toks"))
        room = lm.prompt_room(limit)
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
    """Stopping criterion: true for every text that contains one of the stop strings after the prompt."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], *, texts: int, prompt: int) -> None:
        """`prompt` is the number of tokens before each text."""
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        self._prompt = prompt
        longest = max((len(tokenizer.encode(text, add_special_tokens=False)) for text in stop), default=0)
        # two tokens more, since the model may write a stop string with other tokens than its own encoding
        self._window = longest + 2
        self._done = [False] * texts

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """For each text, whether it has ended."""
        window = input_ids[:, self._prompt :][:, -self._window :].tolist()
        for row, tokens in enumerate(window):
            if not self._done[row]:
                text = self._tokenizer.decode(tokens)
                self._done[row] = any(stop in text for stop in self._stop)
        return torch.tensor(self._done, dtype=torch.bool, device=input_ids.device)


class RefuseNoNumbers(transformers.LogitsProcessor):
    """Leaves logits unchanged, and raises an error when the highest is not a number, as any token could be chosen."""

    def __init__(self, name: str, dtype: torch.dtype) -> None:
        self._name, self._dtype = name, dtype

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores unchanged.

        Raises:
            ModelError: the scores are not numbers.
        """
        if not bool(torch.isfinite(scores.amax(-1)).all()):
            raise no_numbers(self._name, self._dtype)
        return scores


def no_numbers(name: str, dtype: torch.dtype) -> ModelError:
    """The error for a model whose logits are not numbers, so that its text would be random."""
    return ModelError(
        f"{name}: scores are not finite: the model's logits are no numbers while it writes; its weights are damaged, "
        f"or it needs more than {str(dtype).removeprefix('torch.')}"
    )
