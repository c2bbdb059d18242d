"""Models that label words, asked for the entities of a text."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance

from harness.engines.encoder.tagger import TaggerLM
from harness.engines.protocol import EngineSettings, open_engine
from harness.errors import HarnessError
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders.encoders import CONTEXT, TAGS, encoder, save_encoder, word_pieces
from tests.builders.tasks import metrics, write_jsonl

KNOWN = {"tom": "B-PER", "paris": "B-LOC", "acme": "B-ORG", "x": "B-PER", "##y": "O", "z": "I-PER"}
"""Label of each piece; all others are outside."""


def taught(labels: tuple[str, ...] = TAGS) -> Any:
    """A model that labels pieces by a table: its layers give each piece a direction, and its head reads it."""
    model = encoder("ForTokenClassification", labels=labels, hidden_dropout_prob=0.0, num_labels=len(labels))

    class Table(torch.nn.Module):
        def forward(self, states: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(*states.shape[:2], len(labels))
            for piece, label in KNOWN.items():
                if label in labels:
                    logits[..., labels.index(label)] += 9.0 * (model.seen == word_pieces().convert_tokens_to_ids(piece))
            logits[..., labels.index("O")] += 1.0
            return logits

    model.classifier = Table()
    model.register_forward_pre_hook(lambda _, args, given: setattr(model, "seen", given["input_ids"]), with_kwargs=True)
    return model


def asked(text: str, prompt: str = "text: {}\nentities:") -> Instance:
    arguments = (prompt.format(text), {"until": ["\n"]})
    return Instance(request_type="generate_until", doc={"text": text}, arguments=arguments, idx=0, metadata=("t", 0, 1))


def lm_of(model: Any) -> TaggerLM:
    return TaggerLM(pretrained=model, tokenizer=word_pieces(), batch_size=2)


def test_a_text_is_answered_with_its_entities_in_the_words_of_the_text() -> None:
    lm = lm_of(taught())
    said = lm.respond([asked("Tom Z lives in Paris."), asked("XY works for ACME"), asked("the thing")])
    # the first piece of a word decides: x says PER, and ##y would say outside
    assert said == ["Tom Z PER ; Paris LOC", "XY PER ; ACME ORG", ""]


def test_a_prompt_that_asks_for_none_gets_none() -> None:
    prompt = "Write none where there is none.\n\nText: {}\nEntities:"
    assert lm_of(taught()).respond([asked("the thing", prompt), asked("Tom", prompt)]) == ["none", "Tom PER"]


def test_a_text_longer_than_the_context_is_labelled_in_windows() -> None:
    text = "Tom lives in Paris . " * 40
    assert len(word_pieces()(text)["input_ids"]) > 3 * CONTEXT
    assert lm_of(taught()).respond([asked(text.strip())]) == [" ; ".join(["Tom PER ; Paris LOC"] * 40)]


def test_windows_give_the_labels_of_the_pass_with_most_text_around() -> None:
    model = encoder("ForTokenClassification", labels=TAGS)
    lm = lm_of(model)
    tokens = word_pieces()("tom lives in paris the red thing " * 12, add_special_tokens=False)["input_ids"]
    (found,) = lm._labels([tokens])
    middle = lm.max_length // 2
    with torch.no_grad():
        first = model(torch.tensor([lm.framed(tokens[: lm.max_length])])).logits[0, 1:-1].argmax(-1).tolist()
    assert found[:middle] == first[:middle]
    assert len(found) == len(tokens)


def test_labels_without_an_outside_are_refused() -> None:
    with pytest.raises(HarnessError, match="id2label has no label O for words outside of entities"):
        lm_of(encoder("ForTokenClassification", labels=("LABEL_0", "LABEL_1")))


def test_a_folder_answers_a_task_that_names_entities(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    documents = [
        {"text": "Tom lives in Paris .", "entities": [{"text": "Tom", "type": "PER"}, {"text": "Paris", "type": "LOC"}]}
    ] * 3
    files = {"test": str(write_jsonl(tmp_path / "test.jsonl", documents))}
    task = TaskSpec(
        name="names",
        kind="ner",
        suite="toy",
        metrics=metrics("entity_f1_strict", "entity_f1_partial", "loglikelihood_per_token"),
        config={
            "output_type": "generate_until",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": files},
            "test_split": "test",
            "doc_to_text": "text: {{text}}\nentities:",
            "doc_to_target": "Tom PER ; Paris LOC",
            "generation_kwargs": {"until": ["\n"], "max_gen_toks": 100},
        },
        digest="0" * 12,
    )
    model = encoder("ForTokenClassification", labels=TAGS)
    spec = ModelSpec(name="tagger", family="s", params=1, path=str(save_encoder(tmp_path / "tagger", model)))
    caplog.set_level(logging.INFO, logger="harness.engines.encoder.engine")
    result = open_engine("encoder", spec, EngineSettings()).evaluate(
        cell(of=task, model=spec, shots=0, engine="encoder"), task
    )
    assert [score.metric for score in result.scores] == ["entity_f1_strict", "entity_f1_partial"]
    assert "without the metrics that need likelihoods, which a tagger does not give" in caplog.text
    assert len({sample.output for sample in result.samples}) == 1
