"""The ids must be those of encoding each text by itself, for every kind of tokenizer there is."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.models.huggingface import HFLM
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
from harness.engines.encoding import TokenCache, _sample
from harness.engines.pairs import Pair, encode_pairs
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
ZOO: Mapping[str, Callable[[], Tokenizer]] = {
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
NAMES = [*ZOO, "embedded", "python"]


@pytest.fixture(scope="module")
def zoo() -> Mapping[str, Any]:
    """One tokenizer of every kind, by name."""
    made: dict[str, Any] = {
        name: PreTrainedTokenizerFast(
            tokenizer_object=build(), bos_token="<bos>", eos_token="<eos>", unk_token="<unk>", pad_token="<eos>"
        )
        for name, build in ZOO.items()
    }
    return made | {"embedded": load_tokenizer(EMBEDDED), "python": ByT5Tokenizer(bos_token="<bos>")}


class Counted:
    """A backend that counts the characters it is given."""

    def __init__(self, backend: Tokenizer) -> None:
        self._backend = backend
        self.texts: list[str] = []

    @property
    def n_chars(self) -> int:
        return sum(map(len, self.texts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def encode(self, text: str, **kwargs: Any) -> Any:
        self.texts.append(text)
        return self._backend.encode(text, **kwargs)

    def encode_batch(self, texts: Sequence[str], **kwargs: Any) -> Any:
        self.texts += texts
        return self._backend.encode_batch(texts, **kwargs)

    def encode_batch_fast(self, texts: Sequence[str], **kwargs: Any) -> Any:
        self.texts += texts
        return self._backend.encode_batch_fast(texts, **kwargs)


@pytest.fixture
def counted(zoo: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[Any, Counted]]:
    """A tokenizer of the zoo by name, and the backend that counts for it."""

    def count(name: str) -> tuple[Any, Counted]:
        backend = Counted(zoo[name].backend_tokenizer)
        monkeypatch.setattr(zoo[name], "_tokenizer", backend)
        return zoo[name], backend

    return count


class LmEval(TemplateLM):  # type: ignore[misc]  # lm-eval is untyped
    """lm-eval's own rules, with the pairs of token ids it would score."""

    tok_encode = HFLM.tok_encode
    backend = "causal"
    prefix_token_id = 1
    eot_token_id = 2

    def __init__(self, tokenizer: Any, add_bos_token: bool | None = None) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.add_bos_token = add_bos_token
        self.pairs: list[Pair] = []

    def _loglikelihood_tokens(self, requests: Any, **kwargs: Any) -> list[tuple[float, bool]]:
        self.pairs = [Pair(context, continuation) for _, context, continuation in requests]
        return []

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        raise NotImplementedError

    def special_tokens(self, text: str, add_special_tokens: bool | None) -> dict[str, bool]:
        """What HFLM hands to its tokenizer."""
        asked: list[dict[str, bool]] = []

        class Asked:
            decode = self.tokenizer.decode

            @staticmethod
            def encode(text: str, **kwargs: bool) -> list[int]:
                asked.append(kwargs)
                return []

        lm = LmEval(Asked, self.add_bos_token)
        lm.tok_encode(text, add_special_tokens=add_special_tokens)
        return asked[0]


def expected_pairs(lm: LmEval, pairs: Sequence[tuple[str, str]]) -> list[Pair]:
    """lm-eval's own; a context of white space, in which it finds no token, is what an empty context is."""
    lm.loglikelihood([Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)], disable_tqdm=True)
    return [pair if pair.context else Pair([lm.prefix_token_id], pair.continuation) for pair in lm.pairs]


def plain(text: str, add_special_tokens: bool | None) -> dict[str, bool]:
    return {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}


def assert_learnt(tokenizer: Any, texts: Sequence[str], add_special_tokens: bool | None = None) -> None:
    cache = TokenCache(tokenizer, plain)
    cache.learn(texts, add_special_tokens)
    for text in texts:
        expected = tokenizer.encode(text, **plain(text, add_special_tokens))
        assert cache.ids(text, add_special_tokens) == expected, text


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


@pytest.mark.parity
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("add_special_tokens", [None, True, False])
@pytest.mark.parametrize("shots", ["fixed", "random"])
def test_many_texts_have_the_ids_they_have_one_by_one(
    zoo: Mapping[str, Any], name: str, add_special_tokens: bool | None, shots: str
) -> None:
    assert_learnt(zoo[name], few_shot_texts(1, shots=shots), add_special_tokens)


