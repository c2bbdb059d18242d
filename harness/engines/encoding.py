"""Token ids of a cell's texts: each text is encoded once, and so is each beginning that texts have in common.

A few-shot cell asks for the same examples before every document, and for the same context before every option.
Texts that begin alike are cut at a space or after a newline inside their common beginning; the tokens before
the cut are taken from one of them, and only the rest of the others is encoded.

The ids are those of `tokenizer.encode` on the whole text, which has to be ensured. A tokenizer looks at a text in
pieces (words) and encodes each piece by itself, so a cut between two pieces changes nothing under these conditions:

* A piece really ends at the cut: the backend numbers the pieces, and a cut is made nowhere else. Tokenizers that do
  not split a text (SentencePiece BPE as in Llama 2 and Gemma, where merges cross spaces) have no such place.
* The text after the cut cannot move it: the common beginning goes on for two words and the longest added token.
* The rest of a text, encoded alone, gets the tokens it has inside the text: tried once per tokenizer on hard texts.
* The tokenizer adds no token at the end (EOS, [SEP]): tried in the same way.

In addition, a sample of every batch is compared with `tokenizer.encode`. If there is any difference, the texts of the
batch are encoded without cuts, or in the last resort one text at a time.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import random
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.errors import ModelError

_log = logging.getLogger(__name__)

_FEW = 8
"""Batches of up to this many texts are encoded one by one, since checking them would cost as much."""

_WORTHWHILE = 32
"""Number of characters that two texts must begin with in common for one to be cut."""

_SLACK = 48
"""Common characters a text may give up to share with an earlier text, so that fewer texts keep their positions."""

_CUTS = (r"(?<=\S) (?=\S)", r"(?<=\n)(?=\S)")
"""Places to cut: before a single space between two words, and between a newline and a word. Both stand between
characters that no normalisation joins. Tokenizers that put a space before every text can only take the first."""

_PIECES_AFTER = 2
"""Number of further places to cut that must follow a cut inside the common beginning, as two complete words do."""

_WINDOW = 256
"""How many characters before the end of a common beginning are searched for a place to cut."""

_EDGES = tuple('was X 12 7.5 it\'s (a) — é e\u0301 水 пять 🙂 : "Yes," _x \\ ▁'.split())
"""Ends and beginnings of words that tokenizers treat specially."""

_MARKS = (". ", "\n\n", "  ", "'s ", "\t")
"""Separators between the words of a probe."""


EncodedTexts = dict[tuple[str, bool | None], list[int]]
"""A text, and whether special tokens are asked for (None: as lm-eval decides) -> its token ids."""


class TokenCache:
    """Token ids of texts, each encoded once."""

    def __init__(
        self,
        tokenizer: Any,
        special_tokens: Callable[[str, bool | None], Mapping[str, bool]],
        *,
        known: int | None = None,
    ) -> None:
        """An empty cache.

        Args:
            tokenizer: a tokenizer of transformers, fast or slow.
            special_tokens: function of a text and of whether the caller wants special tokens (None: as lm-eval decides)
                that returns keyword arguments for `tokenizer.encode`, `{}` or `{"add_special_tokens": ...}`.
            known: number of token ids that the model knows; None to skip this check.
        """
        self._tokenizer = tokenizer
        self._special_tokens = special_tokens
        # a model may know fewer tokens than its tokenizer has, as long as no text contains the others
        self._known = known if known is not None and known < len(tokenizer) else None
        self.encoded: EncodedTexts = {}
        """Everything that was encoded since the last `forget`."""
        self._encoder = _BatchEncoder(tokenizer) if tokenizer.is_fast else None

    def ids(self, text: str, add_special_tokens: bool | None = None) -> list[int]:
        """Token ids of `text`; the caller must not change the list.

        Raises:
            ModelError: the model does not know one of the tokens.
        """
        key = (text, add_special_tokens)
        if key not in self.encoded:
            self._keep(key, self._tokenizer.encode(text, **self._special_tokens(text, add_special_tokens)))
        return self.encoded[key]

    def learn(self, texts: Iterable[str], add_special_tokens: bool | None = None) -> None:
        """Encodes all new texts in one batch, which is faster than encoding each when its ids are needed."""
        unseen = (text for text in dict.fromkeys(texts) if (text, add_special_tokens) not in self.encoded)
        if self._encoder is None:
            for text in unseen:
                self.ids(text, add_special_tokens)
            return
        alike: dict[bool | None, list[str]] = {}
        for text in unseen:
            special = self._special_tokens(text, add_special_tokens).get("add_special_tokens")
            alike.setdefault(special, []).append(text)
        for special, group in alike.items():
            for text, ids in zip(group, self._encoder.encode(group, special), strict=True):
                self._keep((text, add_special_tokens), ids)

    def _keep(self, key: tuple[str, bool | None], ids: list[int]) -> None:
        # checked before the model runs: on a GPU an unknown token makes every later call of the process fail too
        if self._known is not None and max(ids, default=0) >= self._known:
            raise ModelError(
                f"the tokenizer has {len(self._tokenizer)} tokens and the model knows {self._known}; "
                "expected the model's own tokenizer"
            )
        self.encoded[key] = ids

    def forget(self) -> None:
        """Drops every text."""
        self.encoded = {}  # the texts may be kept for another model


def tokens_alike(tokenizer: Any) -> Hashable | None:
    """Equal for tokenizers that give every text the same token ids; None for one whose Python code may do anything."""
    kind = type(tokenizer)
    if not tokenizer.is_fast or kind.__module__.partition(".")[0] != "transformers":
        return None
    description = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).digest()
    ids = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    return kind.__qualname__, description, ids, tokenizer.split_special_tokens


class _BatchEncoder:
    """Encodes many texts with the backend of a fast tokenizer, with the same ids as `tokenizer.encode`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._cutters: dict[bool | None, _Cutter | None] = {}

    def encode(self, texts: Sequence[str], special: bool | None) -> list[list[int]]:
        """Token ids of every text; `special` None leaves the special tokens to the tokenizer."""
        if len(texts) <= _FEW:
            return [self._whole(text, special) for text in texts]
        # this also resets truncation and padding that somebody left in the backend
        expected = {i: self._whole(texts[i], special) for i in _sample(texts)}
        for encode in (self._shared, self._batched):
            ids = encode(texts, special)
            if all(ids[i] == known for i, known in expected.items()):
                return ids
            _log.info("%s: %s differs from encoding one by one", self._tokenizer.name_or_path, encode.__name__)
        return [self._whole(text, special) for text in texts]

    def _whole(self, text: str, special: bool | None) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, **_keywords(special))
        return ids

    def _batched(self, texts: Sequence[str], special: bool | None) -> list[list[int]]:
        backend = self._tokenizer.backend_tokenizer
        return [found.ids for found in backend.encode_batch_fast(list(texts), add_special_tokens=special is not False)]

    def _shared(self, texts: Sequence[str], special: bool | None) -> list[list[int]]:
        if special not in self._cutters:
            self._cutters[special] = self._probe(special)
        cutter = self._cutters[special]
        if cutter is None:
            return self._batched(texts, special)
        order = sorted(range(len(texts)), key=texts.__getitem__)
        backend = self._tokenizer.backend_tokenizer
        found = _encode_shared(backend, [texts[i] for i in order], cutter, special is not False)
        return [ids for _, ids in sorted(zip(order, found, strict=True), key=lambda pair: pair[0])]

    def _probe(self, special: bool | None) -> _Cutter | None:
        """Where this tokenizer's texts can be cut; None when nowhere."""
        added = self._tokenizer.backend_tokenizer.get_added_tokens_decoder().values()
        # whether such a token matches depends on the character before it, which a cut takes away
        if any(token.single_word for token in added):
            return None
        probes = [(text, self._whole(text, special)) for text in _probes()]
        clean = [cut for cut in _CUTS if self._is_clean(cut, probes, special)]
        longest = max((len(token.content) for token in added), default=0)
        return _Cutter(re.compile("|".join(clean)), longest) if clean else None

    def _is_clean(self, cut: str, probes: Iterable[tuple[str, list[int]]], special: bool | None) -> bool:
        """True when probes (texts with their tokens) can be cut at this pattern and no cut changes their tokens."""
        backend = self._tokenizer.backend_tokenizer
        n_cuts = 0
        for text, whole in probes:
            starts = _word_starts(backend.encode(text, add_special_tokens=special is not False))
            for match in list(re.finditer(cut, text))[:-_PIECES_AFTER]:
                at = match.start()
                if at not in starts:
                    continue
                if whole[: starts[at]] + backend.encode(text[at:], add_special_tokens=False).ids != whole:
                    return False
                n_cuts += 1
        return n_cuts > 0


