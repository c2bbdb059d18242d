"""One forward pass of a transformers model over token trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engines.tree.attention import attending
from harness.engines.tree.passes import DecodePass, Kept, KeysValues, Pass, Prefix, PrefixedPass, SlotCache, TreePass
from harness.engines.tree.trees import TreeRow

Positions = Sequence[int] | NDArray[np.int64]

LOGITS_AT_ONCE = {"cpu": (1 << 23) - (1 << 16), "cuda": 1 << 27}
"""The most logits in one forward pass, by device type; a single longer row may exceed it. On a CPU it is just below 32
MiB: larger blocks are requested from the operating system each time, which costs more than fewer passes save."""


@dataclass(kw_only=True, slots=True)
class Work:
    """The amount of computation, from which benchmarks derive the least time that the machine could need for it."""

    nodes: int = 0
    """Tokens that went through the transformer layers, without padding."""
    scored: int = 0
    """Positions that went through the output head."""
    pairs: int = 0
    """Query-key pairs for which attention was needed."""


@dataclass(kw_only=True, slots=True)
class Keeping:
    """Sequences whose keys and values a forward pass stores in a slot cache."""

    cache: SlotCache
    slots: Sequence[int]
    """Slot of each kept sequence."""
    paths: Sequence[Sequence[int]]
    """Nodes of each kept sequence, in its row."""
    rows: Sequence[int]
    """Index of the row of each kept sequence in the batch."""


def likeliest(logits: Tensor) -> Tensor:
    """The token with the highest logit, [n] for logits [n, vocabulary]; of equal logits, the first token."""
    # on a CPU, argmax is ten times as fast in numpy, which is vectorised, as in torch
    return torch.from_numpy(logits.numpy().argmax(-1)) if logits.device.type == "cpu" else logits.argmax(-1)


class TreeModel:
    """A transformers model whose attention layers follow token trees (see `attention.tree_attention_on`)."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.work = Work()
        self.learnt: Mapping[int, KeysValues] | None = None
        """Keys and values by layer of the tokens that lie behind the vocabulary; None where there are none."""
        self._known = int(model.get_input_embeddings().weight.shape[0])
        self.device = model.get_input_embeddings().weight.device
        vocabulary = int(model.get_output_embeddings().weight.shape[0])
        self.most_scored = max(1, LOGITS_AT_ONCE.get(self.device.type, 1 << 26) // vocabulary)
        self.width = int(model.config.get_text_config().hidden_size)

    def read_prefix(self, tokens: Sequence[int], scored: Positions) -> tuple[Prefix, Tensor]:
        """Run a prefix; return its keys and values, and logits [scored, vocabulary] at some of its positions."""
        prefix = Prefix(length=len(tokens))
        positions = np.arange(len(tokens))
        current = TreePass(
            rows=1,
            length=len(tokens),
            positions=self._tensor(positions[None]),
            reach=len(tokens),
            ends=None,
            record=prefix,
        )
        logits = self._run(current, np.array(tokens), positions, scored)
        self._count(len(tokens), len(scored), len(tokens) * (len(tokens) + 1) // 2)
        return prefix, logits

    def read_rows(
        self,
        rows: Sequence[TreeRow],
        prefix: Prefix | None,
        scored: Positions,
        keeping: Keeping | None = None,
    ) -> Tensor:
        """Logits [scored, vocabulary] at some nodes of rows that continue `prefix`.

        Args:
            rows: the rows, which are padded to the longest of them.
            prefix: the prefix that all rows continue.
            scored: indices of nodes: row number times the longest row's length plus the node's number in its row.
            keeping: sequences whose keys and values are stored in a slot cache.
        """
        length = max(len(row.tokens) for row in rows)
        tokens = np.zeros((len(rows), length), dtype=np.int64)
        positions = np.zeros((len(rows), length), dtype=np.int64)
        ends = np.broadcast_to(np.arange(1, length + 1), (len(rows), length)).copy()
        for i, row in enumerate(rows):
            count = len(row.tokens)
            tokens[i, :count], positions[i, :count], ends[i, :count] = row.tokens, row.positions, row.ends
        chains = all(row.is_chain for row in rows)
        current = TreePass(
            rows=len(rows),
            length=length,
            positions=self._tensor(positions),
            reach=int(positions.max()) + 1,
            ends=None if chains else self._tensor(ends),
            prefix=prefix,
            keep=None if keeping is None else self._kept(keeping, length),
        )
        logits = self._run(current, tokens.reshape(-1), positions.reshape(-1), scored)
        seen = sum(sum(row.positions) + len(row.positions) for row in rows)
        self._count(sum(len(row.tokens) for row in rows), len(scored), seen)
        return logits

    def write_next(
        self, tokens: NDArray[np.int64], lengths: NDArray[np.int64], cache: SlotCache, prefix: Prefix | None
    ) -> Tensor:
        """Logits [slots, vocabulary] after one more token in each of the first slots.

        Args:
            tokens: [slots] the new tokens.
            lengths: [slots] number of tokens already in each slot, not counting the prefix.
            cache: the slot cache, which also stores the new tokens' keys and values.
            prefix: the prefix that all slots continue.
        """
        current = DecodePass(cache=cache, lengths=self._tensor(lengths), longest=int(lengths.max()) + 1, prefix=prefix)
        positions = lengths + (prefix.length if prefix else 0)
        self._count(len(tokens), len(tokens), int(positions.sum()) + len(tokens))
        return self._run(current, tokens, positions, range(len(tokens)))

    def _run(
        self,
        current: Pass,
        tokens: NDArray[np.int64],
        positions: NDArray[np.int64],
        scored: Positions,
    ) -> Tensor:
        with attending(self._prefixed(current, tokens)):
            output = self._model(
                input_ids=self._tensor(tokens[None]),
                position_ids=self._tensor(positions[None]),
                use_cache=False,
                logits_to_keep=self._tensor(np.asarray(scored, dtype=np.int64)),
            )
        # the softmax over the vocabulary is computed in float32, whatever the data type of the model
        logits: Tensor = output.logits[0].float()
        return logits

    def _prefixed(self, current: Pass, tokens: NDArray[np.int64]) -> Pass:
        """The pass, with learnt keys and values where tokens have them."""
        nodes = np.flatnonzero(tokens >= self._known) if self.learnt is not None else ()
        if self.learnt is None or not len(nodes):
            return current
        places = self._tensor(tokens[nodes] - self._known)
        return PrefixedPass(inner=current, nodes=self._tensor(np.asarray(nodes)), places=places, learnt=self.learnt)

    def _kept(self, keeping: Keeping, length: int) -> Kept:
        sizes = [len(path) for path in keeping.paths]
        nodes = [np.asarray(path) + row * length for path, row in zip(keeping.paths, keeping.rows, strict=True)]
        return Kept(
            cache=keeping.cache,
            slots=self._tensor(np.repeat(np.asarray(keeping.slots), sizes)),
            positions=self._tensor(np.concatenate([np.arange(size) for size in sizes])),
            nodes=self._tensor(np.concatenate(nodes)),
        )

    def _tensor(self, values: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def _count(self, nodes: int, scored: int, pairs: int) -> None:
        self.work.nodes += nodes
        self.work.scored += scored
        self.work.pairs += pairs
