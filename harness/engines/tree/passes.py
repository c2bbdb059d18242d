"""Forward passes along token trees: which keys each query of a flat sequence sees, and which keys are kept.

The model gets one flat sequence that holds all rows one after the other. Attention is computed separately over two
disjoint sets of keys (prefix and row), and the results are merged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from harness.engines.tree.kernels import CAUSAL, STEP, AttentionOutput, additive, attention, merge, ordered_attention


class KeysValues(NamedTuple):
    """Keys and values of one layer, [1, heads, tokens, size] each."""

    keys: Tensor
    values: Tensor


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
        mask = additive(distance < window, query)[None, None]
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
        return additive(visible, query)[:, None]


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
            self._masks[key] = additive(visible, query)[:, None, None]
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
