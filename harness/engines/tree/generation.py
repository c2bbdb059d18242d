"""Generates texts in the slots of a KV cache; a finished text frees its slot, so that no pass waits for the longest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import (
    LogitsProcessor,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from harness.engines.tree.model import Keeping, TreeModel, likeliest
from harness.engines.tree.passes import Prefix, SlotCache
from harness.engines.tree.trees import TreeRow


class NotNumbersError(Exception):
    """The model returned NaN or infinite logits where the next token of a text must be chosen."""


class Pieces:
    """The text of single tokens; each token is decoded only once."""

    def __init__(self, decode: Callable[[Sequence[int]], str], *, merges_spaces: bool) -> None:
        """`merges_spaces`: the tokenizer removes spaces before some tokens, so a token can change earlier text."""
        self.decode = decode
        self._merges_spaces = merges_spaces
        self._known: dict[int, str] = {}

    def may_end_with(self, token: int, characters: frozenset[str]) -> bool:
        """False when no text that ends in one of `characters` can be completed by `token`."""
        text = self._known.get(token)
        if text is None:
            text = self._known[token] = self.decode([token])
        if self._merges_spaces or " " in characters or "\ufffd" in text:
            # decoding a token alone may strip a leading space, and shows a part of a character as U+FFFD
            return True
        return not characters.isdisjoint(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """The conditions that end a text."""

    strings: tuple[str, ...]
    """Stop strings, none of them empty."""
    tokens: frozenset[int]
    """Tokens that end a text."""
    limit: int
    """The most tokens that a text may have."""
    pieces: Pieces

    def reached(self, written: Sequence[int]) -> bool:
        """True when the text ends with the last token of `written`."""
        if len(written) >= self.limit or written[-1] in self.tokens:
            return True
        last = frozenset(string[-1] for string in self.strings)
        if not last or not self.pieces.may_end_with(written[-1], last):
            return False
        text = self.pieces.decode(written)
        return any(string in text for string in self.strings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How tokens are sampled; the options have the same meaning as in transformers."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities [texts, vocabulary] in float64; options are applied in the same order as in transformers."""
        for warper in self._warpers():
            logits = warper(None, logits)  # none of these uses the preceding tokens
        return logits.double().softmax(-1)

    def _warpers(self) -> list[LogitsProcessor]:
        warpers: list[LogitsProcessor] = []
        if self.temperature != 1.0:
            warpers.append(TemperatureLogitsWarper(self.temperature))
        if self.top_k:
            warpers.append(TopKLogitsWarper(self.top_k))
        if self.top_p is not None and self.top_p < 1.0:
            warpers.append(TopPLogitsWarper(self.top_p))
        if self.min_p is not None:
            warpers.append(MinPLogitsWarper(self.min_p))
        return warpers


@dataclass(kw_only=True, slots=True, eq=False)
class Text:
    """One text to generate."""

    context: Sequence[int]
    """Tokens of the prompt."""
    stop: Stop
    """When the text ends."""
    sampling: Sampling | None = None
    """How tokens are sampled; None for greedy decoding."""
    seed: tuple[int, ...] = ()
    """Seed of the random numbers of this text, so that they do not depend on the other texts."""
    tokens: list[int] = field(default_factory=list)
    """The tokens generated so far, including the one that ends the text."""
    _random: np.random.Generator | None = None

    def add(self, token: int) -> bool:
        """Append one token; return True when the text has ended."""
        self.tokens.append(token)
        return self.stop.reached(self.tokens)

    def draw(self) -> float:
        """The next random number in [0, 1)."""
        if self._random is None:
            self._random = np.random.default_rng(self.seed)
        return float(self._random.random())


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptRow:
    """A row whose sequences are the prompts of texts."""

    row: TreeRow
    paths: Sequence[Sequence[int]]
    """Nodes of each text's prompt below the prefix."""
    texts: Sequence[Text]


Read = Callable[[Sequence[PromptRow], Keeping], Tensor]
"""Runs the rows of some jobs, stores the keys and values of their prompts, and returns the logits [texts, vocabulary]
after each prompt."""


