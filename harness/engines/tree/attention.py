"""Attention along token trees, through the public attention interface of transformers.

This is the only file that depends on how transformers works inside. It relies on the following behaviour of
transformers 5 (tested with 5.23; `tests/engines/tree/test_attention.py` fails when it changes):

* `AttentionInterface.register(name, function)`: a model whose attention layers look their function up calls it as
  `function(module, query, key, value, attention_mask, scaling=, dropout=, sliding_window=, **kwargs)` with query
  [batch, heads, tokens, size], keys after rotary embedding and before they are repeated for grouped queries, and takes
  `(output [batch, tokens, heads, size], weights)` back.
* `model.set_attn_implementation(name)` switches a loaded model; a name without a mask function gets no mask.
* `module.layer_idx` numbers the attention layers.
* `forward(input_ids, position_ids, use_cache=False, logits_to_keep=indices)` gives logits at these positions only.

The model gets one flat sequence that holds all rows one after the other; this module decides which keys a query may
see. Attention is computed separately over two disjoint sets of keys (prefix and row), and the results are merged
exactly: with outputs o1, o2 and log-sum-exps l1, l2, the attention over both sets is
o2 + sigmoid(l1 - l2) (o1 - o2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import AttentionInterface

NAME = "emergence-tree"
STEP = 192
"""The number of queries per attention call when a long row is split up."""
CAUSAL = 1024
"""Row length above which the kernel itself skips most of the keys that come after a query."""
CHUNK_ELEMENTS = 1 << 26
"""The most attention scores in memory where no fused kernel returns the log-sum-exp (256 MiB in float32)."""
CUDA_TYPES = frozenset({torch.float32, torch.float16, torch.bfloat16})
"""Data types that the fused CUDA kernel supports."""
SIZE_STEP, MASK_STEP = 8, 16
"""The fused CUDA kernel needs a head size and mask rows whose lengths are multiples of these numbers of elements."""
HARMLESS = frozenset(
    {
        "position_ids",
        "use_cache",
        "is_causal",
        "output_attentions",
        "output_hidden_states",
        "output_router_logits",
        "return_dict",
    }
)
"""Arguments that models pass to their attention function and that do not change its result."""
IN_WORDS = {"softcap": "soft-capping", "s_aux": "attention sinks"}
"""The usual names of some arguments that would change the result; other arguments are named as they are."""


class UnsupportedAttentionError(Exception):
    """A layer needs a feature that tree attention does not have; the message names the feature."""


class KeysValues(NamedTuple):
    """Keys and values of one layer, [1, heads, tokens, size] each."""

    keys: Tensor
    values: Tensor


AttentionOutput = tuple[Tensor, Tensor]
"""Attention output and the log-sum-exp of its scores."""


class Pass(Protocol):
    """The current forward pass, which computes the attention of each layer."""

    def attend(self, layer: int, query: Tensor, new: KeysValues, scale: float, window: int | None) -> Tensor:
        """The attention output [1, tokens, heads, size] of one layer for queries [1, heads, tokens, size]."""
        ...


@dataclass(kw_only=True, slots=True)
class Prefix:
    """Keys and values of the prefix that all sequences of a group share."""

    length: int
    """Number of tokens."""
    layers: dict[int, KeysValues] = field(default_factory=dict)
    """Keys and values by layer."""
    windows: dict[int, int | None] = field(default_factory=dict)
    """Attention window by layer: how many positions a query sees, including its own; None for all."""

    def attend(
        self, layer: int, query: Tensor, scale: float, window: int | None, positions: Tensor, reach: int
    ) -> AttentionOutput:
        """The output and log-sum-exp of attention from every query to the prefix.

        Args:
            layer: number of the layer.
            query: [1, heads, tokens, size].
            scale: factor of the scores.
            window: how many positions a query sees, including its own; None for all.
            positions: [tokens] position of each query.
            reach: the highest of these positions plus one.
        """
        keys, values = self.layers[layer]
        if window is None or window >= reach:
            return attention(query, keys, values, scale)
        distance = positions[:, None] - torch.arange(self.length, device=positions.device)
        mask = _additive(distance < window, query)[None, None]
        output, weight = attention(query, keys, values, scale, mask=mask)
        # kernels differ in what they return for a query that sees no token of the prefix
        blind = positions - (self.length - 1) >= window
        return output.masked_fill(blind[:, None], 0.0), weight.masked_fill(blind, -math.inf)


class SlotCache:
    """Keys and values of the texts that are being generated, one slot per text, without the shared prefix."""

    def __init__(self, slots: int, capacity: int) -> None:
        self.slots, self.capacity = slots, capacity
        self._layers: dict[int, KeysValues] = {}

    def put(self, layer: int, new: KeysValues, slots: Tensor, positions: Tensor, nodes: Tensor) -> None:
        """Store the keys and values of `nodes` (of the pass) at (slot, position)."""
        if layer not in self._layers:
            shapes = [(self.slots, each.shape[1], self.capacity, each.shape[3]) for each in new]
            self._layers[layer] = KeysValues(*(t.new_zeros(s) for t, s in zip(new, shapes, strict=True)))
        slots, positions, nodes = (t.to(new.keys.device) for t in (slots, positions, nodes))
        for store, each in zip(self._layers[layer], new, strict=True):
            store[slots, :, positions] = each[0].transpose(0, 1)[nodes]

    def first(self, layer: int, slots: int, length: int) -> KeysValues:
        """Keys and values of the first slots, up to `length` positions."""
        return KeysValues(*(store[:slots, :, :length] for store in self._layers[layer]))

    def select(self, slots: Tensor) -> None:
        """Keep these slots only, in this order."""
        self.slots = len(slots)
        for layer, stored in self._layers.items():
            self._layers[layer] = KeysValues(*(s.index_select(0, slots.to(s.device)) for s in stored))


@dataclass(kw_only=True, slots=True)
class Kept:
    """The nodes of a pass whose keys and values are stored in a slot cache, and the places where they go."""

    cache: SlotCache
    slots: Tensor
    """[kept] slot of each node."""
    positions: Tensor
    """[kept] position of each node in its slot, not counting the prefix."""
    nodes: Tensor
    """[kept] index of each node in the flat sequence."""


@dataclass(kw_only=True, slots=True)
class TreePass:
    """A forward pass over rows that are padded to the same length, each of them a token tree."""

    rows: int
    length: int
    positions: Tensor
    """[rows, length] position of each node in its sequence."""
    reach: int
    """The highest position plus one."""
    ends: Tensor | None
    """[rows, length] index after each node's subtree; None when no row branches."""
    prefix: Prefix | None = None
    """The prefix that all rows continue."""
    record: Prefix | None = None
    """If given, the pass stores its keys and values here."""
    keep: Kept | None = None
    """If given, the nodes whose keys and values go to a slot cache."""
    _masks: dict[tuple[int | None, torch.device], Tensor | None] = field(default_factory=dict)

    def attend(self, layer: int, query: Tensor, new: KeysValues, scale: float, window: int | None) -> Tensor:
        """The attention output, where every node attends to its ancestors, itself and the prefix."""
        if self.record is not None:
            self.record.layers[layer] = KeysValues(new.keys.contiguous(), new.values.contiguous())
            self.record.windows[layer] = window
        if self.keep is not None:
            self.keep.cache.put(layer, new, self.keep.slots, self.keep.positions, self.keep.nodes)
        mask = self._mask(window, query)
        query_rows, key_rows, value_rows = (self._by_row(each) for each in (query, *new))
        output, weight = ordered_attention(query_rows, key_rows, value_rows, scale, mask)
        output = output.transpose(1, 2).reshape(1, self.rows * self.length, *output.shape[1::2])
        if self.prefix is None:
            return output
        weight = weight.transpose(1, 2).reshape(1, -1, weight.shape[1])
        positions = self.positions.reshape(-1).to(query.device)
        return merge(output, weight, *self.prefix.attend(layer, query, scale, window, positions, self.reach))

    def _by_row(self, flat: Tensor) -> Tensor:
        """Reshape [1, heads, rows * length, size] to [rows, heads, length, size]."""
        return flat[0].view(flat.shape[1], self.rows, self.length, flat.shape[3]).transpose(0, 1)

    def _mask(self, window: int | None, query: Tensor) -> Tensor | None:
        if window is not None and window >= self.length:
            window = None
        key = (window, query.device)
        if key not in self._masks:
            self._masks[key] = self._build_mask(window, query)
        return self._masks[key]

    def _build_mask(self, window: int | None, query: Tensor) -> Tensor | None:
        in_steps = 2 * STEP <= self.length <= CAUSAL
        if window is None and self.ends is None and not in_steps:
            return None
        index = torch.arange(self.length, device=query.device)
        visible = (index[None, :] <= index[:, None])[None]
        if self.ends is not None:
            visible = visible & (index[None, :, None] < self.ends.to(query.device)[:, None, :])
        if window is not None:
            positions = self.positions.to(query.device)
            visible = visible & (positions[:, :, None] - positions[:, None, :] < window)
        return _additive(visible, query)[:, None]


