"""One value of a metric for a document with several right answers."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from typing import Any


def best(values: Sequence[Any], *, larger: bool) -> Any:
    """Combine the values of a metric for each right answer of a document into one value.

    Of numbers, the best is taken. A metric that has a score only for all documents together keeps a pair for each
    document, which is combined by its type:

    * right option and preferred option: the preferred option counts as right if it is among the right ones;
    * right option and the likelihood of every option: the likeliest right option is taken;
    * reference and generated text: all references are kept, since sacrebleu accepts several.
    """
    first = values[0]
    if isinstance(first, Number):
        return max(values) if larger else min(values)
    told, found = [value[0] for value in values], first[1]
    if isinstance(told[0], str):
        return told, found
    if isinstance(found, Number):
        return (found if found in told else told[0]), found
    return max(told, key=lambda position: found[position]), found
