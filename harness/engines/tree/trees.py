"""Token trees: sequences that begin alike share their beginning. Pure; nothing here knows a model.

Sorted sequences need only be compared with their neighbours: the lengths of their common beginnings are the whole
prefix tree. It is cut into two levels, because two are what one attention call and one merge can serve: a group has a
prefix whose keys and values are computed once (the few-shot examples), and below it rows, each the tree of sequences
that have most of their tokens in common (a document with its answer options).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PASS_TOKENS = 256
"""What one more forward pass costs, in tokens of a small model; a prefix must save more to be worth its own pass."""
LONGEST_MASK = 4096
"""Longest tail that shares a row: a row with branches needs a mask of its length squared."""
MAX_DEPTH = 64
"""Levels of the prefix tree that are searched for better groups."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeRow:
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
    rows: Sequence[TreeRow]
    """Longest first."""


class _Sorted(NamedTuple):
    """Sequences in order, by what can be said of them without looking at their tokens."""

    order: Sequence[int]
    """Number of each sequence."""
    lengths: Sequence[int]
    """Tokens."""
    common: list[int]
    """Tokens in common with the sequence before; 0 for the first."""
    width: int
    """Of the model."""


class _SequenceRange(NamedTuple):
    """A range of sorted sequences that continue a prefix of `prefix` tokens."""

    low: int
    high: int
    prefix: int
    starts: list[int]
    """Where each row begins."""


class _Plan(NamedTuple):
    cost: float
    """In tokens."""
    cuts: tuple[_SequenceRange, ...]


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
        width: of the model's residual stream. A layer takes about 24 width^2 operations for a token and 8 width (4 at
            half the speed) for a pair of nodes in one row: the wider the model, the more is put into one row.
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
    lengths = [len(sequences[i]) for i in order]
    texts = _Sorted(order, lengths, common_beginnings([keys[i] for i in order]).tolist(), width)
    cuts = _best_cuts(texts, 0, len(order), MAX_DEPTH).cuts
    groups = [_group(sequences, *_rows_of(texts, cut), cut.prefix) for cut in cuts if cut.prefix]
    rest = [_rows_of(texts, cut) for cut in cuts if not cut.prefix]
    if rest:
        rows = [row for members, _ in rest for row in members]
        groups.append(_group(sequences, rows, [shared for _, each in rest for shared in each], 0))
    return groups


def batches(rows: Sequence[TreeRow], budget: int, scored: Sequence[int], most_scored: int) -> Iterator[list[int]]:
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
    packed = array("I", sequence)  # three times as fast as numpy, which looks at every number's type
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes()


def _best_cuts(texts: _Sorted, low: int, high: int, depth: int) -> _Plan:
    """The cheapest of: no prefix, one prefix for the whole range, or each branch of the prefix tree by itself."""
    best = _rows(texts, low, high, 0)
    if high - low == 1 or best.cost <= PASS_TOKENS:
        return best
    fork = min(texts.common[low + 1 : high])
    if (prefix := min(fork, min(texts.lengths[low:high]) - 1)) > 0:
        shared = _rows(texts, low, high, prefix)
        cost = shared.cost + prefix + prefix**2 / (3 * texts.width) + PASS_TOKENS
        best = min(best, _Plan(cost, shared.cuts), key=lambda plan: plan.cost)
    if depth == 0:
        return best
    borders = [low, *(i for i in range(low + 1, high) if texts.common[i] == fork), high]
    parts = [_best_cuts(texts, a, b, depth - 1) for a, b in pairwise(borders)]
    split = _Plan(sum(part.cost for part in parts), tuple(cut for part in parts for cut in part.cuts))
    return min(best, split, key=lambda plan: plan.cost)


def _rows(texts: _Sorted, low: int, high: int, prefix: int) -> _Plan:
    """Rows for a range below a prefix: each sequence joins the row before it when that is cheaper.

    A row of n nodes costs n + n (n + prefix) / (3 width) tokens. Taking in a sequence of t tokens, m of them new,
    against a row of its own is therefore worth it when (t - m) (3 width + prefix) + t^2 > 2 n m + m^2.
    """
    weight = 3 * texts.width
    cost, nodes, starts = 0.0, 0, []
    for i in range(low, high):
        tail = texts.lengths[i] - prefix
        new = texts.lengths[i] - texts.common[i]
        gain = (tail - new) * (weight + prefix) + tail * tail
        if i > low and nodes + new <= LONGEST_MASK and gain > 2 * nodes * new + new * new:
            cost += new + (2 * nodes * new + new * new + new * prefix) / weight
            nodes += new
        else:
            starts.append(i)
            cost += tail + tail * (tail + prefix) / weight
            nodes = tail
    return _Plan(cost, (_SequenceRange(low, high, prefix, starts),))


def _rows_of(texts: _Sorted, cut: _SequenceRange) -> tuple[list[list[int]], list[int]]:
    """Sequences of each row of a cut, and for every sequence, in this order, what it shares with the one before."""
    kept = texts.common[cut.low : cut.high]
    for start in cut.starts:
        kept[start - cut.low] = cut.prefix
    return [list(texts.order[a:b]) for a, b in pairwise([*cut.starts, cut.high])], kept


def _group(
    sequences: Sequence[Sequence[int]], rows: Sequence[Sequence[int]], shared: Sequence[int], prefix: int
) -> Group:
    made, first = [], 0
    for members in rows:
        made.append(_row(sequences, members, shared[first : first + len(members)], prefix))
        first += len(members)
    made.sort(key=lambda row: -len(row.tokens))
    return Group(prefix=list(sequences[rows[0][0]][:prefix]), rows=made)


def _row(sequences: Sequence[Sequence[int]], members: Sequence[int], shared: Sequence[int], prefix: int) -> TreeRow:
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
    return TreeRow(tokens=tokens, positions=positions, ends=ends, sequences=list(members), paths=paths)
