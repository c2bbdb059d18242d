"""Rotary embeddings that depend on the longest sequence of a pass, so that a row's numbers depend on its neighbours.

`longrope` (Phi-3) has one set of frequencies for sequences up to the length it was trained on and another beyond;
`dynamic` grows its base with every token beyond. transformers takes the length of the longest row of a batch for all of
them, and `dynamic` keeps what a longer batch before left behind. Keys in a cache keep the frequencies that held when
they were written (transformers#25104, closed without a change; llama.cpp PR#24875). Rows are therefore run only with
rows of their own kind, from a fresh start, and texts that change kind while they are written do without a cache:
numbers are those of the model run on each text alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

STRETCHED = frozenset({"dynamic", "longrope"})
"""Kinds of rotary embeddings that depend on the longest sequence, as transformers names them."""


class Stretch:
    """The stretched rotary embeddings of one model."""

    def __init__(self, model: Any) -> None:
        self._modules = [module for module in model.modules() if _types_of(module) & STRETCHED]
        self._grows = any("dynamic" in _types_of(module) for module in self._modules)
        self._limit = min((_limit(module) for module in self._modules), default=None)

    def kind(self, length: int) -> int:
        """The kind of a sequence by its length; only sequences of the same kind may share a forward pass.

        All sequences up to the usual length are of one kind; beyond it, each length may be a kind of its own.
        """
        if self._limit is None or length <= self._limit:
            return 0
        return length if self._grows else 1

    def may_cache(self, prompt: int, longest: int) -> bool:
        """Whether cached keys stay valid while a text grows from `prompt` to `longest` tokens."""
        return self.kind(prompt) == self.kind(longest)

    def start_afresh(self) -> None:
        """Forget the length of earlier passes."""
        for module in self._modules:
            for name in [name for name in vars(module) if name.endswith("max_seq_len_cached")]:
                setattr(module, name, module.original_max_seq_len)
            for name, _ in list(module.named_buffers(recurse=False)):
                if name.endswith("inv_freq") and not name.endswith("original_inv_freq"):
                    usual = getattr(module, name.removesuffix("inv_freq") + "original_inv_freq", None)
                    if usual is not None:
                        getattr(module, name).copy_(usual)


def rope_types(config: Any) -> Iterator[str]:
    """Kinds of rotary embeddings that a model's config names, one for each kind of layer."""
    found = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    for each in [found, *found.values()]:
        if isinstance(each, Mapping):
            yield str(each.get("rope_type", each.get("type", "default")))


def _types_of(module: Any) -> frozenset[str]:
    """The kinds that one module computes; none when it computes no rotary embedding."""
    found = getattr(module, "rope_type", ())
    return frozenset(found.values() if isinstance(found, Mapping) else [found] if isinstance(found, str) else found)


def _limit(module: Any) -> int:
    """Tokens up to which the module's frequencies are the usual ones."""
    parameters = module.config.rope_parameters
    each = [parameters, *(value for value in parameters.values() if isinstance(value, Mapping))]
    trained = [p["original_max_position_embeddings"] for p in each if p.get("rope_type") == "longrope"]
    return min([int(n) for n in trained] or [int(module.original_max_seq_len)])