@pytest.mark.parity
@pytest.mark.parametrize("name", NAMES)
def test_pairs_are_those_of_lm_eval(zoo: Mapping[str, Any], name: str) -> None:
    lm = LmEval(zoo[name])
    contexts = few_shot_texts(2, n=8)[::5]
    contexts += [f"{context}  " for context in contexts[:3]] + [f"{contexts[0]}\n \t", "The", "The "]
    contexts += [f"<bos>{context}" for context in contexts[:3]]
    options = [" red", " red and green", " r", "red", "\nred", " 12", "'s", " 🙂", "\u0301"]
    pairs = [(context, option) for context in contexts for option in options]
    pairs += [("", text) for text in (*options[:-1], "<bos>", "<bos> red", *contexts)]
    pairs += [("  ", " red"), ("\n", "red")]
    assert encode_pairs(pairs, TokenCache(zoo[name], lm.special_tokens), 1) == expected_pairs(lm, pairs)


@pytest.mark.parametrize("add_bos_token", [True, False])
def test_pairs_are_those_of_lm_eval_when_it_is_told_about_bos(zoo: Mapping[str, Any], add_bos_token: bool) -> None:
    lm = LmEval(zoo["llama-3"], add_bos_token)
    texts = few_shot_texts(3, n=6)
    pairs = [(start + text, " red") for text in texts for start in ("", "<bos>")] + [("", " red")]
    found = encode_pairs(pairs, TokenCache(zoo["llama-3"], lm.special_tokens), 1)
    assert found == expected_pairs(lm, pairs)
    assert [pair.context.count(1) for pair in found[:2]] == [int(add_bos_token), 1]


NASTY = st.sampled_from(
    [*" \n", *AWKWARD, *string.printable, "\u0301", "\u200d", "한", "é", "\u00a0", "\u3000", "ς", "Σ"]
)


@pytest.mark.parity
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.lists(NASTY, min_size=20, max_size=80).flatmap(
        lambda parts: st.sampled_from([" ", "", "\n"]).map(lambda gap: gap.join(parts))
    ),
    tails=st.lists(st.lists(NASTY, max_size=6).map("".join), min_size=12, max_size=30, unique=True),
)
def test_whatever_texts_begin_and_end_with_the_ids_are_the_same(
    zoo: Mapping[str, Any], name: str, head: str, tails: list[str]
) -> None:
    assert_learnt(zoo[name], [head + tail for tail in tails])


TAILS = ["", *" \ns\u0301🙂👍水", "  ", "34", "5678901", "start|>", " dark", " x", "\n\nx", "👍🏽", "mask>"]
ENDS = (" ", "\n", "\n\n", "12", "🙂", "e", "\u0301", "水", "  ", "\t", "'", "<", "<|im_", "sea was", "▁", "\r")


@pytest.mark.parity
@pytest.mark.parametrize("name", NAMES)
def test_a_common_beginning_may_end_with_anything(zoo: Mapping[str, Any], name: str) -> None:
    head = f"Question: {prose(random.Random(4), 12)}"
    for end in ENDS:
        assert_learnt(zoo[name], [f"{head}{end}{tail}" for tail in TAILS])


@pytest.mark.parametrize("name", [*ZOO, "embedded"])
@pytest.mark.parametrize("shots", ["fixed", "random"])
def test_a_common_beginning_is_encoded_once_where_texts_can_be_cut(
    counted: Callable[[str], tuple[Any, Counted]], name: str, shots: str
) -> None:
    tokenizer, backend = counted(name)
    cache = TokenCache(tokenizer, plain)
    cache.learn(few_shot_texts(6, n=10))  # tries what the tokenizer can do
    backend.texts.clear()
    texts = few_shot_texts(5, n=100, shots=shots, words=[*WORDS, *["<bos>"] * 20])
    cache.learn(texts)
    share = backend.n_chars / sum(map(len, set(texts)))
    assert share >= 1 if name in WHOLE else share < 0.3


def test_a_tokenizer_that_adds_a_token_at_the_end_shares_when_it_is_told_not_to(
    counted: Callable[[str], tuple[Any, Counted]],
) -> None:
    tokenizer, backend = counted("gpt-2 with eos")
    texts = few_shot_texts(5, n=100)
    TokenCache(tokenizer, plain).learn(texts, False)
    assert backend.n_chars < 0.4 * sum(map(len, set(texts)))


