"""Attention along trees: exact, on every device's path; and what transformers must offer for it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator

import pytest
import torch
import transformers
from torch import Tensor
from transformers import AttentionInterface, LlamaConfig, LlamaForCausalLM

from harness.engines.tree import kernels
from harness.engines.tree.attention import attending, tree_attention_on
from harness.engines.tree.kernels import attention, merge, ordered_attention, plain_attention
from harness.engines.tree.passes import KeysValues
from tests.builders import zoo

SHAPES = [(1, 4, 4, 5, 7, 8), (3, 4, 2, 6, 6, 16), (2, 6, 1, 1, 9, 4)]
"""Batch, heads, key heads, queries, keys, size."""


@pytest.fixture(autouse=True)
def on_the_device() -> Iterator[None]:
    """Tensors and models are made where `pytest --device` says."""
    with torch.device(zoo.DEVICE):
        yield


def drawn(shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values."""
    batch, heads, key_heads, queries, keys, size = shape
    torch.manual_seed(0)
    return (
        torch.randn(batch, heads, queries, size),
        torch.randn(batch, key_heads, keys, size),
        torch.randn(batch, key_heads, keys, size),
    )


def by_definition(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Softmax attention as it is written in books."""
    repeats = query.shape[1] // keys.shape[1]
    scores = query @ keys.repeat_interleave(repeats, 1).transpose(-1, -2) * 0.3
    if mask is not None:
        scores = scores + mask
    return scores.softmax(-1) @ values.repeat_interleave(repeats, 1), scores.logsumexp(-1)


def half_hidden(shape: tuple[int, ...]) -> Tensor:
    """A mask that hides some keys of every query, never the first."""
    batch, _, _, queries, keys, _ = shape
    torch.manual_seed(1)
    hidden = torch.rand(batch, 1, queries, keys) < 0.5
    hidden[..., 0] = False
    return torch.zeros(batch, 1, queries, keys).masked_fill(hidden, -math.inf)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("masked", [False, True], ids=["open", "masked"])
@pytest.mark.parametrize("function", [attention, plain_attention], ids=["fused", "plain"])
def test_attention_is_what_books_say(function: object, shape: tuple[int, ...], masked: bool) -> None:
    query, keys, values = drawn(shape)
    mask = half_hidden(shape) if masked else None
    output, weight = function(query, keys, values, 0.3, mask=mask)  # type: ignore[operator]
    expected, expected_weight = by_definition(query, keys, values, mask)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(weight, expected_weight, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
def test_a_few_queries_at_a_time_change_nothing(causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    query, keys, values = drawn((2, 4, 2, 11, 11, 8))
    whole = plain_attention(query, keys, values, 0.3, causal=causal)
    monkeypatch.setattr(kernels, "CHUNK_ELEMENTS", 2 * 4 * 11 * 3)
    for part, all_at_once in zip(plain_attention(query, keys, values, 0.3, causal=causal), whole, strict=True):
        torch.testing.assert_close(part, all_at_once)


def test_causal_attention_is_a_triangular_mask() -> None:
    query, keys, values = drawn((2, 4, 2, 9, 9, 8))
    mask = torch.full((9, 9), -math.inf).triu(1)[None, None]
    for function in (attention, plain_attention):
        output, weight = function(query, keys, values, 0.3, causal=True)
        expected, expected_weight = function(query, keys, values, 0.3, mask=mask)
        torch.testing.assert_close(output, expected)
        torch.testing.assert_close(weight, expected_weight)


def test_long_rows_are_taken_in_steps() -> None:
    length = 3 * kernels.STEP + 5
    query, keys, values = drawn((2, 2, 2, length, length, 4))
    hidden = torch.rand(2, 1, length, length) < 0.3
    hidden |= torch.ones(length, length, dtype=torch.bool).triu(1)
    hidden &= ~torch.eye(length, dtype=torch.bool)
    mask = torch.zeros(2, 1, length, length).masked_fill(hidden, -math.inf)
    output, weight = ordered_attention(query, keys, values, 0.3, mask)
    expected, expected_weight = attention(query, keys, values, 0.3, mask=mask)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(weight, expected_weight, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("split", [1, 4, 8])
def test_two_sets_of_keys_merge_into_attention_over_both(split: int) -> None:
    query, keys, values = drawn((1, 4, 2, 6, 9, 8))
    first = attention(query, keys[:, :, :split], values[:, :, :split], 0.3)
    second = attention(query, keys[:, :, split:], values[:, :, split:], 0.3)
    merged = merge(second[0].transpose(1, 2), second[1].transpose(1, 2), *first)
    expected, _ = attention(query, keys, values, 0.3)
    torch.testing.assert_close(merged.transpose(1, 2), expected, atol=1e-5, rtol=1e-5)


def test_what_sees_nothing_of_the_prefix_stays_as_it_is() -> None:
    output = torch.randn(1, 3, 2, 4)
    blind = torch.full((1, 2, 3), -math.inf)
    assert torch.equal(merge(output, torch.randn(1, 3, 2), torch.zeros(1, 2, 3, 4), blind), output)


# --- transformers ---------------------------------------------------------------------------------------------------


def small() -> LlamaForCausalLM:
    """A Llama of two layers."""
    config = LlamaConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    return LlamaForCausalLM(config).eval()


def hooks_are_there(model: LlamaForCausalLM) -> None:
    """Say which of the hooks named in `attention.py` transformers has moved."""
    moved = f"transformers {transformers.__version__} has moved a hook the tree engine stands on: "
    assert callable(getattr(AttentionInterface, "register", None)), moved + "AttentionInterface.register"
    assert callable(getattr(model, "set_attn_implementation", None)), moved + "model.set_attn_implementation"
    takes = inspect.signature(model.forward).parameters
    for name in ("input_ids", "position_ids", "use_cache", "logits_to_keep"):
        assert name in takes, moved + f"forward({name}=)"


def test_transformers_offers_the_hooks_the_engine_stands_on() -> None:
    model = small()
    hooks_are_there(model)
    called: list[tuple[int, bool, tuple[int, ...]]] = []

    class Watching:
        def attend(self, layer: int, query: Tensor, new: KeysValues, scale: float, window: int | None) -> Tensor:
            called.append((layer, window is None and scale == pytest.approx(8**-0.5), tuple(query.shape)))
            return query.transpose(1, 2)

    with torch.inference_mode(), tree_attention_on(model), attending(Watching()):
        logits = model(
            input_ids=torch.tensor([[1, 2, 3]]),
            position_ids=torch.tensor([[0, 1, 1]]),
            use_cache=False,
            logits_to_keep=torch.tensor([2]),
        ).logits
    moved = f"transformers {transformers.__version__} calls attention functions in another way: "
    assert called == [(0, True, (1, 2, 3, 8)), (1, True, (1, 2, 3, 8))], moved + str(called)
    assert logits.shape == (1, 1, 32), moved + "logits_to_keep"


def test_no_logits_may_be_asked_for() -> None:
    model = small()
    none = model(input_ids=torch.tensor([[1, 2]]), logits_to_keep=torch.tensor([], dtype=torch.long)).logits
    assert none.shape == (1, 0, 32)


def test_the_model_attends_as_before_afterwards() -> None:
    model = small()
    tokens = torch.tensor([[1, 2, 3]])
    before = model(tokens).logits
    with pytest.raises(LookupError), tree_attention_on(model):
        model(tokens)  # outside of a pass there is nothing to attend to
    assert torch.equal(model(tokens).logits, before)
