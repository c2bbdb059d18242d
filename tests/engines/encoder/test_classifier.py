"""Models with classes asked tasks whose options are these classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance

from harness.engines.encoder.classifier import ClassifierLM
from harness.engines.protocol import EngineSettings, open_engine
from harness.errors import HarnessError
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell, zoo
from tests.builders.encoders import encoder, save_encoder, word_pieces
from tests.builders.scripted import local_task

LABELS = ("red", "blue", "NOT_GOOD")


def asked(text: str, option: str, idx: int = 0) -> Instance:
    return Instance(request_type="loglikelihood", doc={}, arguments=(text, f" {option}"), idx=idx, metadata=("t", 5, 1))


def lm_of(model: Any, **settings: Any) -> ClassifierLM:
    return ClassifierLM(pretrained=model, tokenizer=word_pieces(), **({"batch_size": 4} | settings))


def expected(model: Any, text: str) -> Any:
    with torch.no_grad():
        return model(torch.tensor([word_pieces()(text)["input_ids"]])).logits[0].log_softmax(-1)


def test_an_option_has_the_log_probability_of_the_class_of_its_name() -> None:
    model = encoder("ForSequenceClassification", labels=LABELS)
    texts = ["the thing", "tom lives in paris in the red thing"]
    found = lm_of(model).respond([asked(text, option) for text in texts for option in ("Red", "blue", "not good")])
    of_texts = [expected(model, text) for text in texts]
    assert [score for score, _ in found] == pytest.approx([float(x) for one in of_texts for x in one], abs=1e-5)
    assert [likeliest for _, likeliest in found] == [i == int(one.argmax()) for one in of_texts for i in range(3)]


def test_classes_without_names_are_taken_by_number() -> None:
    model = encoder("ForSequenceClassification", labels=("LABEL_0", "LABEL_1"))
    found = lm_of(model).respond([asked("the thing", "bad", 0), asked("the thing", "good", 1)])
    assert [score for score, _ in found] == pytest.approx(expected(model, "the thing").tolist(), abs=1e-5)


def test_an_option_that_is_no_class_is_named_with_its_document() -> None:
    lm = lm_of(encoder("ForSequenceClassification", labels=LABELS))
    with pytest.raises(HarnessError, match=r"document 5: the option 'green' is none of the classes .* red, blue, NOT_"):
        lm.pair_tokens([asked("the thing", "green", 2)])


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"labels": ("score",)}, "1 classes"),
        ({"labels": ("a", "b"), "problem_type": "multi_label_classification"}, "multi_label_classification"),
    ],
)
def test_a_head_that_chooses_no_single_class_is_refused(settings: dict[str, Any], found: str) -> None:
    with pytest.raises(HarnessError, match=f"{found}.*; expected one that chooses one class among several"):
        lm_of(encoder("ForSequenceClassification", **settings))


def test_a_decoder_with_such_a_head_reads_the_end_of_each_text() -> None:
    base = zoo.model("llama").config
    from transformers import LlamaForSequenceClassification

    torch.manual_seed(0)
    config = type(base)(**{**base.to_dict(), "num_labels": 3, "pad_token_id": None})
    model = LlamaForSequenceClassification(config).eval()
    words = zoo.tokens("plain")
    lm = ClassifierLM(pretrained=model, tokenizer=words, batch_size=4)
    texts = ["The thing", "The thing is somewhere else than the other thing"]
    found = lm.respond([asked(text, "x", 1) for text in texts])
    with torch.no_grad():
        alone = [float(model(torch.tensor([words.encode(t)])).logits[0].log_softmax(-1)[1]) for t in texts]
    assert [score for score, _ in found] == pytest.approx(alone, abs=1e-5)


def task_of(folder: Path) -> TaskSpec:
    documents = [{"q": f"the thing {i}", "a": ("red", "blue")[i % 2]} for i in range(6)]
    return local_task(
        folder,
        {"test": documents},
        "acc",
        "prob_correct",
        output_type="multiple_choice",
        doc_to_choice=["red", "blue"],
    )


def test_a_folder_answers_a_task_whose_options_are_its_classes(tmp_path: Path) -> None:
    model = encoder("ForSequenceClassification", labels=LABELS)
    spec = ModelSpec(name="sorter", family="s", params=1, path=str(save_encoder(tmp_path / "sorter", model)))
    task = task_of(tmp_path)
    engine = open_engine("encoder", spec, EngineSettings())
    result = engine.evaluate(cell(of=task, model=spec, shots=0, engine="encoder"), task)
    for sample in result.samples:
        likely = expected(model, sample.prompt)[:2]
        assert sample.option_loglikelihoods == pytest.approx(likely.tolist(), abs=1e-5)
        assert sample.scores["acc"] == float(sample.target == ("red", "blue")[int(likely.argmax())])
    shown = replace(cell(of=task, model=spec, engine="encoder"), shots=2)
    with pytest.raises(HarnessError, match="learns nothing from examples before a question; expected --shots 0"):
        engine.evaluate(shown, task)