def test_a_text_that_is_known_is_not_encoded_again_until_it_is_forgotten(
    counted: Callable[[str], tuple[Any, Counted]],
) -> None:
    tokenizer, backend = counted("gpt-2")
    cache = TokenCache(tokenizer, plain)
    texts = few_shot_texts(7)
    cache.learn(texts)
    known = cache.ids(texts[0])
    backend.texts.clear()
    cache.learn(texts)
    assert cache.ids(texts[0]) is known
    assert backend.texts == []
    # another wish about special tokens is another text
    cache.ids(texts[0], False)
    assert backend.texts == [texts[0]]
    cache.forget()
    assert cache.ids(texts[0]) == known
    assert backend.texts == [texts[0]] * 2


def test_equal_contexts_are_one_list(zoo: Mapping[str, Any]) -> None:
    texts = few_shot_texts(8, n=4)[::5]
    pairs = [(text, option) for text in texts for option in (" A", " B")] + [("", "A"), ("", "B")]
    found = encode_pairs(pairs, TokenCache(zoo["gpt-2"], plain), 1)
    for first, second in zip(found[::2], found[1::2], strict=True):
        assert first.context is second.context
    assert len({id(pair.context) for pair in found}) == 5


def test_truncation_and_padding_left_in_the_backend_change_nothing(zoo: Mapping[str, Any]) -> None:
    texts = few_shot_texts(9)
    tokenizer = zoo["llama-3"]
    expected = [tokenizer.encode(text) for text in texts]
    tokenizer.backend_tokenizer.enable_truncation(max_length=20)
    tokenizer.backend_tokenizer.enable_padding(length=2000)
    cache = TokenCache(tokenizer, plain)
    cache.learn(texts)
    assert [cache.ids(text) for text in texts] == expected


class Shouting(PreTrainedTokenizerFast):
    """Does more than its backend."""

    def encode(self, text: str, **kwargs: Any) -> list[int]:
        ids: list[int] = super().encode(text.upper(), **kwargs)
        return ids


def test_a_tokenizer_that_does_more_than_its_backend_is_asked_for_every_text() -> None:
    assert_learnt(Shouting(tokenizer_object=ZOO["gpt-2"](), unk_token="<unk>"), few_shot_texts(10))


@pytest.fixture
def far_sighted() -> Any:
    """Words are whole only in texts that hold STOP, however far behind."""
    tokenizer = byte_level(GPT_2, "$A")
    tokenizer.pre_tokenizer = regex(r" ?\p{L}+(?=[\s\S]*STOP)| ?\p{L}|[\s\S]")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def test_a_tokenizer_that_looks_further_than_expected_is_found_out(far_sighted: Any) -> None:
    texts = [f"{text} STOP" if i % 2 else text for i, text in enumerate(few_shot_texts(11))]
    assert_learnt(far_sighted, texts)


HEAD = f"{prose(random.Random(12), 20, WORDS)} the sea was dark blue"
NEXT_WORD = r" ?\p{L}+(?= \S*Z)| ?\p{L}|[\s\S]"


def by_the_next_word() -> Tokenizer:
    """Words are whole only when the next one holds a Z."""
    tokenizer = byte_level(GPT_2, "$A")
    tokenizer.pre_tokenizer = regex(NEXT_WORD)
    return tokenizer


@pytest.mark.parametrize(
    ("build", "odd"),
    [
        pytest.param(by_the_next_word, [HEAD + " aboutZ"], id="the next word parts this one"),
        pytest.param(
            lambda: with_added_tokens(AddedToken("sea was dark blue and", normalized=False)),
            [HEAD + " and"],
            id="an added token has many words",
        ),
        pytest.param(
            ZOO["nfkc and lower case"],
            [f"{prose(random.Random(13), 9, WORDS)}\n½x two three{end}" for end in ("", " A", " B")],
            id="a character is several words",
        ),
    ],
)
def test_texts_that_are_not_in_the_sample_are_right_too(build: Callable[[], Tokenizer], odd: list[str]) -> None:
    texts = [f"{HEAD} about{i}" for i in range(200)]
    texts = [*texts[:120], *odd, *texts[120:], "the shortest", f"the longest {HEAD} {HEAD}"]
    assert not {texts.index(text) for text in odd} & _sample(texts)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=build(), unk_token="<unk>")
    expected = [tokenizer.encode(text) for text in texts]
    cache = TokenCache(tokenizer, plain)
    cache.learn(few_shot_texts(6, n=10))  # tries what the tokenizer can do
    tokenizer._tokenizer = backend = Counted(tokenizer.backend_tokenizer)
    cache.learn(texts)
    assert [cache.ids(text) for text in texts] == expected
    # the sample found nothing, so that the odd ones were not put right by encoding all texts whole
    assert backend.n_chars < 0.6 * sum(map(len, texts))
