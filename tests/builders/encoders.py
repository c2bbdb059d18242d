"""Small encoders with random weights, and a tokenizer of word pieces, in the folders that users have."""

from __future__ import annotations

import functools
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

WORDS = "the thing is red blue green tom lives in paris review good bad works for acme colour of".split()
CONTEXT = 64
"""Positions of the models, special tokens among them."""
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")


@functools.cache
def word_pieces() -> Any:
    """BERT's tokenizer with few whole words, so that most words have several pieces."""
    signs = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *signs, *(f"##{sign}" for sign in signs)]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(dict.fromkeys(pieces))}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    wrap: Any = PreTrainedTokenizerFast
    return wrap(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=CONTEXT,
    )


def encoder(head: str, *, kind: str = "Bert", labels: Sequence[str] = (), **settings: Any) -> Any:
    """A model whose weights are large enough that each token of a text counts; the same on every call."""
    names = {"id2label": dict(enumerate(labels)), "label2id": {name: i for i, name in enumerate(labels)}}
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(word_pieces()),
        max_position_embeddings=CONTEXT,
        **SIZES,
        **({"pad_token_id": 0} | settings),
        **(names if labels else {}),
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}{head}")(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(std=0.25)
    return model


def save_encoder(folder: Path, model: Any) -> Path:
    """The model and its tokenizer as `save_pretrained` writes them."""
    model.save_pretrained(folder)
    word_pieces().save_pretrained(folder)
    return folder
