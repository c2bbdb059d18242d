"""Random models in the sizes that are timed, and a tokenizer that every machine can train for itself."""

from __future__ import annotations

import os
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any, Literal, NamedTuple

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import (
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

WINDOW = 2048
"""Tokens a model reads."""
TRAINING_BYTES = 6_000_000
"""Text the tokenizer is trained on; enough to fill the larger vocabulary, half a minute at most."""
END, PAD = "<|endoftext|>", "<|pad|>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The size of a model; its weights are random, which costs the same time as trained ones."""

    architecture: Literal["llama", "gpt-neox"]
    """Llama ties its output head to the embedding here, GPT-NeoX does not."""
    hidden: int
    """Width of the residual stream."""
    layers: int
    """Transformer blocks."""
    heads: int
    """Query heads."""
    kv_heads: int
    """Key and value heads; for GPT-NeoX as many as `heads`."""
    inner: int
    """Width of the feed-forward layers."""
    vocabulary: int
    """Rows of the embedding and of the output head."""
    tokens: Literal[8192, 32768]
    """Vocabulary of the tokenizer, at most `vocabulary`."""


def _llama(hidden: int, layers: int, heads: int, kv_heads: int, inner: int, tokens: Literal[8192, 32768]) -> Shape:
    return Shape(
        architecture="llama",
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        inner=inner,
        vocabulary=tokens,
        tokens=tokens,
    )


SHAPES: dict[str, Shape] = {
    "llama-1m": _llama(64, 4, 4, 2, 192, 8192),
    "llama-5m": _llama(192, 6, 6, 3, 512, 8192),
    "llama-15m": _llama(256, 8, 4, 4, 704, 32768),
    "llama-50m": _llama(512, 10, 8, 8, 1376, 32768),
    "pythia-70m": Shape(
        architecture="gpt-neox",
        hidden=512,
        layers=6,
        heads=8,
        kv_heads=8,
        inner=2048,
        vocabulary=50304,
        tokens=32768,
    ),
}
"""Name -> shape, smallest first; the names say about how many parameters there are."""


class Parameters(NamedTuple):
    """Weights by what they are multiplied with."""

    body: int
    """Weights every token passes through: all but the embedding and the output head."""
    head: int
    """Weights of the output head, met only where a continuation is scored."""


def build(shape: Shape, dtype: torch.dtype = torch.float32) -> Any:
    """A model of this shape; the same weights each time, rounded to `dtype`."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.inner,
        "max_position_embeddings": WINDOW,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 1,
    }
    model: Any
    if shape.architecture == "llama":
        model = LlamaForCausalLM(LlamaConfig(num_key_value_heads=shape.kv_heads, tie_word_embeddings=True, **sizes))
    else:
        model = GPTNeoXForCausalLM(GPTNeoXConfig(tie_word_embeddings=False, **sizes))
    model.eval().requires_grad_(False)
    for weight in model.parameters():
        if weight.dim() == 2:
            weight.mul_(2.0)  # at the usual scale every token would be about as likely as every other
    return model.to(dtype)


def parameters(model: Any) -> Parameters:
    """The weights of `model`, tied ones counted as the head."""
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    total = sum(weight.numel() for weight in model.parameters())
    tied = embedding.data_ptr() == head.data_ptr()
    return Parameters(body=total - head.numel() - (0 if tied else embedding.numel()), head=head.numel())


@contextmanager
def ending_with(model: Any, token: int) -> Iterator[None]:
    """Makes `token` the likeliest next one about every twelfth time; by itself a random model never ends a text.

    What decides is the last hidden state, so that every engine sees the same texts end at the same places.
    """

    def prefer(_: Any, inputs: tuple[torch.Tensor, ...], logits: torch.Tensor) -> torch.Tensor:
        # the factor spreads states that are close to each other; rounding differences of 1e-6 stay far below it
        chosen = (inputs[0][..., :8].float().sum(-1) * 100).sin() > 0.966
        logits[..., token] = torch.where(chosen, logits.amax(-1) + 1, logits[..., token])
        return logits

    hook = model.get_output_embeddings().register_forward_hook(prefer)
    try:
        yield
    finally:
        hook.remove()


def tokenizer(size: int) -> Any:
    """A byte-level BPE tokenizer of `size` tokens, trained once per machine and Python version."""
    version = sysconfig.get_python_version()
    folder = Path(tempfile.gettempdir()) / f"emergence-bench-{os.getuid()}" / f"bpe-{size}-python-{version}"
    if not (folder / "tokenizer.json").is_file():
        _train(size).save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def _train(size: int) -> Any:
    trained = Tokenizer(BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator(_training_text(), trainer)
    wrap: Any = PreTrainedTokenizerFast
    return wrap(tokenizer_object=trained, bos_token=END, eos_token=END, pad_token=PAD, model_max_length=WINDOW)


def _training_text() -> Iterator[str]:
    """Python's help texts, then its standard library: English with code in between."""
    yield from topics.values()
    left = TRAINING_BYTES
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        left -= len(text)
        if left < 0:
            return
        yield text