@dataclass(kw_only=True, slots=True)
class DecodePass:
    """A forward pass over one new token for each of the first slots."""

    cache: SlotCache
    lengths: Tensor
    """[slots] number of tokens already in each slot; the new token is stored after them."""
    longest: int
    """Number of tokens in the longest slot, including the new one."""
    prefix: Prefix | None = None
    """The prefix that all slots continue."""
    _masks: dict[tuple[int | None, torch.device], Tensor] = field(default_factory=dict)

    def attend(self, layer: int, query: Tensor, new: KeysValues, scale: float, window: int | None) -> Tensor:
        """The attention output, where each new token attends to its slot and to the prefix."""
        slots = len(self.lengths)
        lengths = self.lengths.to(query.device)
        each = torch.arange(slots, device=query.device)
        self.cache.put(layer, new, each, lengths, each)
        keys, values = self.cache.first(layer, slots, self.longest)
        heads, key_heads = query.shape[1], keys.shape[1]
        # the query heads that share a key head are treated as queries of one head, so that its keys are read only once
        grouped = query[0].transpose(0, 1).reshape(slots, key_heads, heads // key_heads, -1)
        mask = self._mask(window, query).expand(-1, 1, heads // key_heads, -1)
        output, weight = attention(grouped, keys, values, scale, mask=mask)
        output, weight = output.flatten(1, 2)[None], weight.flatten(1, 2)[None]
        if self.prefix is None:
            return output
        positions = lengths + self.prefix.length
        reach = self.longest + self.prefix.length
        return merge(output, weight, *self.prefix.attend(layer, query, scale, window, positions, reach))

    def _mask(self, window: int | None, query: Tensor) -> Tensor:
        """The mask [slots, 1, 1, longest], which all layers with the same window share."""
        key = (window, query.device)
        if key not in self._masks:
            index, lengths = torch.arange(self.longest, device=query.device), self.lengths.to(query.device)
            visible = index[None] <= lengths[:, None]
            if window is not None:
                visible = visible & (lengths[:, None] - index[None] < window)
            self._masks[key] = _additive(visible, query)[:, None, None]
        return self._masks[key]


@dataclass(kw_only=True, slots=True)
class PrefixedPass:
    """A pass in which some nodes have keys and values that were learnt, whatever the model computes for them."""

    inner: Pass
    nodes: Tensor
    """[nodes] index of each of these nodes in the flat sequence."""
    places: Tensor
    """[nodes] which of the learnt keys and values each has."""
    learnt: Mapping[int, KeysValues]
    """Keys as they are after rotary embedding, and values, by layer."""

    def attend(self, layer: int, query: Tensor, new: KeysValues, scale: float, window: int | None) -> Tensor:
        """The attention output, with the learnt keys and values in their places."""
        places = self.places.to(query.device)
        replaced = (
            each.index_copy(2, self.nodes.to(each.device), known.to(each.device, each.dtype)[:, :, places])
            for each, known in zip(new, self.learnt[layer], strict=True)
        )
        return self.inner.attend(layer, query, KeysValues(*replaced), scale, window)


def attention(
    query: Tensor, keys: Tensor, values: Tensor, scale: float, *, mask: Tensor | None = None, causal: bool = False
) -> AttentionOutput:
    """Softmax attention with its log-sum-exp.

    Args:
        query: [batch, heads, queries, size].
        keys: [batch, key heads, keys, size]; heads is a multiple of key heads.
        values: as keys.
        scale: factor of the scores.
        mask: added to the scores, [batch or 1, 1, queries, keys].
        causal: query i sees keys 0..i only.

    Returns:
        Output [batch, heads, queries, size] and log-sum-exp of the scores [batch, heads, queries] in float32. Both
        are undefined for a query that sees no key.
    """
    if query.device.type == "cpu" and keys.shape[-1] == values.shape[-1]:
        fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        output, weight = fused(query, keys, values, 0.0, causal, attn_mask=mask, scale=scale)
        return output, weight
    if query.device.type == "cuda" and query.dtype in CUDA_TYPES and torch.version.cuda:
        return cuda_attention(query, keys, values, scale, mask=mask, causal=causal)
    return plain_attention(query, keys, values, scale, mask=mask, causal=causal)


def cuda_attention(
    query: Tensor, keys: Tensor, values: Tensor, scale: float, *, mask: Tensor | None = None, causal: bool = False
) -> AttentionOutput:
    """`attention` on NVIDIA GPUs, with the fused kernel that both accepts a mask and returns the log-sum-exp."""
    batch, heads, queries, size = query.shape
    if (groups := heads // keys.shape[1]) > 1:
        if mask is None and not causal:
            # grouped queries are stacked along their key head, so that the keys are not copied
            query = query.reshape(batch, keys.shape[1], groups * queries, size)
        else:
            keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
    if mask is not None:
        if any(stride % MASK_STEP for stride in mask.stride()[:-1]):
            mask = pad(mask, (0, -mask.shape[-1] % MASK_STEP))[..., : mask.shape[-1]]
        mask = mask.expand(batch, heads, -1, -1)
    wanted = values.shape[-1]
    if size % SIZE_STEP or wanted % SIZE_STEP:
        query, keys, values = (pad(each, (0, -each.shape[-1] % SIZE_STEP)) for each in (query, keys, values))
    fused = torch.ops.aten._scaled_dot_product_efficient_attention
    output, weight, *_ = fused(query, keys, values, mask, True, 0.0, causal, scale=scale)
    # the kernel rounds the number of log-sum-exps up
    weight = weight[..., : query.shape[2]].reshape(batch, heads, queries)
    return output[..., :wanted].reshape(batch, heads, queries, wanted), weight


def ordered_attention(
    query: Tensor, keys: Tensor, values: Tensor, scale: float, mask: Tensor | None
) -> AttentionOutput:
    """`attention` where no query sees a key after its own position; without a mask it sees all keys up to there.

    A kernel with a mask also computes the scores that the mask hides. Long rows are therefore split into steps, each
    with only the keys that its queries may see.
    """
    length = query.shape[2]
    if mask is None or length < 2 * STEP:
        return attention(query, keys, values, scale, mask=mask, causal=mask is None)
    parts = [
        attention(query[:, :, a:b], keys[:, :, :b], values[:, :, :b], scale, mask=mask[:, :, a:b, :b])
        for a, b in pairwise([*range(0, length, STEP), length])
    ]
    return torch.cat([output for output, _ in parts], 2), torch.cat([weight for _, weight in parts], 2)


def plain_attention(
    query: Tensor, keys: Tensor, values: Tensor, scale: float, *, mask: Tensor | None = None, causal: bool = False
) -> AttentionOutput:
    """`attention` by plain matrix products for a few queries at a time, for devices without a fused kernel."""
    batch, heads, queries, size = query.shape
    groups = heads // keys.shape[1]
    step = max(1, CHUNK_ELEMENTS // max(1, batch * heads * keys.shape[2]))
    outputs, weights = [], []
    for start in range(0, queries, step):
        part = query[:, :, start : start + step]
        count = part.shape[2]
        # grouped queries are stacked along their key head, so that the keys are not copied
        packed = part.reshape(batch, keys.shape[1], groups * count, size)
        scores = (packed @ keys.transpose(-1, -2)).float().mul_(scale).view(batch, heads, count, -1)
        if mask is not None:
            scores += mask[:, :, start : start + step]
        if causal:
            index = torch.arange(keys.shape[2], device=query.device)
            hidden = index[None] > torch.arange(start, start + count, device=query.device)[:, None]
            scores.masked_fill_(hidden, -math.inf)
        weight = scores.logsumexp(-1)
        probabilities = scores.sub_(weight.unsqueeze(-1)).exp_().to(values.dtype)
        output = probabilities.view(batch, keys.shape[1], groups * count, -1) @ values
        outputs.append(output.view(batch, heads, count, -1))
        weights.append(weight)
    return torch.cat(outputs, 2), torch.cat(weights, 2)


def merge(output: Tensor, weight: Tensor, other: Tensor, other_weight: Tensor) -> Tensor:
    """The attention output over two disjoint sets of keys, merged from the outputs over each set.

    Args:
        output: output over the first set, [1, tokens, heads, size].
        weight: log-sum-exp over the first set, [1, tokens, heads]; finite.
        other: output over the second set, [1, heads, tokens, size].
        other_weight: log-sum-exp over the second set, [1, heads, tokens]; -inf for a query that sees none of its keys.
    """
    share = torch.sigmoid(other_weight.transpose(1, 2) - weight).unsqueeze(-1)
    return torch.lerp(output, other.transpose(1, 2), share.to(output.dtype))


@contextmanager
def attending(current: Pass) -> Iterator[None]:
    """Make the model's attention layers compute the pass `current` while the context is open."""
    token = _CURRENT.set(current)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def tree_attention_on(model: Any) -> Iterator[None]:
    """Make `model` attend along token trees, and restore its own attention when the context closes."""
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


_CURRENT: ContextVar[Pass] = ContextVar("current pass")


def _tree_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    for name, given in kwargs.items():
        if given is not None and name not in HARMLESS:
            raise UnsupportedAttentionError(f"its attention uses {IN_WORDS.get(name, name)}")
    if attention_mask is not None or dropout:
        raise UnsupportedAttentionError(
            "its attention has a mask of its own" if not dropout else "it is in training mode"
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    current = _CURRENT.get()
    return current.attend(module.layer_idx, query, KeysValues(key, value), scale, sliding_window), None


AttentionInterface.register(NAME, _tree_attention)


def _additive(visible: Tensor, like: Tensor) -> Tensor:
    """A mask to add to the scores, in the data type of `like`: 0 where a key is visible and -inf elsewhere."""
    return torch.zeros(visible.shape, dtype=like.dtype, device=like.device).masked_fill_(~visible, -math.inf)
