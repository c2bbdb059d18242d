"""Encoder-decoders: likelihoods equal those of lm-eval, and texts end where they should."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from harness.engines.protocol import EngineSettings, open_engine
from harness.engines.seq2seq import Seq2SeqLM
from harness.errors import HarnessError
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell, zoo

pytestmark = pytest.mark.parity

CONTEXTS = ("Where is the thing?", "A thing\nand another thing: which is longer than that?", "", "Why?")
ANSWERS = (" here", " in the other place", " x", "\n")


@functools.cache
def bart() -> Any:
    """BART: learned positions, and a token that the decoder starts from of its own."""
    words = zoo.tokens("bos")
    sizes = {"d_model": 48, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": zoo.CONTEXT}
    layers = {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4}
    config = transformers.BartConfig(
        vocab_size=len(words),
        pad_token_id=words.pad_token_id,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        decoder_start_token_id=words.eos_token_id,
        forced_eos_token_id=None,
        **sizes,
        **layers,
    )
    torch.manual_seed(0)
    model = transformers.BartForConditionalGeneration(config).eval()
    zoo.enlarge(model, zoo.ZOO["t5"])
    return model


def of(kind: Any, species: str, **settings: Any) -> Any:
    if species == "t5":
        return zoo.build(kind, "t5", None, **settings)
    settings = {"batch_size": 1, "device": zoo.DEVICE} | settings
    return kind(pretrained=copy.deepcopy(bart()), tokenizer=copy.deepcopy(zoo.tokens("bos")), **settings)


def likelihoods(pairs: list[tuple[str, str]]) -> list[Instance]:
    return [
        Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=0, metadata=("t", i, 1))
        for i, pair in enumerate(pairs)
    ]


def texts(prompts: list[str], **options: Any) -> list[Instance]:
    given = {"until": ["\n"], "do_sample": False, "max_gen_toks": 12} | options
    return [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, dict(given)), idx=0, metadata=("t", i, 1))
        for i, prompt in enumerate(prompts)
    ]


@pytest.mark.parametrize("species", ["t5", "bart"])
@pytest.mark.parametrize("batch_size", [1, 5])
def test_likelihoods_equal_those_of_lm_eval(species: str, batch_size: int) -> None:
    requests = likelihoods([(context, answer) for context in CONTEXTS for answer in ANSWERS])
    theirs = of(HFLM, species, backend="seq2seq").loglikelihood(requests, disable_tqdm=True)
    ours = of(Seq2SeqLM, species, batch_size=batch_size).respond(requests)
    assert [score for score, _ in ours] == pytest.approx([score for score, _ in theirs], abs=2e-4)
    assert [likeliest for _, likeliest in ours] == [likeliest for _, likeliest in theirs]
    assert len({round(score, 3) for score, _ in ours}) > len(ANSWERS)  # the question matters


def test_whole_texts_equal_those_of_lm_eval() -> None:
    requests = [
        Instance(request_type="loglikelihood_rolling", doc={}, arguments=(text,), idx=0, metadata=("t", 0, 1))
        for text in ("The thing is here.", "x")
    ]
    theirs = of(HFLM, "t5", backend="seq2seq").loglikelihood_rolling(requests, disable_tqdm=True)
    assert of(Seq2SeqLM, "t5").respond(requests) == pytest.approx(theirs, abs=2e-4)


@pytest.mark.parametrize("species", ["t5", "bart"])
def test_texts_are_those_of_lm_eval_up_to_the_most_tokens(species: str) -> None:
    prompts = [context for context in CONTEXTS if context] + ["One more", "And the last of them."]
    limit = 12
    together = of(Seq2SeqLM, species, batch_size=5).respond(texts(prompts, max_gen_toks=limit))
    alone = of(Seq2SeqLM, species).respond(texts(prompts, max_gen_toks=limit))
    theirs = of(HFLM, species, backend="seq2seq").generate_until(texts(prompts, max_gen_toks=limit), disable_tqdm=True)
    assert together == alone
    # lm-eval lets an encoder-decoder write as many tokens more as its prompt has
    assert all(text.startswith(ours) for text, ours in zip(theirs, together, strict=True))
    assert len(set(together)) > 1


def test_a_text_has_the_most_tokens_and_ends_at_its_stop_string() -> None:
    lm = of(Seq2SeqLM, "t5", batch_size=4)
    (long,) = lm.respond(texts(["Where is the thing?"], max_gen_toks=20, until=[]))
    (short,) = lm.respond(texts(["Where is the thing?"], max_gen_toks=6, until=[]))
    written = lm.tokenizer.encode(long, add_special_tokens=False)
    assert long.startswith(short)
    assert 4 <= len(lm.tokenizer.encode(short, add_special_tokens=False)) <= 7 < len(written)
    stop = long[3:6]
    (stopped,) = lm.respond(texts(["Where is the thing?"], max_gen_toks=20, until=[stop]))
    assert stopped == long[: long.index(stop)]


def test_prompt_and_answer_have_a_context_each() -> None:
    lm = of(Seq2SeqLM, "t5")
    assert lm.context_needed(100, 20, 0) == 100
    assert lm.context_needed(10, 0, 90) == 90
    assert lm.prompt_room(90) == lm.max_length


def test_a_decoder_is_refused() -> None:
    with pytest.raises(HarnessError, match="is no encoder with a decoder; expected --engine tree"):
        zoo.build(Seq2SeqLM, "llama", None)


def test_a_folder_answers_options_and_texts(tmp_path: Path, choice_task: TaskSpec, text_task: TaskSpec) -> None:
    folder = tmp_path / "t5"
    zoo.model("t5").save_pretrained(folder)
    zoo.tokens("bos").save_pretrained(folder)
    spec = ModelSpec(name="t5", family="t", params=1, path=str(folder))
    engine = open_engine("seq2seq", spec, EngineSettings(batch_size=8))
    for task in (choice_task, text_task):
        result = engine.evaluate(cell(of=task, model=spec, shots=1, limit=4, engine="seq2seq"), task)
        assert (result.n_expected, result.provenance.fallback) == (4, None)
        assert {score.metric for score in result.scores} == {metric.name for metric in task.metrics}
