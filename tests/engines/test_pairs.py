"""Context and continuation of a likelihood must be split as lm-eval splits them, for every kind of tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.models.huggingface import HFLM

from harness.engines.encoding import TokenCache
from harness.engines.pairs import Pair, encode_pairs
from tests.builders.tokenizers import NAMES, few_shot_texts, plain, tokenizers_of_all_kinds


@pytest.fixture
def zoo() -> Mapping[str, Any]:
    """One tokenizer of every kind, by name."""
    return tokenizers_of_all_kinds()


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


def test_equal_contexts_are_one_list(zoo: Mapping[str, Any]) -> None:
    texts = few_shot_texts(8, n=4)[::5]
    pairs = [(text, option) for text in texts for option in (" A", " B")] + [("", "A"), ("", "B")]
    found = encode_pairs(pairs, TokenCache(zoo["gpt-2"], plain), 1)
    for first, second in zip(found[::2], found[1::2], strict=True):
        assert first.context is second.context
    assert len({id(pair.context) for pair in found}) == 5