def _keywords(special: bool | None) -> dict[str, bool]:
    return {} if special is None else {"add_special_tokens": special}


def _sample(texts: Sequence[str]) -> set[int]:
    """Numbers of the texts to check: the ends of the list, the shortest, the longest and some drawn at random."""
    n = len(texts)
    by_length = sorted(range(n), key=lambda i: len(texts[i]))
    drawn = random.Random(n).sample(range(n), min(12, 2 + n // 32))
    return {0, n - 1, by_length[0], by_length[-1], *drawn}


def _probes() -> Iterator[str]:
    """Short texts with every awkward edge before and after a place to cut."""
    for i, (left, step) in enumerate(itertools.product(_EDGES, range(3))):
        right = _EDGES[(7 * i + step) % len(_EDGES)]
        mark = _MARKS[i % len(_MARKS)]
        gap = "\n" if step == 2 else " "
        yield f"One{mark}two {left}{gap}{right} three{mark}four 5 {left}\n{right}{mark}six"


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


@dataclass(frozen=True)
class _Cutter:
    """Finds the places where texts can be cut."""

    pattern: re.Pattern[str]
    """Matches where this tokenizer's texts can be cut."""
    longest_added: int
    """Characters of the longest added token: it might begin before a cut and end where texts differ."""

    def last(self, text: str, common: int, stem: _Stem) -> _TextCut | None:
        """The last cut of `text` inside the `common` characters it begins with like `stem`; None when there is none."""
        limit = common - self.longest_added
        window = self.pattern.finditer(text, max(0, limit - _WINDOW), common)
        places = [match.start() for match in window][:-_PIECES_AFTER]
        for at in reversed(places):
            n_tokens = stem.tokens_before(at) if at <= limit else None
            if n_tokens is not None:
                return _TextCut(stem, at, n_tokens)
        return None


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


def _encode_shared(backend: Any, texts: Sequence[str], cutter: _Cutter, special: bool) -> list[list[int]]:
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
                    stems[i] = _Stem(ids=ids[i], cut=cut, starts=_word_starts(found))
    return [ids[i] for i in range(len(texts))]


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
    cutter: _Cutter,
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


def _word_starts(encoding: Any) -> dict[int, int]:
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
