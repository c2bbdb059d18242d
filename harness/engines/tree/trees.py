"""Token trees: sequences that begin alike share their beginning. Pure; nothing here knows a model.

Sorted sequences need only be compared with their neighbours: the lengths of their common beginnings are the whole
prefix tree. It is cut into two levels, because two are what one attention call and one merge can serve: a group has a
prefix whose keys and values are computed once (the few-shot examples), and below it rows, each the tree of sequences
that have most of their tokens in common (a document with its answer options).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PASS_TOKENS = 256
"""What one more forward pass costs, in tokens of a small model; a prefix must save more to be worth its own pass."""
LONGEST_MASK = 4096
"""Longest tail that shares a row: a row with branches needs a mask of its length squared."""
MAX_DEPTH = 64
"""Levels of the prefix tree that are searched for better groups."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """The tree of a few sequences below the group's prefix, its nodes in depth-first order."""

    tokens: Sequence[int]
    """Token id of each node."""
    positions: Sequence[int]
    """Position of each node in its sequence, the prefix counted."""
    ends: Sequence[int]
    """Index after the last node of each node's subtree: node a is an ancestor of d when a <= d < ends[a]."""
    sequences: Sequence[int]
    """Which sequences the row holds."""
    paths: Sequence[Sequence[int]]
    """Nodes of each of these sequences from the prefix on."""

    @property
    def is_chain(self) -> bool:
        """True when the row does not branch, so that plain causal attention serves it."""
        return len(self.tokens) == len(self.paths[-1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Rows that continue the same prefix."""

    prefix: Sequence[int]
    """Tokens all sequences of the group begin with; empty when sharing them would not pay."""
    rows: Sequence[Row]
    """Longest first."""


class _Sorted(NamedTuple):
    """Sequences in order, by what can be said of them without looking at their tokens."""

    order: Sequence[int]
    """Number of each sequence."""
    lengths: NDArray[np.int64]
    """Tokens."""
    common: NDArray[np.int64]
    """Tokens in common with the sequence before; 0 for the first."""
    width: int
    """Of the model."""


class _Cut(NamedTuple):
    """A range of sorted sequences that continue a prefix of `prefix` tokens."""

    low: int
    high: int
    prefix: int


class _Plan(NamedTuple):
    cost: int
    cuts: tuple[_Cut, ...]


def distinct(sequences: Sequence[Sequence[int]]) -> tuple[list[Sequence[int]], list[int]]:
    """The different sequences, and for each of the given ones which of them it is.

    >>> distinct([[1, 2], [3], [1, 2]])
    ([[1, 2], [3]], [0, 1, 0])
    """
    found: dict[bytes, int] = {}
    kept: list[Sequence[int]] = []
    which = []
    for sequence in sequences:
        index = found.setdefault(array("I", sequence).tobytes(), len(kept))
        if index == len(kept):
            kept.append(sequence)
        which.append(index)
    return kept, which


def plant(sequences: Sequence[Sequence[int]], *, width: int = 64, share: bool = True) -> list[Group]:
    """Groups and rows that hold every sequence once and run few tokens.

    Args:
        sequences: distinct token sequences, none empty.
        width: of the model's residual stream. A token costs about 24 width^2 operations in a layer, a pair of nodes
            in one row 4 width slower ones: the wider the model, the more alike sequences are put into one row.
        share: False makes a row of every sequence, with no prefix.

    Returns:
        Groups; at most one, the last, has no prefix.

    >>> [group] = plant([[7, 1, 2], [7, 1, 3]])
    >>> group.prefix, group.rows[0].tokens, group.rows[0].ends, group.rows[0].paths
    ([], [7, 1, 2, 3], [4, 4, 3, 4], [range(0, 3), [0, 1, 3]])
    """
    if not share:
        return [_group(sequences, [[i] for i in range(len(sequences))], [0] * len(sequences), 0)]
    keys = [_sortable(sequence) for sequence in sequences]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    lengths = np.array([len(sequences[i]) for i in order], dtype=np.int64)
    common = common_beginnings([keys[i] for i in order])
    texts = _Sorted(order, lengths, common, width)
    cuts = _best_cuts(texts, 0, len(order), MAX_DEPTH).cuts
    groups = [_group(sequences, *_rows_of(texts, cut), cut.prefix) for cut in cuts if cut.prefix]
    rest = [_rows_of(texts, cut) for cut in cuts if not cut.prefix]
    if rest:
        rows = [row for members, _ in rest for row in members]
        groups.append(_group(sequences, rows, [shared for _, each in rest for shared in each], 0))
    return groups


def batches(rows: Sequence[Row], budget: int, scored: Sequence[int], most_scored: int) -> Iterator[list[int]]:
    """Indices of rows that are run together: of like length, and no more tokens than the budget.

    Args:
        rows: longest first.
        budget: tokens of a batch, padding counted; a longer row is a batch of its own.
        scored: positions of each row that need logits.
        most_scored: such positions of a batch; logits are as wide as the vocabulary.
    """
    batch: list[int] = []
    positions = 0
    for index, row in enumerate(rows):
        longest = len(rows[batch[0]].tokens) if batch else 0
        full = (len(batch) + 1) * longest > budget or positions + scored[index] > most_scored
        # padding is run like any other token
        if batch and (full or len(row.tokens) < 0.75 * longest - 4):
            yield batch
            batch, positions = [], 0
        batch.append(index)
        positions += scored[index]
    if batch:
        yield batch


def common_beginnings(keys: Sequence[bytes]) -> NDArray[np.int64]:
    """How many tokens each key (4 bytes a token) has in common with the one before it; 0 for the first."""
    found = np.zeros(len(keys), dtype=np.int64)
    for i in range(1, len(keys)):
        before, key = keys[i - 1], keys[i]
        size = min(len(before), len(key))
        if before[:size] == key[:size]:
            found[i] = size // 4
        else:
            unequal = np.frombuffer(before, np.uint32, size // 4) != np.frombuffer(key, np.uint32, size // 4)
            found[i] = unequal.argmax()
    return found


def _sortable(sequence: Sequence[int]) -> bytes:
    """Bytes that sort as the tokens do."""
    return np.array(sequence, dtype=">u4").tobytes()


def _best_cuts(texts: _Sorted, low: int, high: int, depth: int) -> _Plan:
    """The cheapest of: no prefix, one prefix for the whole range, or each branch of the prefix tree by itself."""
    inner, sizes = texts.common[low + 1 : high], texts.lengths[low:high]
    total = int(sizes.sum())
    alone = total - int(inner[_joined(texts, low, high, 0)].sum())
    best = _Plan(alone, (_Cut(low, high, 0),))
    if high - low == 1 or alone <= PASS_TOKENS:
        return best
    shared = min(int(inner.min()), int(sizes.min()) - 1)
    if shared > 0:
        joined = _joined(texts, low, high, shared)
        saved = shared * (high - low - 1) + int((inner[joined] - shared).sum())
        grouped = total - saved + PASS_TOKENS
        if grouped < best.cost:
            best = _Plan(grouped, (_Cut(low, high, shared),))
    # no cut runs fewer tokens than the tree has nodes, and a further group costs a pass
    if depth == 0 or best.cost <= total - int(inner.sum()) + PASS_TOKENS:
        return best
    borders = [low, *(np.flatnonzero(inner == inner.min()) + low + 1).tolist(), high]
    parts = [_best_cuts(texts, a, b, depth - 1) for a, b in pairwise(borders)]
    cost = sum(part.cost for part in parts)
    return best if best.cost <= cost else _Plan(cost, tuple(cut for part in parts for cut in part.cuts))


def _joined(texts: _Sorted, low: int, high: int, prefix: int) -> NDArray[np.bool_]:
    """For each sequence of the range but the first: would it share a row with the one before it alone?"""
    tails = texts.lengths[low : high - 1] - prefix
    common = texts.common[low + 1 : high]
    joined: NDArray[np.bool_] = _worth_joining(
        tails, texts.lengths[low + 1 : high] - common, common - prefix, texts.width
    )
    return joined


def _worth_joining(nodes: Any, new: Any, shared: Any, width: int) -> Any:
    """Does a row of `nodes` gain by `new` more, which saves running `shared` tokens again? Numbers or arrays."""
    return (shared * width > nodes * new) & (nodes + new <= LONGEST_MASK)


def _rows_of(texts: _Sorted, cut: _Cut) -> tuple[list[list[int]], list[int]]:
    """Sequences of each row of a cut, and for every sequence, in this order, what it shares with the one before."""
    lengths, common = texts.lengths[cut.low : cut.high].tolist(), texts.common[cut.low : cut.high].tolist()
    rows: list[list[int]] = []
    kept: list[int] = []
    nodes = 0
    for number, length, shared in zip(texts.order[cut.low : cut.high], lengths, common, strict=True):
        if rows and _worth_joining(nodes, length - shared, shared - cut.prefix, texts.width):
            rows[-1].append(number)
            nodes += length - shared
            kept.append(shared)
        else:
            rows.append([number])
            nodes = length - cut.prefix
            kept.append(cut.prefix)
    return rows, kept


def _group(
    sequences: Sequence[Sequence[int]], rows: Sequence[Sequence[int]], shared: Sequence[int], prefix: int
) -> Group:
    made, first = [], 0
    for members in rows:
        made.append(_row(sequences, members, shared[first : first + len(members)], prefix))
        first += len(members)
    made.sort(key=lambda row: -len(row.tokens))
    return Group(prefix=list(sequences[rows[0][0]][:prefix]), rows=made)


def _row(sequences: Sequence[Sequence[int]], members: Sequence[int], shared: Sequence[int], prefix: int) -> Row:
    """The tree of sorted sequences, of which each shares `shared` tokens with the one before it."""
    first = sequences[members[0]]
    tokens = list(first[prefix:])
    positions = list(range(prefix, len(first)))
    left: dict[int, int] = {}
    paths: list[Sequence[int]] = [range(len(tokens))]
    for member, kept in zip(members[1:], shared[1:], strict=True):
        sequence, path = sequences[member], paths[-1]
        for node in path[kept - prefix :]:
            left[node] = len(tokens)
        new = range(len(tokens), len(tokens) + len(sequence) - kept)
        paths.append([*path[: kept - prefix], *new])
        tokens += sequence[kept:]
        positions += range(kept, len(sequence))
    ends = [len(tokens)] * len(tokens)
    for node, end in left.items():
        ends[node] = end
    return Row(tokens=tokens, positions=positions, ends=ends, sequences=list(members), paths=paths)
