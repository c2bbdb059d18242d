"""Words of a text, the pieces that a tokenizer makes of them, and the entities that labels of words say. Pure.

A word's label is that of its first piece, as in Devlin et al. 2019 (BERT, arXiv:1810.04805, section 5.3). Labels in a
row become entities by the rules of the CoNLL evaluation script, as in seqeval's default mode: an entity begins at B-,
at S- or U-, wherever the type changes, and at any label behind O; it ends before the next one begins, and behind E-,
L-, S- or U-.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_WORD = re.compile(r"\w+(?:['’.&/-]\w+)*|[^\w\s]")
"""A word with what joins its parts, such as `Jean-Paul` and `U.N`, or one other sign."""
_PREFIXED = re.compile(r"([BIESLU])[-_](.+)", re.IGNORECASE)
_OUTSIDE = "o"


class Word(NamedTuple):
    """A word's place in a text, in characters; the end is exclusive."""

    start: int
    end: int


class Named(NamedTuple):
    """An entity that labels say: a stretch of words, and its type."""

    start: int
    """First character."""
    end: int
    """Character behind the last."""
    type: str
    """Name of the label without its prefix."""


class Labelled(NamedTuple):
    """The text of a document whose words are labelled."""

    text: str
    words: tuple[Word, ...]


def labelled_text(doc: Mapping[str, Any], question: str) -> Labelled:
    r"""The text of a document that a tagger labels: its longest field that stands in the question as it is.

    A list of words stands there joined by spaces, and its words are taken as they are; a text is split at spaces and
    signs. Without such a field it is the whole question.

    >>> labelled_text({"text": "Tom met Ann.", "entities": []}, "text: Tom met Ann.\nentities:").words[-2:]
    (Word(start=8, end=11), Word(start=11, end=12))
    """
    found: list[Labelled] = []
    for value in doc.values():
        if isinstance(value, str) and value.strip() and value in question:
            found.append(Labelled(value, words_in(value)))
        elif isinstance(value, list) and value and all(isinstance(word, str) and word for word in value):
            text = " ".join(value)
            if text in question:
                found.append(Labelled(text, _given(value)))
    return max(found, key=lambda one: len(one.text), default=Labelled(question, words_in(question)))


def words_in(text: str) -> tuple[Word, ...]:
    """The words of a text, and its other signs one by one."""
    return tuple(Word(*match.span()) for match in _WORD.finditer(text))


def _given(words: Sequence[str]) -> tuple[Word, ...]:
    places, start = [], 0
    for word in words:
        places.append(Word(start, start + len(word)))
        start += len(word) + 1
    return tuple(places)


def first_pieces(words: Sequence[Word], pieces: Sequence[tuple[int, int]]) -> list[int | None]:
    """For each word, the number of the first piece that has a character of it; None where there is none.

    Args:
        words: the words, in order.
        pieces: offsets of the tokenizer's pieces, in order; those without characters are skipped. A piece can begin
            with the space before its word.
    """
    found: list[int | None] = []
    at = 0
    for word in words:
        while at < len(pieces) and (pieces[at][1] <= word.start or pieces[at][0] == pieces[at][1]):
            at += 1
        found.append(at if at < len(pieces) and pieces[at][0] < word.end else None)
    return found


def entities_in(words: Sequence[Word], labels: Sequence[str]) -> list[Named]:
    """The entities that the labels of words say, in order.

    >>> words = words_in("Tom Ray met Ann")
    >>> entities_in(words, ["B-PER", "I-PER", "O", "S-PER"])
    [Named(start=0, end=7, type='PER'), Named(start=12, end=15, type='PER')]
    """
    found: list[Named] = []
    is_open = False
    for word, label in zip(words, labels, strict=True):
        prefix, kind = _parts(label)
        if kind is None:
            is_open = False
            continue
        if is_open and prefix not in ("B", "S", "U") and found[-1].type == kind:
            found[-1] = Named(found[-1].start, word.end, kind)
        else:
            found.append(Named(word.start, word.end, kind))
        is_open = prefix not in ("E", "L", "S", "U")
    return found


def labels_by_word(words: Sequence[Word], entities: Sequence[Named]) -> list[str]:
    """The label of each word by the BIO scheme: what `entities_in` reads the entities from.

    A word that an entity has a part of belongs to it. Of entities that share a word the longest is kept.

    >>> labels_by_word(words_in("Tom Ray met Ann"), [Named(0, 7, "PER"), Named(12, 15, "PER")])
    ['B-PER', 'I-PER', 'O', 'B-PER']
    """
    labels = ["O"] * len(words)
    for entity in sorted(entities, key=lambda one: one.start - one.end):
        inside = [i for i, word in enumerate(words) if word.start < entity.end and entity.start < word.end]
        if all(labels[i] == "O" for i in inside):
            for i in inside:
                labels[i] = f"{'B' if i == inside[0] else 'I'}-{entity.type}"
    return labels


def right_labels(known: Sequence[str], of_words: Sequence[str]) -> list[list[int]]:
    """For each word the numbers of the labels with which `entities_in` finds the same entities.

    Schemes differ: where an entity begins that follows no other of its type, I- is as right as B-. A scheme that
    cannot tell two such entities apart has all its labels of the type right.

    Args:
        known: the labels of a model.
        of_words: what is right by the BIO scheme, as `labels_by_word` gives it.

    >>> right_labels(["O", "B-PER", "I-PER", "S-PER"], ["B-PER", "I-PER", "B-PER", "O", "B-PER"])
    [[1, 2], [2], [1, 3], [0], [1, 2, 3]]
    """
    found = []
    for i, label in enumerate(of_words):
        prefix, kind = _parts(label)
        before = _parts(of_words[i - 1])[1] if i else None
        goes_on = i + 1 < len(of_words) and kind is not None and of_words[i + 1] == f"I-{kind}"
        right = _right_prefixes(prefix, follows_its_like=before == kind, goes_on=goes_on)
        same = [number for number, one in enumerate(known) if _parts(one)[1] == kind]
        found.append([number for number in same if kind is None or _parts(known[number])[0] in right] or same)
    return found


def _right_prefixes(prefix: str, *, follows_its_like: bool, goes_on: bool) -> str:
    """The prefixes of a word in an entity, which begins there or goes on, and goes on behind it or ends."""
    begins = "B" if goes_on else "BSU"
    inside = "I" if goes_on else "IEL"
    if prefix != "B":
        return inside
    return begins if follows_its_like else begins + inside


def _parts(label: str) -> tuple[str, str | None]:
    """Prefix and type of a label; no type outside of entities. A label without a prefix goes on, as with I-."""
    if label.casefold() == _OUTSIDE:
        return "O", None
    if matched := _PREFIXED.fullmatch(label):
        return matched[1].upper(), matched[2]
    return "I", label
