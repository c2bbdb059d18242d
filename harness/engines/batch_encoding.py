"""Many texts encoded together, with the ids that `tokenizer.encode` gives each of them, which has to be ensured.

A tokenizer looks at a text in pieces (words) and encodes each piece by itself, so a cut between two pieces changes
nothing under these conditions:

* A piece really ends at the cut: the backend numbers the pieces, and a cut is made nowhere else. Tokenizers that do
  not split a text (SentencePiece BPE as in Llama 2 and Gemma, where merges cross spaces) have no such place.
* The text after the cut cannot move it: the common beginning goes on for two words and the longest added token.
* The rest of a text, encoded alone, gets the tokens it has inside the text: tried once per tokenizer on hard texts.
* The tokenizer adds no token at the end (EOS, [SEP]): tried in the same way.

In addition, a sample of every batch is compared with `tokenizer.encode`. If there is any difference, the texts of the
batch are encoded without cuts, or in the last resort one text at a time.
"""

from __future__ import annotations

import itertools
import logging
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from harness.engines.shared_beginnings import PIECES_AFTER, Cutter, encode_shared, word_starts

log = logging.getLogger(__name__)
_FEW = 8
"""Batches of up to this many texts are encoded one by one, since checking them would cost as much."""
_CUTS = (r"(?<=\S) (?=\S)", r"(?<=\n)(?=\S)")
"""Places to cut: before a single space between two words, and between a newline and a word. Both stand between
characters that no normalisation joins. Tokenizers that put a space before every text can only take the first."""
_EDGES = tuple('was X 12 7.5 it\'s (a) — é e\u0301 水 пять 🙂 : "Yes," _x \\ ▁'.split())
"""Ends and beginnings of words that tokenizers treat specially."""
_MARKS = (". ", "\n\n", "  ", "'s ", "\t")
"""Separators between the words of a probe."""


class BatchEncoder:
    """Encodes many texts with the backend of a fast tokenizer, with the same ids as `tokenizer.encode`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._cutters: dict[bool | None, Cutter | None] = {}

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
            log.info("%s: %s differs from encoding one by one", self._tokenizer.name_or_path, encode.__name__)
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
        found = encode_shared(backend, [texts[i] for i in order], cutter, special is not False)
        return [ids for _, ids in sorted(zip(order, found, strict=True), key=lambda pair: pair[0])]

    def _probe(self, special: bool | None) -> Cutter | None:
        """Where this tokenizer's texts can be cut; None when nowhere."""
        added = self._tokenizer.backend_tokenizer.get_added_tokens_decoder().values()
        # whether such a token matches depends on the character before it, which a cut takes away
        if any(token.single_word for token in added):
            return None
        probes = [(text, self._whole(text, special)) for text in _probes()]
        clean = [cut for cut in _CUTS if self._is_clean(cut, probes, special)]
        longest = max((len(token.content) for token in added), default=0)
        return Cutter(re.compile("|".join(clean)), longest) if clean else None

    def _is_clean(self, cut: str, probes: Iterable[tuple[str, list[int]]], special: bool | None) -> bool:
        """True when probes (texts with their tokens) can be cut at this pattern and no cut changes their tokens."""
        backend = self._tokenizer.backend_tokenizer
        n_cuts = 0
        for text, whole in probes:
            starts = word_starts(backend.encode(text, add_special_tokens=special is not False))
            for match in list(re.finditer(cut, text))[:-PIECES_AFTER]:
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
