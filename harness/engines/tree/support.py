"""Decides which models can be run along token trees; all other models are left to lm-eval's own code.

The model's structure is checked first, because it gives a clear reason. Then comes a trial: a few sequences are run
along a small tree and one by one in the usual way, and both must give the same logits. The trial finds models whose
tokens interact in a way that a tree does not reproduce, such as recurrence, position biases or masks of their own.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.engines.stretched import STRETCHED, rope_types
from harness.engines.tree.attention import UnsupportedAttentionError, tree_attention_on
from harness.engines.tree.model import Keeping, TreeModel
from harness.engines.tree.passes import SlotCache
from harness.engines.tree.trees import TreeRow
from harness.wording import percent

LAYERS = frozenset({"full_attention", "sliding_attention"})
"""The supported kinds of layers, as `config.layer_types` names them."""
TOLERANCE, HALF_TOLERANCE = 1e-3, 5e-2
"""The largest difference of logits that passes the trial, as a share of the largest logit, in 32 and in 16 bits."""
HALF_TOLERANCE_GROWTH = 2e-2
"""This number times the square root of the number of layers is the tolerance of a deep model in 16 bits, because
rounding errors add up like the steps of a random walk. Llamas with random weights in bfloat16 on a GPU differ by
up to 0.055 with 32 layers of width 4096."""

PREFIX = [5, 11, 3, 8, 2, 13]
TRIAL_ROWS = (
    TreeRow(
        tokens=[4, 9, 6, 12, 7],
        positions=[6, 7, 8, 8, 9],
        ends=[5, 5, 3, 5, 5],
        sequences=[0, 1],
        paths=[[0, 1, 2], [0, 1, 3, 4]],
    ),
    TreeRow(tokens=[10, 1], positions=[6, 7], ends=[2, 2], sequences=[2], paths=[[0, 1]]),
)
NEXT = 14
"""The token that the trial appends to the first path."""


def why_not(model: Any, max_length: int) -> str | None:
    """The reason why `model` cannot be run along token trees, worded to follow its name; None when it can be.

    Args:
        model: a loaded transformers model.
        max_length: length of the longest sequence that the model will get.
    """
    return _structure(model) or _trial(model, max_length)


def _structure(model: Any) -> str | None:
    config = model.config.get_text_config()
    if type(model).__module__.partition(".")[0] == "transformers_modules":
        return "it brings code of its own"
    if "generate" in vars(model):
        return "it brings a way to generate of its own"
    if model.config.is_encoder_decoder:
        return "it is an encoder-decoder"
    takes = inspect.signature(model.forward).parameters
    for name in ("input_ids", "position_ids", "logits_to_keep"):
        if name not in takes:
            return f"its forward pass takes no {name}, so it would read several texts in one row as one text"
    if model.get_output_embeddings() is None:
        return "it has no output head"
    if unknown := set(getattr(config, "layer_types", None) or ()) - LAYERS:
        return f"it has layers of kind {', '.join(sorted(unknown))}"
    if getattr(config, "attention_chunk_size", None) is not None:
        return "its attention works in chunks"
    if stretched := sorted(STRETCHED & set(rope_types(config))):
        return f"its rotary embedding ({stretched[0]}) depends on the longest text of a batch"
    return None


def _trial(model: Any, max_length: int) -> str | None:
    try:
        with torch.inference_mode():
            expected = _one_by_one(model)
            with tree_attention_on(model):
                found, windows = _along_a_tree(model)
    except UnsupportedAttentionError as error:
        return str(error)
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError) as error:
        lines = str(error).strip().splitlines() or [""]
        return f"the trial pass failed ({type(error).__name__}: {lines[0]})"
    return _windows(model, windows, max_length) or _difference(
        expected, found, model.dtype, model.config.get_text_config().num_hidden_layers
    )


def _one_by_one(model: Any) -> Tensor:
    """Logits [4, vocabulary] after each trial sequence, computed one by one in the usual way."""
    paths = [[row.tokens[node] for node in path] for row in TRIAL_ROWS for path in row.paths]
    rows = []
    for sequence in (*(PREFIX + path for path in paths), PREFIX + paths[0] + [NEXT]):
        tokens = torch.tensor([sequence], device=model.get_input_embeddings().weight.device)
        rows.append(model(tokens, use_cache=False).logits[0, -1].float())
    return torch.stack(rows)


def _along_a_tree(model: Any) -> tuple[Tensor, Mapping[int, int | None]]:
    """The same logits from three passes along a tree, and the attention window that each layer reported."""
    tree = TreeModel(model)
    prefix, _ = tree.read_prefix(PREFIX, [])
    longest = len(TRIAL_ROWS[0].tokens)
    ends = [number * longest + path[-1] for number, row in enumerate(TRIAL_ROWS) for path in row.paths]
    cache = SlotCache(1, 8)
    keeping = Keeping(cache=cache, slots=[0], paths=[TRIAL_ROWS[0].paths[0]], rows=[0])
    read = tree.read_rows(TRIAL_ROWS, prefix, ends, keeping)
    written = tree.write_next(np.array([NEXT]), np.array([len(TRIAL_ROWS[0].paths[0])]), cache, prefix)
    return torch.cat([read, written]), prefix.windows


def _windows(model: Any, told: Mapping[int, int | None], max_length: int) -> str | None:
    """Check that every layer used the attention interface and reported its window; return the reason if not."""
    config = model.config.get_text_config()
    if len(told) < config.num_hidden_layers:
        return "its attention does not go through transformers' attention interface"
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * config.num_hidden_layers
    for layer, kind in enumerate(kinds):
        due = window if kind == "sliding_attention" else None
        if due is not None and due < max_length and told[layer] != due:
            return f"layer {layer} has an attention window of {due} tokens that its module does not state"
    return None


def _difference(expected: Tensor, found: Tensor, dtype: torch.dtype, layers: int) -> str | None:
    limit = TOLERANCE
    if dtype not in (torch.float32, torch.float64):
        limit = max(HALF_TOLERANCE, HALF_TOLERANCE_GROWTH * math.sqrt(layers))
    share = float((expected - found).abs().max() / expected.abs().max())
    # the comparison is false for NaN, so that logits that are not numbers fail as well
    return None if share <= limit else f"a trial pass gave other logits (they differ by {percent(share, decimals=1)})"
