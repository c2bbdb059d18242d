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

Which keys a query may see is decided by the pass that is going on (`passes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import Tensor
from transformers import AttentionInterface

from harness.engines.tree.passes import KeysValues, Pass

NAME = "emergence-tree"
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
