"""Entities and relations in each document's answer, by type: those that are right as a whole, and in part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from harness.analysis.classes.counts import ClassCounts
from harness.analysis.stats import Array
from harness.records import Sample
from harness.scoring.spans import UNKNOWN, TypeCounts, counts_by_type, target_entities
from harness.scoring.triples import relation_counts, target_triples

_OVERALL = ""
"""What stands for all types together."""


class CountedParts(NamedTuple):
    """What was right in each document, by type and whatever the type."""

    names: tuple[str, ...]
    """Every type that the documents have, by name."""
    strict: ClassCounts
    """Right as a whole."""
    partial: ClassCounts
    """Right at least in part."""
    strict_overall: ClassCounts
    """As `strict`, of all types together, with pieces that are of none."""
    partial_overall: ClassCounts
    """As `partial`, likewise."""
    unnamed: int
    """Pieces of answers that have no known type."""


def counted_entities(samples: Sequence[Sample]) -> CountedParts:
    """Entities by type, from right answers and answers as they are written.

    The text in which they stand is the last lines of the prompt that have every expected one; where there are
    demonstrations, these come before.
    """
    expected = [target_entities(one.target) for one in samples]
    types = frozenset(entity.type for entities in expected for entity in entities)
    return _counted(
        types,
        [
            counts_by_type(one.prompt, tuple(entities), "" if _says_none(one, entities) else one.output, types)
            for one, entities in zip(samples, expected, strict=True)
        ],
    )


def counted_triples(samples: Sequence[Sample]) -> CountedParts:
    """Relations by name; in part right is a triple of which two of the three parts are."""
    expected = target_triples([one.target for one in samples])
    types = frozenset(triple.relation for triples in expected for triple in triples)
    return _counted(
        types,
        [
            relation_counts(triples, "" if _says_none(one, triples) else one.output, types)
            for one, triples in zip(samples, expected, strict=True)
        ],
    )


def _says_none(sample: Sample, expected: Sequence[object]) -> bool:
    """True for an answer that says in the words of the right one that there is nothing."""
    return not expected and sample.output.strip() == sample.target.strip()


def _counted(types: frozenset[str], documents: Sequence[Mapping[str, TypeCounts]]) -> CountedParts:
    names = tuple(sorted(types))
    nothing = TypeCounts(0.0, 0.0, 0, 0)

    def table(field: str, columns: Sequence[str]) -> Array:
        rows = [[float(getattr(one.get(name, nothing), field)) for name in columns] for one in documents]
        return np.array(rows).reshape(len(documents), len(columns))

    def counts(right: str, columns: Sequence[str]) -> ClassCounts:
        return ClassCounts(table(right, columns), table("predicted", columns), table("expected", columns))

    return CountedParts(
        names,
        counts("strict", names),
        counts("partial", names),
        counts("strict", [_OVERALL]),
        counts("partial", [_OVERALL]),
        sum(one.get(UNKNOWN, nothing).predicted for one in documents),
    )
