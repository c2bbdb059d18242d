"""Softmax attention with its log-sum-exp, by the fused kernels of torch where there are any.

Attention over two disjoint sets of keys is merged exactly: with outputs o1, o2 and log-sum-exps l1, l2, the attention
over both sets is o2 + sigmoid(l1 - l2) (o1 - o2).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import pad

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
AttentionOutput = tuple[Tensor, Tensor]
"""Attention output and the log-sum-exp of its scores."""


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


def additive(visible: Tensor, like: Tensor) -> Tensor:
    """A mask to add to the scores, in the data type of `like`: 0 where a key is visible and -inf elsewhere."""
    return torch.zeros(visible.shape, dtype=like.dtype, device=like.device).masked_fill_(~visible, -math.inf)
