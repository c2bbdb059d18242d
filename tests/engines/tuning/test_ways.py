"""What a loaded model becomes is what was trained, and what cannot be trained is refused before it is."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance

from harness.engines.tuning.learning import learn
from harness.engines.tuning.ways import way_for
from harness.errors import ModelError
from harness.treatments import Finetune, Lora, PrefixTuning, PromptTuning, TaskTraining
from tests.builders import zoo
from tests.builders.trained import PADDING, rows

QUICK = {"steps": 3, "batch": 4, "learning_rate": 0.05}
TOKENS = torch.tensor([[5, 9, 11, 4, 7, 30, 8]])


def trained(lm: Any, how: TaskTraining, folder: Path) -> Any:
    """A copy of the model after training; what came out is in the folder."""
    way = way_for(how, lm)
    torch.manual_seed(0)
    copied = way.wrapped()
    learn(copied, rows(), how, rate=how.rate_for(1), seed=0, padding=PADDING, folder=folder, device="cpu")
    folder.mkdir(exist_ok=True)
    way.keep(copied, folder)
    return copied


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    return model(input_ids=TOKENS).logits


@pytest.mark.parametrize("species", ["llama", "gpt2", "gpt-neox"])
@pytest.mark.parametrize("how", [Finetune(**QUICK), Lora(rank=4, **QUICK)], ids=lambda how: type(how).__name__)
def test_the_loaded_model_answers_as_the_trained_one(species: str, how: TaskTraining, tmp_path: Path) -> None:
    """For LoRA: the update added to the weights gives what the update beside them gave."""
    lm = zoo.build_tree(species)
    plain = logits(lm.model)
    wanted = logits(trained(lm, how, tmp_path))
    assert torch.equal(logits(lm.model), plain), "training must not touch the loaded model"
    assert way_for(how, lm).put_on(tmp_path) > 0
    assert torch.allclose(logits(lm.model), wanted, atol=1e-4)
    assert not torch.allclose(wanted, plain, atol=1e-2)


def test_an_update_replaces_the_one_before(tmp_path: Path) -> None:
    lm = zoo.build_tree("llama")
    one, other = Lora(rank=2, **QUICK), Lora(rank=2, **QUICK | {"steps": 5})
    trained(lm, one, tmp_path / "one")
    wanted = logits(trained(lm, other, tmp_path / "other"))
    way = way_for(one, lm)
    assert way.put_on(tmp_path / "one") == way.put_on(tmp_path / "other")
    assert torch.allclose(logits(lm.model), wanted, atol=1e-4)


def test_vectors_before_a_prompt_are_read_as_peft_reads_them(tmp_path: Path) -> None:
    lm = zoo.build_tree("llama")
    asked = [Instance("loglikelihood", {}, ("The sky is", f" {colour}"), 0) for colour in ("blue", "green")]
    plain = [found for found, _ in lm.loglikelihood(asked)]
    how = PromptTuning(tokens=3, **QUICK)
    copied = trained(lm, how, tmp_path)
    assert way_for(how, lm).put_on(tmp_path) == 3 * lm.model.config.hidden_size
    found = [one for one, _ in lm.loglikelihood(asked)]
    for value, before, request in zip(found, plain, asked, strict=True):
        (pair,) = lm.pair_tokens([request])
        whole = torch.tensor([[*pair.context, *pair.continuation]])
        with torch.no_grad():
            scores = copied(input_ids=whole, attention_mask=torch.ones_like(whole)).logits.log_softmax(-1)[0, 3:]
        first = len(pair.context) - 1
        wanted = sum(float(scores[first + i, token]) for i, token in enumerate(pair.continuation))
        assert value == pytest.approx(wanted, abs=1e-4)
        assert value != pytest.approx(before, abs=1e-3)
    lm.read_first(None)
    assert [one for one, _ in lm.loglikelihood(asked)] == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize("species", ["llama", "gpt-neox", "gpt2", "opt", "qwen3", "gemma3"])
def test_a_prefix_is_seen_as_peft_lets_it_be_seen(species: str, tmp_path: Path) -> None:
    """Likelihoods and texts; the wanted ones are those of peft's own forward pass, over the whole text each time."""
    lm = zoo.build_tree(species)
    asked = [
        Instance("loglikelihood", {}, (f"The {what} is", f" {c}"), 0) for what in ("sky", "old house") for c in "ab"
    ]
    plain = [found for found, _ in lm.loglikelihood(asked)]
    how = PrefixTuning(tokens=3, **QUICK)
    copied = trained(lm, how, tmp_path)
    assert way_for(how, lm).put_on(tmp_path) == sum(p.numel() for p in copied.parameters() if p.requires_grad)
    assert lm.max_length == zoo.CONTEXT - 3

    @torch.no_grad()
    def scores(tokens: list[int]) -> torch.Tensor:
        whole = torch.tensor([tokens])
        return copied(input_ids=whole, attention_mask=torch.ones_like(whole)).logits[0].log_softmax(-1)

    found = [one for one, _ in lm.loglikelihood(asked)]
    for value, before, pair in zip(found, plain, lm.pair_tokens(asked), strict=True):
        after = scores([*pair.context, *pair.continuation])[len(pair.context) - 1 :]
        wanted = sum(float(after[i, token]) for i, token in enumerate(pair.continuation))
        assert value == pytest.approx(wanted, abs=2e-4)
        assert value != pytest.approx(before, abs=1e-3)
    options = {"until": ["\n\n\n"], "max_gen_toks": 4, "do_sample": False}
    texts = [Instance("generate_until", {}, (request.args[0], options), 0) for request in asked[1:3]]
    for text, request in zip(lm.generate_until(texts), texts, strict=True):
        prompt = lm.prompt_tokens(request.args[0])
        written: list[int] = []
        while len(written) < 4 and (token := int(scores([*prompt, *written])[-1].argmax())) != lm.eot_token_id:
            written.append(token)
        assert text == lm.finished([0, 0, 0, *prompt], written, ["\n\n\n"])
    lm.read_first(None)
    assert [one for one, _ in lm.loglikelihood(asked)] == pytest.approx(plain, abs=1e-5)


