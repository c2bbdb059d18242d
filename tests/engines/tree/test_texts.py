"""Texts where engines go wrong: odd stops, sampling, and what only lm-eval's code writes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch

from harness.engines.tree.lm import TreeLM
from harness.engines.tree.model import Work
from tests.builders import prompts, zoo
from tests.builders.prompts import PAIRS
from tests.engines.tree.parity import assert_same, scored, written

pytestmark = pytest.mark.parity

WRITERS = ("llama", "mistral", "gemma3")
"""Architectures that are asked for texts of every kind: each has another tokenizer or mask."""
SAMPLED: dict[str, Any] = {"until": ["\n"], "max_gen_toks": 8, "do_sample": True, "temperature": 0.9}


# --- texts ----------------------------------------------------------------------------------------------------------

ASKED: dict[str, dict[str, Any]] = {
    "several-stops": {"until": ["\n\n", "Question:", " apple is", "ar", "The sea"], "max_gen_toks": 24},
    "one-stop-as-a-string": {"until": "e", "max_gen_toks": 24},
    "no-stop": {"max_gen_toks": 12},
    "no-stop-given": {"until": [], "max_gen_toks": 12},
    "an-empty-stop": {"until": [""], "max_gen_toks": 12},
    "one-token": {"until": ["\n"], "max_gen_toks": 1},
    "tokens-by-another-name": {"until": ["\n"], "max_new_tokens": 5},
    "a-temperature-without-sampling": {"max_gen_toks": 6, "do_sample": False, "temperature": 0.7, "top_p": 0.9},
    "temperature-zero": {"max_gen_toks": 6, "temperature": 0.0},
    "a-length-of-prompt-and-text": {"until": ["\n"], "max_gen_toks": 12, "max_length": 80},
    "another-end-of-text": {"max_gen_toks": 12, "eos_token_id": [260, 270, 280, 300, 310]},
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("species", WRITERS)
def test_texts_equal_lm_evals_with(species: str, asked: dict[str, Any]) -> None:
    texts = prompts.prompts()[::2]
    assert written(zoo.tree(species), texts, **asked) == written(zoo.lm_eval(species), texts, **asked)


@pytest.mark.parametrize("species", ["llama", "mistral", "gpt-neox"])
def test_stop_strings_that_begin_and_end_inside_tokens_equal_lm_evals(species: str) -> None:
    reference, tree, texts = zoo.lm_eval(species), zoo.tree(species), prompts.prompts()[::2]
    # cut out of the middle of what the model writes, so that they are met
    whole = written(reference, texts, max_gen_toks=20)
    places = [(5, 3), (8, 5), (12, 2), (2, 4)]
    stops = sorted({text[i : i + length] for text in whole for i, length in places if len(text) > i + length})
    rng, shortened = random.Random(4), 0
    for _ in range(3):
        asked = {"until": rng.sample(stops, 3), "max_gen_toks": 20}
        wanted = written(reference, texts, **asked)
        shortened += sum(len(cut) < len(full) for cut, full in zip(wanted, whole, strict=True))
        assert written(tree, texts, **asked) == wanted
    assert shortened > 2


@pytest.mark.parametrize("several", [False, True], ids=["one-end", "a-list-of-ends"])
def test_texts_end_where_the_generation_config_says(several: bool) -> None:
    first = zoo.lm_eval("llama")
    # tokens that the model likes: the text ends with them, and keeps them where they are no special tokens
    liked = Counter(first.tok_encode("".join(written(first, prompts.prompts(), max_gen_toks=16)))[1:])
    ends = [token for token, _ in liked.most_common(8)]

    def end_sooner(model: Any) -> None:
        model.generation_config.eos_token_id = ends if several else ends[0]

    reference, tree = zoo.build_both("llama", end_sooner)
    asked: dict[str, Any] = {"until": ["\n"], "max_gen_toks": 16}
    wanted = written(reference, prompts.prompts(), **asked)
    assert wanted != written(first, prompts.prompts(), **asked)
    assert written(tree, prompts.prompts(), **asked) == wanted


def test_an_empty_prompt_equals_lm_evals() -> None:
    asked: dict[str, Any] = {"until": ["\n"], "max_gen_toks": 8}
    texts = ["", "The apple", ""]
    assert written(zoo.tree("llama"), texts, **asked) == written(zoo.lm_eval("llama"), texts, **asked)


def test_requests_of_other_limits_and_stops_in_one_call_equal_lm_evals() -> None:
    reference, tree = zoo.lm_eval("mistral"), zoo.tree("mistral")
    requests = [
        request
        for asked in ({"until": ["e"], "max_gen_toks": 3}, {"until": ["\n"], "max_gen_toks": 20}, {"max_gen_toks": 60})
        for request in prompts.texts(prompts.prompts()[:6], **asked)
    ]
    random.Random(1).shuffle(requests)
    assert tree.generate_until(requests) == reference.generate_until(requests, disable_tqdm=True)


def test_slots_are_filled_before_texts_are_written_on() -> None:
    # the last of the prompts' passes would find less than a quarter of the slots free
    tree = zoo.build_tree("llama", token_budget=200)
    texts = [f"{number} apples and a pear" for number in range(10, 50)]
    tree.work = Work()
    written(tree, texts, until=["never written"], max_gen_toks=6)
    # one position for each token of a text: no pass has idle slots
    assert tree.work.scored == 6 * len(texts)


# --- sampling -------------------------------------------------------------------------------------------------------


def sampled(tree: TreeLM, texts: Sequence[str], *, seed: int, n: int = 1, **asked: Any) -> list[list[str]]:
    """`n` texts for each prompt."""
    tree.seed = seed
    responses = tree.generate_until(prompts.texts([text for text in texts for _ in range(n)], **{**SAMPLED, **asked}))
    return [responses[i * n : (i + 1) * n] for i in range(len(texts))]


def test_a_seed_fixes_what_is_sampled_and_another_changes_it() -> None:
    tree = zoo.build_tree("llama")
    texts = prompts.prompts()[:4]
    first = sampled(tree, texts, seed=3, n=4)
    assert sampled(tree, texts, seed=3, n=4) == first
    assert sampled(tree, texts, seed=4, n=4) != first


def test_samples_of_one_prompt_differ() -> None:
    tree = zoo.build_tree("llama")
    for group in sampled(tree, prompts.prompts()[:4], seed=3, n=6):
        assert len(set(group)) >= 5


@pytest.mark.parametrize("budget", [7, 64, 100_000])
def test_samples_do_not_depend_on_the_token_budget(budget: int) -> None:
    texts = prompts.prompts()[:6]
    usual = sampled(zoo.build_tree("llama"), texts, seed=3, n=3)
    assert sampled(zoo.build_tree("llama", token_budget=budget), texts, seed=3, n=3) == usual


def test_samples_do_not_depend_on_other_requests() -> None:
    tree = zoo.build_tree("llama")
    texts = ["A", *prompts.prompts()[:3]]
    whole = sampled(tree, texts, seed=3, n=3)
    assert sampled(tree, texts[2:3], seed=3, n=3) == whole[2:3]
    assert sampled(tree, texts[::-1], seed=3, n=3) == whole[::-1]
    # the first n of more samples are the n samples
    assert sampled(tree, texts, seed=3, n=2) == [group[:2] for group in whole]


def test_samples_do_not_move_torchs_own_generator() -> None:
    tree = zoo.build_tree("llama")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    sampled(tree, ["The apple"], seed=3, n=3)
    assert torch.equal(torch.rand(3), expected)


def least_certain_prompt(species: str) -> str:
    """After which many tokens are likely."""
    reference = zoo.lm_eval(species)

    def certainty(text: str) -> float:
        with torch.no_grad():
            tokens = torch.tensor([reference.tok_encode(text)], device=zoo.DEVICE)
            return float(reference.model(tokens).logits[0, -1].softmax(-1).max())

    return min(prompts.prompts(), key=certainty)


WARPED: dict[str, dict[str, Any]] = {
    "temperature": {"temperature": 0.6},
    "top-k": {"temperature": 1.2, "top_k": 5},
    "top-p": {"temperature": 1.0, "top_p": 0.7},
    "all-of-them": {"temperature": 1.3, "top_k": 30, "top_p": 0.8},
    "min-p": {"temperature": 1.1, "min_p": 0.1},
}


@pytest.mark.parametrize("asked", WARPED.values(), ids=WARPED)
def test_first_tokens_are_drawn_as_often_as_transformers_draws_them(asked: dict[str, Any]) -> None:
    tree, n = zoo.build_tree("llama"), 800
    prompt = least_certain_prompt("llama")
    (texts,) = sampled(tree, [prompt], seed=1, n=n, until=[], max_gen_toks=1, **asked)
    context = torch.tensor([tree.tok_encode(prompt)], device=zoo.DEVICE)
    torch.manual_seed(2)
    theirs = zoo.lm_eval("llama").model.generate(
        context, attention_mask=torch.ones_like(context), max_new_tokens=1, do_sample=True, num_return_sequences=n,
        pad_token_id=0, **asked,
    )  # fmt: skip
    mine = Counter(texts)
    other = Counter(tree.tok_decode([token]) for token in theirs[:, -1].tolist())
    # what neither draws often is one class: the test needs some of each
    common = [text for text in mine | other if mine[text] + other[text] >= 20]
    table = np.array([[counts[text] for text in common] for counts in (mine, other)])
    rest = n - table.sum(axis=1, keepdims=True)
    table = np.hstack([table, rest]) if rest.sum() else table
    assert table.shape[1] >= 3
    assert scipy.stats.chi2_contingency(table).pvalue > 1e-4


def test_first_tokens_are_drawn_as_often_as_the_softmax_says() -> None:
    tree, n, temperature = zoo.build_tree("gpt-neox"), 2000, 0.8
    prompt = least_certain_prompt("gpt-neox")
    (texts,) = sampled(tree, [prompt], seed=1, n=n, until=[], max_gen_toks=1, temperature=temperature, top_k=0)
    with torch.no_grad():
        tokens = torch.tensor([tree.tok_encode(prompt)], device=zoo.DEVICE)
        logits = zoo.lm_eval("gpt-neox").model(tokens).logits[0, -1].double()
    expected: Counter[str] = Counter()
    for token, probability in enumerate((logits / temperature).softmax(-1).tolist()):
        expected[tree.tok_decode([token])] += n * probability  # type: ignore[assignment]
    common = [text for text in expected if expected[text] >= 8]
    drawn = Counter(texts)
    found = np.array([drawn[text] for text in common] + [n - sum(drawn[text] for text in common)])
    due = np.array([expected[text] for text in common] + [n - sum(expected[text] for text in common)])
    assert len(common) >= 5
    assert scipy.stats.chisquare(found, due).pvalue > 1e-4


def test_a_temperature_alone_asks_for_samples() -> None:
    tree = zoo.build_tree("llama")
    tree.seed = 1
    found = tree.generate_until(prompts.texts(["The apple is"] * 5, max_gen_toks=6, temperature=1.0))
    assert len(set(found)) > 1


# --- what is left to lm-eval ----------------------------------------------------------------------------------------

NOT_OURS: dict[str, dict[str, Any]] = {
    "beams": {"num_beams": 3},
    "a-penalty-for-repetition": {"repetition_penalty": 1.6},
    "no-repeated-words": {"no_repeat_ngram_size": 1},
    "typical-sampling": {"do_sample": True, "temperature": 1.0, "typical_p": 0.5},
    "words-forbidden": {"bad_words_ids": [[token] for token in range(260, 300)]},
    "tokens-suppressed": {"suppress_tokens": list(range(260, 300))},
    "a-least-length": {"min_new_tokens": 6, "eos_token_id": list(range(260, 330))},
    "a-forced-end": {"forced_eos_token_id": 2},
}


@pytest.mark.parametrize("asked", NOT_OURS.values(), ids=NOT_OURS)
def test_texts_that_the_tree_does_not_write_itself_equal_lm_evals(asked: dict[str, Any]) -> None:
    reference, tree = zoo.lm_eval("llama"), zoo.tree("llama")
    texts, found = prompts.prompts()[3:7], []
    for lm in (reference, tree):
        torch.manual_seed(11)
        found.append(written(lm, texts, until=["\n"], max_gen_toks=10, **asked))
    assert found[0] == found[1]
    assert found[0] != written(reference, texts, until=["\n"], max_gen_toks=10)


@pytest.mark.parametrize(
    "setting",
    [{"repetition_penalty": 1.6}, {"num_beams": 3}, {"suppress_tokens": list(range(260, 300))}],
    ids=lambda setting: next(iter(setting)),
)
def test_a_generation_config_that_the_tree_does_not_follow_equals_lm_evals(setting: dict[str, Any]) -> None:
    reference, tree = zoo.build_both("llama", lambda model: model.generation_config.update(**setting))
    asked: dict[str, Any] = {"until": ["\n"], "max_gen_toks": 10}
    texts = prompts.prompts()[3:7]
    wanted = written(reference, texts, **asked)
    assert written(tree, texts, **asked) == wanted
    assert wanted != written(zoo.lm_eval("llama"), texts, **asked)


def test_an_option_that_nobody_knows_is_refused_as_by_lm_eval() -> None:
    for lm in (zoo.lm_eval("llama"), zoo.tree("llama")):
        with pytest.raises((ValueError, TypeError)):
            written(lm, ["The apple"], max_gen_toks=2, no_such_option=3)


def test_some_texts_left_to_lm_eval_among_others() -> None:
    reference, tree = zoo.lm_eval("llama"), zoo.tree("llama")
    requests = [
        *prompts.texts(prompts.prompts()[:3], until=["\n"], max_gen_toks=8, repetition_penalty=1.6),
        *prompts.texts(prompts.prompts()[:3], until=["\n"], max_gen_toks=8),
    ]
    random.Random(0).shuffle(requests)
    assert tree.generate_until(requests) == reference.generate_until(requests, disable_tqdm=True)


SETTINGS: dict[str, dict[str, Any]] = {
    "softmax-in-another-dtype": {"softmax_dtype": "bfloat16"},
    "mixed-precision": {"mixed_precision_dtype": "bfloat16"},
    "an-end-of-thinking": {"think_end_token": "e"},
    "an-end-of-thinking-as-a-token": {"think_end_token": 270},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_rare_settings_of_lm_eval_are_followed(settings: dict[str, Any]) -> None:
    reference, tree = zoo.build_both("llama", **settings)
    pairs = PAIRS["fixed-shots"]()[:8]
    assert_same(scored(tree, pairs), scored(reference, pairs))
    asked: dict[str, Any] = {"until": ["\n"], "max_gen_toks": 12}
    assert written(tree, prompts.prompts()[:4], **asked) == written(reference, prompts.prompts()[:4], **asked)
