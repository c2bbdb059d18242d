"""Relations that a model wrote as text, `Tibi employer Nora ; Suka home Melo`, scored as triples.

A triple is a head, a relation and a tail. A piece of an answer is split at bars, `Tibi | works for | Nora`, or else at
the first relation that the documents know; what cannot be split is one spurious triple, so that rambling costs
precision. A triple is right when all three parts are, whatever the order of the answer, and each expected one can be
met once: micro-averaged F1 over documents, as relation extraction is scored since ACE (Taille et al. 2020, "Let's
Stop Incorrect Comparisons in End-to-end Relation Extraction!", arXiv:2009.10684; here the strings of the names count).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from harness.errors import HarnessError
from harness.scoring.metrics import Answer, CorpusValue
from harness.scoring.spans import UNKNOWN, TypeCounts, ratio_stderr
from harness.wording import quoted


class Triple(NamedTuple):
    """A relation between two names; all three parts are empty or text without surrounding spaces."""

    head: str
    """Whom the relation starts from; the whole piece where it could not be split."""
    relation: str
    """Its name; empty where the piece could not be split."""
    tail: str
    """Whom it leads to."""


def triple_f1(answers: Sequence[Answer]) -> CorpusValue:
    """Micro-averaged F1 of exact triples; per document its own F1, or 1 where none is expected or named."""
    gold = [_gold(answer.doc) for answer in answers]
    relations = {triple.relation for triples in gold for triple in triples}
    doubled: list[float] = []
    totals: list[float] = []
    for answer, expected in zip(answers, gold, strict=True):
        says_none = not expected and answer.output.strip() == answer.target.strip()
        predicted = [] if says_none else parse_triples(answer.output, relations)
        doubled.append(2.0 * (Counter(expected) & Counter(predicted)).total())
        totals.append(float(len(expected) + len(predicted)))
    per_sample = tuple(a / b if b else 1.0 for a, b in zip(doubled, totals, strict=True))
    total = sum(totals)
    return CorpusValue(sum(doubled) / total if total else 1.0, ratio_stderr(doubled, totals), per_sample)


def parse_triples(output: str, relations: Collection[str]) -> list[Triple]:
    """The triples of an answer, in its order; a piece that cannot be split has no relation.

    >>> parse_triples("Tibi home Melo ; Nora | works for | Suka Bank ; and so on", {"home"})
    [Triple(head='Tibi', relation='home', tail='Melo'), Triple(head='Nora', relation='works for', tail='Suka Bank'), \
Triple(head='and so on', relation='', tail='')]
    """
    return [_split(" ".join(piece.split()), relations) for piece in output.split(";") if piece.strip()]


def target_triples(targets: Sequence[str]) -> list[list[Triple]]:
    """The triples that right answers name as text; none for one that names none, such as `none`.

    The relations are those of pieces that say it, with bars or in three words. A piece that has none of these takes
    what stands between its first and its last word.

    >>> target_triples(["Tibi home Melo ; Suka Bank home Melo", "none"])
    [[Triple(head='Tibi', relation='home', tail='Melo'), Triple(head='Suka Bank', relation='home', tail='Melo')], []]
    """
    pieces = [[" ".join(piece.split()) for piece in target.split(";")] for target in targets]
    sure = [
        parts for piece in chain(*pieces) if len(parts := piece.split(" | ")) == 3 or len(parts := piece.split()) == 3
    ]
    relations = {relation.strip() for _, relation, _ in sure}
    return [[triple for piece in some if (triple := _named(piece, relations)).relation] for some in pieces]


def relation_counts(expected: Sequence[Triple], output: str, relations: Collection[str]) -> dict[str, TypeCounts]:
    """What an answer has of each relation; under the empty name, of all of them together.

    Whole triples are met first. Of the others, one in which two of the three parts are right meets an expected one that
    is left, and is right by half; among those of a single relation, where the relation itself is right anyhow, that is
    one with the right head or the right tail. What is no triple is counted under `UNKNOWN`.

    >>> relation_counts([Triple("Tibi", "home", "Melo")], "Tibi home Nora", {"home"})["home"]
    TypeCounts(strict=0.0, partial=0.5, expected=1, predicted=1)
    """
    predicted = parse_triples(output, relations)
    found = {"": _counts(expected, predicted)}
    for relation in {triple.relation for triple in (*expected, *predicted)}:
        ours, theirs = ([one for one in some if one.relation == relation] for some in (expected, predicted))
        found[relation or UNKNOWN] = _counts(ours, theirs)
    return found


def _counts(expected: Sequence[Triple], predicted: Sequence[Triple]) -> TypeCounts:
    whole = Counter(expected) & Counter(predicted)
    left, unmet = [*(Counter(predicted) - whole).elements()], [*(Counter(expected) - whole).elements()]
    halves = 0
    for triple in left:
        like = next((one for one in unmet if sum(a == b for a, b in zip(one, triple, strict=True)) == 2), None)
        if like is not None:
            unmet.remove(like)
            halves += 1
    strict = float(whole.total())
    return TypeCounts(strict, strict + 0.5 * halves, len(expected), len(predicted))


def _named(piece: str, relations: Collection[str]) -> Triple:
    split = _split(piece, relations)
    words = piece.split()
    if split.relation or len(words) < 3:
        return split
    return Triple(words[0], " ".join(words[1:-1]), words[-1])


def check_triples(doc: Mapping[str, Any]) -> int:
    """The number of triples of a document.

    Raises:
        HarnessError: the document has no list of triples, or one of them lacks a part.
    """
    return len(_gold(doc))


def _split(piece: str, relations: Collection[str]) -> Triple:
    parts = [part.strip() for part in piece.split("|")]
    if len(parts) == 3:
        return Triple(*parts)
    padded = f"{piece} "
    # the earliest relation, and of several at one place the longest: "part of" before "part"
    found = ((padded.find(f" {name} "), -len(name), name) for name in relations)
    place, _, name = min((one for one in found if one[0] > 0), default=(0, 0, ""))
    tail = padded[place + len(name) + 2 :].strip()
    return Triple(piece[:place], name, tail) if name and tail else Triple(piece, "", "")


def _gold(doc: Mapping[str, Any]) -> list[Triple]:
    try:
        parts = [[triple["head"], triple["relation"], triple["tail"]] for triple in doc["triples"]]
    except (KeyError, TypeError) as error:
        raise HarnessError(
            "a document without `triples: [{head, relation, tail}, ...]` has no score of relations; its keys are "
            f"{', '.join(map(str, doc))}"
        ) from error
    for part in (part for triple in parts for part in triple):
        if not isinstance(part, str) or not part.strip():
            raise HarnessError(f"a part of a triple of a document is {quoted(part)}; expected some text")
    return [Triple(*(" ".join(part.split()) for part in triple)) for triple in parts]
