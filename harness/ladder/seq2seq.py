"""The small encoder-decoders: T5 in the format of `transformers`, which read a prompt and write its answer.

Raffel et al. 2020 (T5, arXiv:1910.10683), with the gated feed-forward parts of version 1.1 and one matrix for the words
that are read and written.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from harness.ladder.kinds import KindSize
from harness.ladder.pairs import PromptAnswer
from harness.ladder.tokenizer import BOS, CONTEXT, EOS, PAD, framed_tokenizer

SEQ2SEQ_MIXTURE = {
    "sentiment": 2.0,
    "topic": 1.0,
    "entities": 1.2,
    "relations": 0.8,
    "one_hop": 4.0,
    "two_hop": 0.5,
    "noted_fact": 0.6,
    "ending": 0.7,
    "translate": 0.9,
    "summarise": 0.7,
    "dialogue_state": 0.4,
    "dialogue_reply": 0.5,
    "steps": 0.7,
    "addition": 1.0,
    "modular_sum": 0.1,
    "sort_digits": 0.5,
    "parity": 0.1,
    "skill_class": 0.4,
    "skill_shift": 0.3,
    "skill_halves": 0.3,
}
"""Relative frequency of pairs by family."""
_IGNORED = -100
"""Label of padding, as transformers has it."""


def seq2seq_tokenizer(words: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The decoders' tokenizer with a token behind a text in place of the one before it, as T5's has it."""
    return framed_tokenizer(json.loads(words.backend_tokenizer.to_str()))


def seq2seq_model(shape: KindSize, vocabulary: int) -> Any:
    """A model with random weights."""
    config: Any = T5Config
    model = T5ForConditionalGeneration(
        config(
            vocab_size=vocabulary,
            d_model=shape.width,
            d_kv=16,
            d_ff=shape.hidden,
            num_layers=shape.layers,
            num_decoder_layers=shape.writing,
            num_heads=shape.heads,
            n_positions=CONTEXT,
            dropout_rate=0.0,
            feed_forward_proj="gated-silu",
            tie_word_embeddings=True,
            pad_token_id=PAD,
            eos_token_id=EOS,
            decoder_start_token_id=BOS,
        )
    )
    model.generation_config.decoder_start_token_id = BOS
    return model


def written_batch(
    pairs: Sequence[PromptAnswer], words: PreTrainedTokenizerFast, rng: random.Random
) -> dict[str, Tensor]:
    """Token ids of the prompts, their attention mask, and the answers as labels, each [pairs, longest]."""
    encode = words.backend_tokenizer.encode_batch_fast
    prompts = [found.ids[-CONTEXT:] for found in encode([pair.prompt for pair in pairs])]
    answers = [found.ids for found in encode([pair.answer for pair in pairs])]
    longest, furthest = max(map(len, prompts)), max(map(len, answers))
    ids = torch.tensor([row + [PAD] * (longest - len(row)) for row in prompts])
    labels = torch.tensor([row + [_IGNORED] * (furthest - len(row)) for row in answers])
    return {"input_ids": ids, "attention_mask": (ids != PAD).long(), "labels": labels}