def write(
    model: TreeModel, prefix: Prefix | None, jobs: Sequence[PromptRow], read: Read, *, slots: int, budget: int
) -> None:
    """Generate the texts of all jobs.

    Args:
        model: the model that generates them.
        prefix: the prefix that all prompts continue.
        jobs: the rows of prompts, longest first; none has more texts than there are slots.
        read: runs the rows of some jobs.
        slots: the most texts that are generated at the same time.
        budget: the most prompt tokens in one forward pass, including padding.
    """
    capacity = max(len(path) + text.stop.limit for job in jobs for path, text in zip(job.paths, job.texts, strict=True))
    table = _Table(SlotCache(slots, capacity))
    queue = deque(jobs)
    while queue or table.active:
        # prompts are read only when a quarter of the slots is free; then as many slots as possible are filled
        if 4 * (len(table.owners) - table.active) >= len(table.owners):
            while wave := _wave(queue, table, budget):
                _start(wave, table, read)
        if table.active:
            if not queue:
                table.shrink()
            logits = model.write_next(table.last, table.lengths, table.cache, prefix)
            table.lengths += 1
            for slot, token in _choose(logits, table.owners):
                table.add(slot, token)


class _Table:
    """Which text is generated in which slot. A slot whose text has ended still runs, and its output is ignored."""

    def __init__(self, cache: SlotCache) -> None:
        self.cache = cache
        self.owners: list[Text | None] = [None] * cache.slots
        self.lengths: NDArray[np.int64] = np.zeros(cache.slots, dtype=np.int64)
        self.last: NDArray[np.int64] = np.zeros(cache.slots, dtype=np.int64)
        self.active = 0

    def free(self) -> list[int]:
        return [slot for slot, owner in enumerate(self.owners) if owner is None]

    def give(self, slot: int, text: Text, length: int, token: int) -> None:
        self.owners[slot], self.lengths[slot] = text, length
        self.active += 1
        self.add(slot, token)

    def add(self, slot: int, token: int) -> None:
        text = self.owners[slot]
        assert text is not None
        self.last[slot] = token
        if text.add(token):
            self.owners[slot] = None
            self.active -= 1
            # an idle slot must not outgrow the cache
            self.lengths[slot] = 0

    def shrink(self) -> None:
        """Drop the idle slots when at least half of the slots are idle."""
        if 2 * self.active > len(self.owners):
            return
        kept = [slot for slot, owner in enumerate(self.owners) if owner is not None]
        self.cache.select(torch.tensor(kept))
        self.owners = [self.owners[slot] for slot in kept]
        self.lengths, self.last = self.lengths[kept], self.last[kept]


def _wave(queue: deque[PromptRow], table: _Table, budget: int) -> list[PromptRow]:
    """The next jobs whose texts fit into the free slots and whose rows fit into one forward pass."""
    free = len(table.owners) - table.active
    wave: list[PromptRow] = []
    while queue and len(queue[0].texts) <= free:
        longest = len((wave[0] if wave else queue[0]).row.tokens)
        if wave and ((len(wave) + 1) * longest > budget or len(queue[0].row.tokens) < 0.75 * longest - 4):
            break
        free -= len(queue[0].texts)
        wave.append(queue.popleft())
    return wave


def _start(wave: Sequence[PromptRow], table: _Table, read: Read) -> None:
    free = table.free()
    rows = [number for number, job in enumerate(wave) for _ in job.texts]
    paths = [path for job in wave for path in job.paths]
    texts = [text for job in wave for text in job.texts]
    slots = free[: len(texts)]
    logits = read(wave, Keeping(cache=table.cache, slots=slots, paths=paths, rows=rows))
    for i, token in _choose(logits, texts):
        table.give(slots[i], texts[i], len(paths[i]), token)


def _choose(logits: Tensor, texts: Sequence[Text | None]) -> list[tuple[int, int]]:
    """Choose the next token of each text; return pairs of the text's index and the token.

    Raises:
        NotNumbersError: the highest logit of a text is NaN or infinite, so that the choice would mean nothing.
    """
    best = likeliest(logits)
    highest = logits.gather(-1, best[:, None]).squeeze(-1).isfinite().tolist()
    if not all(finite for finite, text in zip(highest, texts, strict=True) if text is not None):
        raise NotNumbersError
    chosen = best.tolist()
    kinds: dict[Sampling, list[int]] = {}
    for i, text in enumerate(texts):
        if text is not None and text.sampling is not None:
            kinds.setdefault(text.sampling, []).append(i)
    for sampling, members in kinds.items():
        drawn = [text.draw() for i in members if (text := texts[i]) is not None]
        ladder = sampling.probabilities(logits[members]).cumsum(-1)
        # the first token at which the cumulative probability exceeds the random number
        targets = torch.tensor(drawn, dtype=ladder.dtype, device=ladder.device)[:, None] * ladder[:, -1:]
        tokens = torch.searchsorted(ladder, targets, right=True).squeeze(-1).clamp_(max=ladder.shape[-1] - 1)
        for i, token in zip(members, tokens.tolist(), strict=True):
            chosen[i] = token
    return [(i, chosen[i]) for i, text in enumerate(texts) if text is not None]
