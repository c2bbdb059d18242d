"""The small encoders: ModernBERT in the format of `transformers`, which fill gaps in prompts with their answers.

An answer loses everything from a token on that is drawn at random, so that a model learns to say its first token as
well as how it goes on; elsewhere single tokens are missing. Warner et al. 2024 (ModernBERT, arXiv:2412.13663).
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import ModernBertConfig, ModernBertForMaskedLM, PreTrainedTokenizerFast

from harness.ladder.kinds import KindSize
from harness.ladder.pairs import PromptAnswer
from harness.ladder.tokenizer import BOS, CONTEXT, EOS, PAD, UNK, framed_tokenizer

ENCODER_MIXTURE = {
    "sentiment": 3.0,
    "topic": 1.4,
    "ending": 1.4,
    "noted_fact": 1.0,
    "dialogue_reply": 1.0,
    "one_hop": 1.0,
    "two_hop": 0.4,
    "skill_class": 0.8,
    "parity": 0.1,
    "modular_sum": 0.1,
    "entities": 0.4,
    "relations": 0.4,
    "translate": 0.4,
    "summarise": 0.3,
}
"""Relative frequency of pairs by family: above all those whose answers are options."""
GAPS = 0.06
"""Share of the tokens of prompts that are missing."""
IGNORED = -100
"""Label of tokens that are not asked for, as transformers has it."""


def encoder_tokenizer(words: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The decoders' tokenizer with a token for a gap, and special tokens on both sides of a text."""
    described = json.loads(words.backend_tokenizer.to_str())
    vocabulary = described["model"]["vocab"]
    free = next(i for i, (piece, _) in enumerate(vocabulary) if piece.startswith("<unused"))
    vocabulary[free][0] = "<mask>"
    described["added_tokens"].append({**described["added_tokens"][0], "id": free, "content": "<mask>"})
    return framed_tokenizer(
        described, before=["<bos>"], bos_token="<bos>", cls_token="<bos>", sep_token="<eos>", mask_token="<mask>"
    )


def encoder_model(shape: KindSize, vocabulary: int) -> Any:
    """A model with random weights."""
    config: Any = ModernBertConfig
    return ModernBertForMaskedLM(
        config(
            vocab_size=vocabulary,
            hidden_size=shape.width,
            intermediate_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            max_position_embeddings=CONTEXT,
            global_attn_every_n_layers=1,
            pad_token_id=PAD,
            bos_token_id=BOS,
            eos_token_id=EOS,
            cls_token_id=BOS,
            sep_token_id=EOS,
        )
    )


def gapped_batch(
    pairs: Sequence[PromptAnswer], words: PreTrainedTokenizerFast, rng: random.Random
) -> dict[str, Tensor]:
    """Token ids with gaps, the attention mask, and the missing tokens as labels, each [pairs, longest]."""
    mask = words.mask_token_id
    rows: list[tuple[list[int], list[int]]] = []
    for prompt, answer in _encoded(pairs, words):
        start = rng.randrange(len(answer))
        missing = [rng.random() < GAPS for _ in prompt] + [i >= start for i in range(len(answer))]
        whole = [*prompt, *answer]
        shown = [mask if gone else token for token, gone in zip(whole, missing, strict=True)]
        asked = [token if gone and token != UNK else IGNORED for token, gone in zip(whole, missing, strict=True)]
        rows.append(([BOS, *shown, EOS], [IGNORED, *asked, IGNORED]))
    longest = max(len(row) for row, _ in rows)
    ids = torch.tensor([row + [PAD] * (longest - len(row)) for row, _ in rows])
    labels = torch.tensor([row + [IGNORED] * (longest - len(row)) for _, row in rows])
    return {"input_ids": ids, "attention_mask": (ids != PAD).long(), "labels": labels}


def _encoded(pairs: Sequence[PromptAnswer], words: PreTrainedTokenizerFast) -> list[tuple[list[int], list[int]]]:
    """Token ids of each prompt and answer; a prompt that is too long loses its beginning."""
    encode = words.backend_tokenizer.encode_batch_fast
    prompts = encode([pair.prompt for pair in pairs], add_special_tokens=False)
    answers = encode([pair.answer for pair in pairs], add_special_tokens=False)
    return [
        (prompt.ids[-(CONTEXT - 2 - len(answer.ids)) :], answer.ids)
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
