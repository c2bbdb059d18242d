"""Builds token trees, in which sequences share their common prefixes. Nothing here depends on a model.

When the sequences are sorted, the lengths of the common prefixes of neighbours describe the whole prefix tree. The tree
is cut into two levels, because one attention call and one merge can handle two. A group has a prefix whose keys and
values are computed once, such as the few-shot examples. Below the prefix it has rows; each row is the tree of sequences
that have most of their tokens in common, such as a document with its answer options.
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
"""The cost of one more forward pass, in tokens of a small model; a prefix gets its own pass only if it saves more."""
LONGEST_MASK = 4096
"""The most nodes in a row of several sequences, because a row with branches needs a mask of its length squared."""
MAX_DEPTH = 64
"""The number of levels of the prefix tree that are searched for better groups."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeRow:
    """The token tree of a few sequences after the group's prefix, with its nodes in depth-first order."""

    tokens: Sequence[int]
    """Token id of each node."""
    positions: Sequence[int]
    """Position of each node in its sequence, including the prefix."""
    ends: Sequence[int]
    """Index after the last node of each node's subtree: node a is an ancestor of d when a <= d < ends[a]."""
    sequences: Sequence[int]
    """Indices of the sequences in the row."""
    paths: Sequence[Sequence[int]]
    """The nodes of each of these sequences after the prefix."""

    @property
    def is_chain(self) -> bool:
        """True when the row does not branch, so that plain causal attention serves it."""
        return len(self.tokens) == len(self.paths[-1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Rows that continue the same prefix."""

    prefix: Sequence[int]
    """The tokens that all sequences of the group begin with; empty when sharing them would save no time."""
    rows: Sequence[TreeRow]
    """The rows, longest first."""


class _Sorted(NamedTuple):
    """The lengths of sorted sequences and of their common prefixes, which suffice to plan groups and rows."""

    order: Sequence[int]
    """Index of each sequence before sorting."""
    lengths: Sequence[int]
    """Number of tokens of each sequence."""
    common: list[int]
    """Length of the prefix that each sequence shares with the one before it; 0 for the first."""
    width: int
    """Width of the model's residual stream."""


class _SequenceRange(NamedTuple):
    """A range of sorted sequences that continue a prefix of `prefix` tokens."""

    low: int
    high: int
    prefix: int
    starts: list[int]
    """Index of the first sequence of each row."""


class _Plan(NamedTuple):
    cost: float
    """Estimated cost, in tokens."""
    cuts: tuple[_SequenceRange, ...]


def distinct(sequences: Sequence[Sequence[int]]) -> tuple[list[Sequence[int]], list[int]]:
    """The distinct sequences, and for each given sequence its index among them.

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
    """Arrange sequences in groups and rows so that few tokens must be run.

    Args:
        sequences: distinct token sequences, none empty.
        width: width of the model's residual stream. A layer needs about 24 width^2 operations for a token and 8 width
            (4 at half the speed) for a pair of nodes in one row, so that rows are larger for a wider model.
        share: False gives every sequence a row of its own and uses no prefix.

    Returns:
        Groups that together hold every sequence once; only the last group may have no prefix.

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
    """Split rows into batches of similar length that are within the budget; yield the indices of each batch.

    Args:
        rows: the rows, longest first.
        budget: the most tokens in a batch, including padding; a longer row is a batch of its own.
        scored: for each row, the number of positions that need logits.
        most_scored: the most such positions in a batch, because each needs a logit for every token of the vocabulary.
    """
    batch: list[int] = []
    positions = 0
    for index, row in enumerate(rows):
        longest = len(rows[batch[0]].tokens) if batch else 0
        full = (len(batch) + 1) * longest > budget or positions + scored[index] > most_scored
        # padding costs as much as any other token, so that much shorter rows start a new batch
        if batch and (full or len(row.tokens) < 0.75 * longest - 4):
            yield batch
            batch, positions = [], 0
        batch.append(index)
        positions += scored[index]
    if batch:
        yield batch


def common_beginnings(keys: Sequence[bytes]) -> NDArray[np.int64]:
    """Length in tokens of the prefix that each key (4 bytes a token) shares with the one before it; 0 for the first."""
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
    """The tokens as bytes that sort in the same order."""
    packed = array("I", sequence)  # three times as fast as numpy, which checks the type of every number
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes()


def _best_cuts(texts: _Sorted, low: int, high: int, depth: int) -> _Plan:
    """The cheapest plan: no prefix, one prefix for the whole range, or a plan for each branch of the prefix tree."""
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
    """Plan the rows of a range after a prefix: a sequence joins the current row when that is cheaper than a new row.

    A row of n nodes costs n + n (n + prefix) / (3 width) tokens. Adding a sequence of t tokens, of which m are
    new, to the row is therefore cheaper than a row of its own when (t - m) (3 width + prefix) + t^2 > 2 n m + m^2.
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
    """The sequences of each row, and for every sequence in this order the length it shares with the one before."""
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
    """Build the tree of sorted sequences; `shared` says how many tokens each shares with the one before it."""
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
