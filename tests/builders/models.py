"""A tiny model that has learnt a little, written as a folder that engines load."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.builders.tasks import COLOURS, THINGS

CONTEXT = 256
"""Tokens that the model reads."""


def write_tiny_model(folder: Path) -> Path:
    """A Llama of 30 thousand weights that has seen the tasks' form; its tokenizer puts <bos> first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "<bos>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_lines(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    wrap: Any = PreTrainedTokenizerFast
    wrap(tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer.get_vocab()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=64,
        max_position_embeddings=CONTEXT,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    _teach(model, PreTrainedTokenizerFast.from_pretrained(folder))
    model.bfloat16().save_pretrained(folder)
    return folder


def _lines() -> list[str]:
    forms = ("The {} {} is {}\n", "Colour of {} {}: {}\n")
    triples = [(thing, i, colour) for thing in THINGS for i in range(30) for colour in COLOURS]
    return [form.format(*triple) for triple in triples for form in forms]


def _teach(model: Any, tokenizer: Any) -> None:
    """Two hundred steps: enough for answers that are some colour, right now and then."""
    rng = random.Random(0)
    lines = _lines()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(200):
        batch = tokenizer(["".join(rng.sample(lines, 3)) for _ in range(8)], return_tensors="pt", padding=True)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        loss = model(**batch, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
