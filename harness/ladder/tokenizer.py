"""The family's tokenizer: the world's own words, syllables and ASCII characters, 512 tokens for every size."""

from __future__ import annotations

import json
import random
import string
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from harness.ladder import documents, words
from harness.ladder.family import VOCAB_SIZE

CONTEXT = 256
PAD, BOS, EOS, UNK = 0, 1, 2, 3
TOKENIZER_SEED = 1

# Words keep one leading space; arrows stay whole; every digit, punctuation mark and newline is a token of
# its own, so that "12" and "(x+1)" are read alike wherever they stand.
_PIECES = r" ?[-=]>| ?[A-Za-z]+|\d| ?[^\sA-Za-z\d]|\n|\s"
_MIN_COUNT = 40
"""A piece that occurs at least this often in the sample becomes a token; invented names occur less often."""


def build_tokenizer(n_documents: int = 20_000) -> PreTrainedTokenizerFast:
    """A tokenizer whose words are counted in documents of the mixture; the same on every run.

    It is a unigram model. Byte-pair merges would spend entries on parts of words, so that with 512 entries
    half of the words would be split. Here each entry is a word, a syllable or a
    character, and text outside the world falls back to characters.
    """
    pieces = ["<pad>", "<bos>", "<eos>", "<unk>", "\n", *string.printable[:95]]
    pieces += _syllables()
    pieces += [piece for piece in _words(n_documents) if piece not in pieces]
    if len(pieces) > VOCAB_SIZE:
        raise ValueError(f"{len(pieces)} pieces do not fit a vocabulary of {VOCAB_SIZE}")
    pieces += [f"<unused{i}>" for i in range(VOCAB_SIZE - len(pieces))]
    # With equal scores the split into the fewest pieces wins, so that a known word is never split.
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], UNK, False))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(pieces[:4])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", BOS)]
    )
    return _wrapped(tokenizer, bos_token="<bos>")


def _syllables() -> list[str]:
    """The first and second syllables of invented names, such as " Ti" and "bi"."""
    pairs = [consonant + vowel for consonant in words.CONSONANTS for vowel in words.VOWELS]
    return [f" {pair.capitalize()}" for pair in pairs] + pairs


def _words(n_documents: int) -> list[str]:
    """Pieces longer than a character that are frequent in a sample with equal shares of every family."""
    rng = random.Random(TOKENIZER_SEED)
    split = pre_tokenizers.Split(Regex(_PIECES), "isolated")
    families = list(documents.MIXTURE)
    counts: Counter[str] = Counter()
    for i in range(n_documents):
        text = documents.training_document(rng, families[i % len(families)]).text
        counts.update(piece for piece, _ in split.pre_tokenize_str(text))
    return sorted(piece for piece, count in counts.items() if count >= _MIN_COUNT and len(piece) > 1)


def framed_tokenizer(described: dict[str, Any], *, before: Sequence[str] = (), **named: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a description, with special tokens before a text and one behind it and behind a second one.

    Args:
        described: what `tokenizer.json` holds; its frame is replaced.
        before: special tokens before a text.
        named: further special tokens by their name in transformers, such as `mask_token`.
    """
    ids = {"<bos>": BOS, "<eos>": EOS}
    end = {"SpecialToken": {"id": "<eos>", "type_id": 0}}
    first = [{"SpecialToken": {"id": token, "type_id": 0}} for token in before]
    single = [*first, {"Sequence": {"id": "A", "type_id": 0}}, end]
    described["post_processor"] = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, {"Sequence": {"id": "B", "type_id": 0}}, end],
        "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in (*before, "<eos>")},
    }
    return _wrapped(Tokenizer.from_str(json.dumps(described)), **named)


def _wrapped(tokenizer: Tokenizer, **named: str) -> PreTrainedTokenizerFast:
    wrap: Any = PreTrainedTokenizerFast
    wrapped: PreTrainedTokenizerFast = wrap(
        tokenizer_object=tokenizer,
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
        model_max_length=CONTEXT,
        model_input_names=["input_ids", "attention_mask"],
        **named,
    )
    return wrapped


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer saved beside a checkpoint."""
    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder)
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes tokenizer.json and tokenizer_config.json, loadable by transformers 4 and 5 alike."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    # Version 5 writes a class name that version 4 does not know; both know this one.
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
