"""The ids must be those of encoding each text by itself, for every kind of tokenizer there is."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast

from harness.engines.batch_encoding import _sample
from harness.engines.encoding import TokenCache
from tests.builders.tokenizers import (
    AWKWARD,
    GPT_2,
    KINDS,
    NAMES,
    WHOLE,
    WORDS,
    byte_level,
    few_shot_texts,
    plain,
    prose,
    regex,
    tokenizers_of_all_kinds,
    with_added_tokens,
)


@pytest.fixture
def zoo() -> Mapping[str, Any]:
    """One tokenizer of every kind, by name."""
    return tokenizers_of_all_kinds()


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


def assert_learnt(tokenizer: Any, texts: Sequence[str], add_special_tokens: bool | None = None) -> None:
    cache = TokenCache(tokenizer, plain)
    cache.learn(texts, add_special_tokens)
    for text in texts:
        expected = tokenizer.encode(text, **plain(text, add_special_tokens))
        assert cache.ids(text, add_special_tokens) == expected, text


@pytest.mark.parity
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("add_special_tokens", [None, True, False])
@pytest.mark.parametrize("shots", ["fixed", "random"])
def test_many_texts_have_the_ids_they_have_one_by_one(
    zoo: Mapping[str, Any], name: str, add_special_tokens: bool | None, shots: str
) -> None:
    assert_learnt(zoo[name], few_shot_texts(1, shots=shots), add_special_tokens)


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


@pytest.mark.parametrize("name", [*KINDS, "embedded"])
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


def test_truncation_and_padding_left_in_the_backend_change_nothing() -> None:
    texts = few_shot_texts(9)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=KINDS["llama-3"](), bos_token="<bos>", pad_token="<eos>")
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
    assert_learnt(Shouting(tokenizer_object=KINDS["gpt-2"](), unk_token="<unk>"), few_shot_texts(10))


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
            KINDS["nfkc and lower case"],
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
