"""Parameters of a model by arithmetic, from the sizes that its published config gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple


class Counted(NamedTuple):
    """Parameters of a model, tied weights once."""

    total: int
    """All of them."""
    non_embedding: int
    """Without token and position embeddings and an output layer of its own."""
    active: int
    """Used per token."""


def counted(kind: str, **sizes: Any) -> Counted:
    """Parameters of an architecture of this kind; see the functions below for the sizes that it has."""
    embedding, rest, idle = _KINDS[kind](**sizes)
    return Counted(embedding + rest, rest, embedding + rest - idle)


def sizes_of(entry: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of each model of a family in `tests/catalog/published.yaml` -> its kind and sizes."""
    made = {
        f"tomg-group-umd/Gemstone-{width}x{layers}": {
            **{"layers": int(layers), "width": int(width), "ffn": 4 * int(width)},
            **{"heads": int(width) // 128, "kv": int(width) // 256},
        }
        for width, layers in (shape.split("x") for shape in entry.get("shapes", ()))
    }
    for model, sizes in {**entry.get("models", {}), **made}.items():
        yield model, {"kind": entry["kind"], **entry.get("all", {}), **sizes}


_Parts = tuple[int, int, int]
"""Parameters of the embeddings, of all else, and of experts that a token does not use."""


def _gpt_neox(layers: int, width: int, ffn: int, vocab: int) -> _Parts:
    """Pythia: biases and two layer norms in every layer, an output layer of its own."""
    attention = 4 * width**2 + 4 * width
    layer = attention + 2 * width * ffn + ffn + width + 4 * width
    return 2 * vocab * width, layers * layer + 2 * width, 0


def _gpt2(layers: int, width: int, ffn: int, vocab: int, positions: int) -> _Parts:
    """GPT-2, Cerebras-GPT and OPT: biases, learned positions, tied output."""
    layer = 4 * width**2 + 2 * width * ffn + ffn + 9 * width
    return (vocab + positions) * width, layers * layer + 2 * width, 0


def _opt_350m(layers: int, width: int, ffn: int, vocab: int, positions: int, embedded: int) -> _Parts:
    """OPT-350M alone: narrower embeddings that are projected, and no norm at the end."""
    rest = _gpt2(layers, width, ffn, vocab, positions)[1] - 2 * width
    return vocab * embedded + positions * width, rest + 2 * embedded * width, 0


def _bloom(layers: int, width: int, ffn: int, vocab: int) -> _Parts:
    """BLOOM: biases, a norm after the embeddings, no position embeddings, tied output."""
    layer = 4 * width**2 + 2 * width * ffn + ffn + 9 * width
    return vocab * width, 2 * width + layers * layer + 2 * width, 0


def _llama(
    layers: int,
    width: int,
    ffn: int,
    vocab: int,
    heads: int,
    kv: int | None = None,
    head: int | None = None,
    tied: bool = False,
    qkv_bias: bool = False,
    qk_norm: str = "none",
    norms: int = 2,
    experts: int = 1,
    used: int = 1,
) -> _Parts:
    """Llama and what followed it: gated feed-forward, RMS norms, heads that share keys and values.

    Args:
        layers: number of layers.
        width: of the residual stream.
        ffn: width of the feed-forward layer, or of an expert.
        vocab: rows of the embedding matrix.
        heads: heads of attention.
        kv: heads of keys and values; as many unless told.
        head: width of a head; a share of the width unless told.
        tied: whether the output layer is the embedding matrix.
        qkv_bias: whether queries, keys and values have biases (Qwen2).
        qk_norm: `head` for one norm of queries and keys for all heads (Qwen3, Gemma 3), `all` for each (OLMo 2).
        norms: norms of a layer besides.
        experts: experts of a layer.
        used: experts that a token uses.
    """
    kv, head = kv or heads, head or width // heads
    queries, keys = heads * head, kv * head
    attention = 2 * width * queries + 2 * width * keys + (queries + 2 * keys if qkv_bias else 0)
    attention += {"none": 0, "head": 2 * head, "all": queries + keys}[qk_norm]
    expert = 3 * width * ffn
    router = width * experts if experts > 1 else 0
    layer = attention + experts * expert + router + norms * width
    return (1 if tied else 2) * vocab * width, layers * layer + width, layers * (experts - used) * expert


def _mamba(layers: int, width: int, vocab: int, state: int = 16, kernel: int = 4) -> _Parts:
    """Mamba: no attention and no feed-forward layers; inner width 2 x width, tied output."""
    inner, rank = 2 * width, math.ceil(width / 16)
    projections = width * 2 * inner + inner * (rank + 2 * state) + rank * inner + inner + inner * width
    layer = projections + inner * kernel + inner + inner * state + inner + width
    return vocab * width, layers * layer + width, 0


def _bert(layers: int, width: int, ffn: int, vocab: int, positions: int = 512, types: int = 2) -> _Parts:
    """BERT: biases, a norm after the embeddings, a pooler."""
    layer = 4 * width**2 + 2 * width * ffn + ffn + 9 * width
    return (vocab + positions + types) * width, 2 * width + layers * layer + width**2 + width, 0


def _t5(layers: int, width: int, ffn: int, vocab: int, heads: int, head: int, buckets: int = 32) -> _Parts:
    """T5 1.0: as many layers to read as to write, no biases, relative positions, one embedding matrix for all."""
    attention, feed_forward = 4 * width * heads * head, 2 * width * ffn
    reads = layers * (attention + feed_forward + 2 * width) + width + buckets * heads
    writes = layers * (2 * attention + feed_forward + 3 * width) + width + buckets * heads
    return vocab * width, reads + writes, 0


_KINDS: dict[str, Callable[..., _Parts]] = {
    "gpt_neox": _gpt_neox,
    "gpt2": _gpt2,
    "opt_350m": _opt_350m,
    "bloom": _bloom,
    "llama": _llama,
    "mamba": _mamba,
    "bert": _bert,
    "t5": _t5,
}