def test_texts_are_written_after_the_vectors(tmp_path: Path) -> None:
    lm = zoo.build_tree("llama")
    options = {"until": ["\n"], "max_gen_toks": 6, "do_sample": False}
    asked = [Instance("generate_until", {}, (f"The {thing} is", options), 0) for thing in ("sky", "sea", "old house")]
    lm.read_first(torch.zeros(2, lm.model.config.hidden_size))
    alone = [lm.generate_until([one])[0] for one in asked]
    assert lm.generate_until(asked) == alone
    assert lm.max_length == zoo.CONTEXT - 2
    embedding = lm.model.get_input_embeddings()
    for request, text in zip(asked, alone, strict=True):
        rows_ = embedding(torch.tensor([lm.prompt_tokens(request.args[0])]))
        seen = torch.cat([torch.zeros(1, 2, rows_.shape[-1]), rows_], dim=1)
        tokens: list[int] = []
        for _ in range(6):
            with torch.no_grad():
                token = int(lm.model(inputs_embeds=seen).logits[0, -1].argmax())
            tokens.append(token)
            seen = torch.cat([seen, embedding(torch.tensor([[token]]))], dim=1)
        assert lm.finished([0, 0, *lm.prompt_tokens(request.args[0])], tokens, ["\n"]) == text


class _Quantised:
    def __init__(self) -> None:
        self.model = copy.deepcopy(zoo.model("llama"))
        self.model.hf_quantizer = object()


class _NoLinear:
    def __init__(self) -> None:
        self.model = copy.deepcopy(zoo.model("llama"))
        for module in self.model.modules():
            if isinstance(module, torch.nn.Linear):
                module.__class__ = type("Own", (torch.nn.Module,), {"forward": torch.nn.Linear.forward})


@pytest.mark.parametrize(
    ("lm", "how", "said"),
    [
        (_Quantised, Finetune(), "its weights are quantised already"),
        (_NoLinear, Lora(rank=2), "0% of its weights outside embeddings are in linear layers"),
        (lambda: zoo.bridge("llama"), PromptTuning(tokens=4), "read by the engine tree alone"),
        (lambda: zoo.build_tree("bloom"), PromptTuning(tokens=4), "by the code of the engine tree, and not where"),
        (lambda: zoo.bridge("llama"), PrefixTuning(tokens=4), "read by the engine tree alone"),
        (
            lambda: zoo.build_tree("mistral-window"),
            PrefixTuning(tokens=60),
            "its layers have keys and values of different shapes, so that no prefix fits them all",
        ),
        (
            lambda: zoo.tree("llama"),
            PromptTuning(tokens=100),
            "100 vectors leave little room for a prompt in 160 tokens",
        ),
    ],
)
def test_what_a_model_cannot_take_is_said_before_anything_is_trained(lm: Any, how: TaskTraining, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        way_for(how, lm())
