"""A tokenizer of every kind, of a few hundred tokens each, and texts that are hard on them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

import harness.ladder
from harness.ladder.tokenizer import load_tokenizer

EMBEDDED = Path(harness.ladder.__file__).parent / "weights" / "12k"
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DIGITS_FROM_THE_RIGHT = r"\d{1,3}(?=(?:\d{3})*\b)| ?[^\s\d]+|\s+(?!\S)|\s+"
SENTENCES = (
    "The sea was dark blue, and the sun was yellow.\n\nQuestion: what colour is grass?\nAnswer: green\n",
    "It's 12,345 apples; they've 3.14 of the rose's leaves (or 7).\n\tdef f(x):\n\t    return x + 1\n",
    "Café Ärger naïve cafe\u0301 — “quoted”… 水是蓝色的。 Море синее. 🙂👍🏽 ﬁn ① Ⅷ 1\u0303\n  two  spaces   three\r\n",
)


def trained(
    model: Any,
    trainer: Any,
    pre_tokenizer: Any = None,
    *,
    normalizer: Any = None,
    post_processor: Any = None,
) -> Tokenizer:
    """A tokenizer of a few hundred tokens."""
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    if post_processor is not None:
        tokenizer.post_processor = post_processor
    return tokenizer


def template(single: str) -> Any:
    return processors.TemplateProcessing(
        single=single, pair=f"{single} $B", special_tokens=[("<bos>", 1), ("<eos>", 2), ("<unk>", 0)]
    )


def byte_level(pre_tokenizer: Any, single: str | None = None, normalizer: Any = None) -> Tokenizer:
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<unk>", "<bos>", "<eos>"], initial_alphabet=alphabet, show_progress=False
    )
    post_processor = processors.ByteLevel(trim_offsets=True) if single is None else template(single)
    return trained(models.BPE(), trainer, pre_tokenizer, normalizer=normalizer, post_processor=post_processor)


def regex(pattern: str) -> Any:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def sentencepiece_bpe(normalizer: Any, pre_tokenizer: Any) -> Tokenizer:
    """Merges learnt inside words, bytes for unknown characters; the parts around it are put in afterwards."""
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<unk>", "<bos>", "<eos>"], show_progress=False, limit_alphabet=60
    )
    bpe = models.BPE(unk_token="<unk>", fuse_unk=True)
    data = json.loads(trained(bpe, trainer, pre_tokenizers.Metaspace(split=True)).to_str())
    vocab = data["model"]["vocab"]
    vocab.update({f"<0x{byte:02X}>": len(vocab) + byte for byte in range(256)})
    # merges across spaces and line ends, as such a vocabulary has
    for left, right in (("▁", "▁"), ("e", "▁"), ("e▁", "w"), (".", "\n"), ("\n", "\n")):
        if {left, right} <= vocab.keys():
            vocab.setdefault(left + right, len(vocab))
            data["model"]["merges"].append([left, right])
    data["model"]["byte_fallback"] = True
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.post_processor = template("<bos> $A")
    return tokenizer


def unigram(single: str) -> Tokenizer:
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=["<unk>", "<bos>", "<eos>"], unk_token="<unk>", show_progress=False
    )
    normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    return trained(
        models.Unigram(), trainer, pre_tokenizers.Metaspace(), normalizer=normalizer, post_processor=template(single)
    )


def word_piece() -> Tokenizer:
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=["<unk>", "<bos>", "<eos>"], show_progress=False)
    return trained(
        models.WordPiece(unk_token="<unk>"),
        trainer,
        pre_tokenizers.BertPreTokenizer(),
        normalizer=normalizers.BertNormalizer(),
        post_processor=template("<bos> $A <eos>"),
    )


def word_level() -> Tokenizer:
    trainer = trainers.WordLevelTrainer(special_tokens=["<unk>", "<bos>", "<eos>"], show_progress=False)
    return trained(models.WordLevel(unk_token="<unk>"), trainer, pre_tokenizers.Whitespace())


def with_added_tokens(*tokens: AddedToken) -> Tokenizer:
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), "<bos> $A")
    tokenizer.add_tokens(list(tokens))
    return tokenizer


GPT_2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
CHAT = (
    AddedToken("<|im_start|>", special=True, normalized=False),
    AddedToken("<mask>", lstrip=True, normalized=False),
    AddedToken("<sep>", rstrip=True, normalized=False),
    AddedToken("sea was dark", normalized=True),
    AddedToken("  ", normalized=False),
)
KINDS: Mapping[str, Callable[[], Tokenizer]] = {
    "gpt-2": lambda: byte_level(GPT_2),
    "gpt-2 with bos": lambda: byte_level(GPT_2, "<bos> $A"),
    "gpt-2 with eos": lambda: byte_level(GPT_2, "$A <eos>"),
    "space before every text": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), "<bos> $A"),
    "llama-3": lambda: byte_level(regex(LLAMA_3), "<bos> $A"),
    "qwen with nfc": lambda: byte_level(regex(LLAMA_3.replace("{1,3}", "")), "$A", normalizers.NFC()),
    "nfkc and lower case": lambda: byte_level(
        GPT_2, "$A", normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.StripAccents()])
    ),
    "digits from the right": lambda: byte_level(regex(DIGITS_FROM_THE_RIGHT), "<bos> $A"),
    "llama-2": lambda: sentencepiece_bpe(
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None
    ),
    "llama-2 without normaliser": lambda: sentencepiece_bpe(
        None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    ),
    "gemma": lambda: sentencepiece_bpe(
        normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous")
    ),
    "split bpe with metaspace": lambda: sentencepiece_bpe(None, pre_tokenizers.Metaspace(split=True)),
    "unigram": lambda: unigram("<bos> $A"),
    "unigram with eos": lambda: unigram("$A <eos>"),
    "bert": word_piece,
    "words": word_level,
    "added tokens": lambda: with_added_tokens(*CHAT),
    "added single words": lambda: with_added_tokens(AddedToken(" sea", single_word=True)),
}
WHOLE = {"gpt-2 with eos", "llama-2", "llama-2 without normaliser", "gemma", "unigram with eos", "bert"} | {
    "added single words"
}
"""Tokenizers whose texts cannot be cut, with the special tokens they add by themselves."""
NAMES = [*KINDS, "embedded", "python"]


@cache
def tokenizers_of_all_kinds() -> Mapping[str, Any]:
    """One tokenizer of every kind, by name; nobody may change them for good."""
    made: dict[str, Any] = {
        name: PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=build(), bos_token="<bos>", eos_token="<eos>", unk_token="<unk>", pad_token="<eos>"
        )
        for name, build in KINDS.items()
    }
    made["python"] = ByT5Tokenizer(bos_token="<bos>")
    return made | {"embedded": load_tokenizer(EMBEDDED)}


def plain(text: str, add_special_tokens: bool | None) -> dict[str, bool]:
    """The wish about special tokens as it is, for a `TokenCache`."""
    return {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}


WORDS = [word for sentence in SENTENCES for word in sentence.split()]
AWKWARD = [*WORDS, "<|im_start|>", "<mask>", "<sep>", "<bos>", "sea was dark", "1234567", "\u0301x", "  ", "x" * 60]


def prose(rng: random.Random, n: int, words: Sequence[str] = AWKWARD) -> str:
    return " ".join(rng.choices(words, k=n))


def few_shot_texts(seed: int, *, n: int = 40, shots: str = "fixed", words: Sequence[str] = AWKWARD) -> list[str]:
    """Contexts of a cell, and each with its options."""
    rng = random.Random(seed)
    pool = [f"Question: {prose(rng, 9, words)}?\nAnswer: {prose(rng, 2, words)}\n\n" for _ in range(6)]
    texts = []
    for _ in range(n):
        examples = pool[:4] if shots == "fixed" else rng.sample(pool, 4)
        context = "".join(examples) + f"Question: {prose(rng, 5, words)}?\nAnswer:"
        texts += [context, *(context + option for option in (" A", " A B", f" {prose(rng, 2, words)}", "'s"))]
    return texts
