"""Texts that begin alike: cut inside their common beginning, whose tokens are taken from one of them.

Texts are cut at a space or after a newline; only the rest of the others is encoded. `batch_encoding` says under which
conditions this changes no token.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

_WORTHWHILE = 32
"""Number of characters that two texts must begin with in common for one to be cut."""
_SLACK = 48
"""Common characters a text may give up to share with an earlier text, so that fewer texts keep their positions."""
PIECES_AFTER = 2
"""Number of further places to cut that must follow a cut inside the common beginning, as two complete words do."""
_WINDOW = 256
"""How many characters before the end of a common beginning are searched for a place to cut."""


@dataclass(frozen=True)
class Cutter:
    """Finds the places where texts can be cut."""

    pattern: re.Pattern[str]
    """Matches where this tokenizer's texts can be cut."""
    longest_added: int
    """Characters of the longest added token: it might begin before a cut and end where texts differ."""

    def last(self, text: str, common: int, stem: _Stem) -> _TextCut | None:
        """The last cut of `text` inside the `common` characters it begins with like `stem`; None when there is none."""
        limit = common - self.longest_added
        window = self.pattern.finditer(text, max(0, limit - _WINDOW), common)
        places = [match.start() for match in window][:-PIECES_AFTER]
        for at in reversed(places):
            n_tokens = stem.tokens_before(at) if at <= limit else None
            if n_tokens is not None:
                return _TextCut(stem, at, n_tokens)
        return None


def encode_shared(backend: Any, texts: Sequence[str], cutter: Cutter, special: bool) -> list[list[int]]:
    """Token ids of the sorted texts; parents come before their children, each generation in a few batches."""
    relations = _relations(texts)
    parents = {relation.parent for relation in relations}
    ids: dict[int, list[int]] = {}
    stems: dict[int, _Stem] = {}
    for generation in _generations(relations):
        cuts = _cuts(texts, relations, generation, stems, cutter)
        for is_parent, is_cut in itertools.product((True, False), repeat=2):
            chosen = [i for i in generation if (i in parents, i in cuts) == (is_parent, is_cut)]
            tails = [texts[i][cuts[i].at :] if is_cut else texts[i] for i in chosen]
            # only parents need the positions of their tokens; without them the backend is faster
            encode = backend.encode_batch if is_parent else backend.encode_batch_fast
            for i, found in zip(chosen, encode(tails, add_special_tokens=special and not is_cut), strict=True):
                cut = cuts.get(i)
                ids[i] = cut.stem.ids[: cut.n_tokens] + found.ids if cut else found.ids
                if is_parent:
                    stems[i] = _Stem(ids=ids[i], cut=cut, starts=word_starts(found))
    return [ids[i] for i in range(len(texts))]


@dataclass(frozen=True, kw_only=True)
class _Stem:
    """An encoded text whose beginning others share."""

    ids: list[int]
    """Token ids of the whole text."""
    cut: _TextCut | None
    """Where this text itself departs from another text; None when it was encoded whole."""
    starts: Mapping[int, int]
    """For each token that begins a word: number of characters after the cut -> number of tokens after the cut."""

    def tokens_before(self, at: int) -> int | None:
        """How many tokens come before the word that begins at character `at`; None when no word does."""
        if self.cut is None:
            return self.starts.get(at)
        if at < self.cut.at:
            return self.cut.stem.tokens_before(at)
        n = self.starts.get(at - self.cut.at)
        return None if n is None else self.cut.n_tokens + n


@dataclass(frozen=True)
class _TextCut:
    """Where a text departs from its stem."""

    stem: _Stem
    """The text whose first tokens are reused."""
    at: int
    """Characters before the cut."""
    n_tokens: int
    """Tokens before the cut."""


class _Relation(NamedTuple):
    """What a text has in common with an earlier one in sorted order."""

    parent: int | None
    """Number of the earlier text; None when too little is common."""
    common: int
    """Characters both begin with."""
    depth: int
    """Number of ancestors: the parent, the parent's parent, and so on."""


def _relations(texts: Sequence[str]) -> list[_Relation]:
    """For each of the sorted texts the earlier text to share a beginning with: nearly the longest, from few parents."""
    relations: list[_Relation] = []
    # earlier texts and their common length with the present one, ascending; the earliest of those with equal length
    open_: list[tuple[int, int]] = []
    for i, text in enumerate(texts):
        common = _common(texts[i - 1], text) if i else 0
        earliest = i
        while open_ and open_[-1][1] >= common:
            earliest = open_.pop()[0]
        if earliest < i:
            open_.append((earliest, common))
        near = [entry for entry in open_[-8:] if entry[1] >= max(common - _SLACK, _WORTHWHILE)]
        parent, shared = near[0] if near else (None, 0)
        relations.append(_Relation(parent, shared, 0 if parent is None else relations[parent].depth + 1))
        open_.append((i, len(text)))
    return relations


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(one), len(other))
    if one.startswith(other[:high]):
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if one.startswith(other[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low


def _generations(relations: Sequence[_Relation]) -> list[list[int]]:
    """Numbers of the texts without parents, of their children, and so on."""
    by_depth: dict[int, list[int]] = {}
    for i, relation in enumerate(relations):
        by_depth.setdefault(relation.depth, []).append(i)
    return [by_depth[depth] for depth in sorted(by_depth)]


def _cuts(
    texts: Sequence[str],
    relations: Sequence[_Relation],
    generation: Iterable[int],
    stems: Mapping[int, _Stem],
    cutter: Cutter,
) -> dict[int, _TextCut]:
    """Where the texts of one generation depart from their parents; texts to be encoded whole are left out."""
    # most siblings depart from their parent at the same place
    known: dict[tuple[int, int], _TextCut | None] = {}
    cuts: dict[int, _TextCut] = {}
    for i in generation:
        parent, common, _ = relations[i]
        if parent is None:
            continue
        if (parent, common) not in known:
            known[parent, common] = cutter.last(texts[i], common, stems[parent])
        if cut := known[parent, common]:
            cuts[i] = cut
    return cuts


def word_starts(encoding: Any) -> dict[int, int]:
    """Character -> number of tokens before it, for each token that begins a word."""
    starts: dict[int, int] = {}
    last_word, last_end = None, 0
    for n, (word, (start, end)) in enumerate(zip(encoding.word_ids, encoding.offsets, strict=True)):
        # special tokens that the tokenizer adds belong to no word
        if word is None:
            continue
        if word != last_word and start >= last_end:
            starts[start] = n
            if start > last_end:
                # the space before a word is dropped, or left out of its position
                starts[start - 1] = n
        last_word, last_end = word, end
    return starts
