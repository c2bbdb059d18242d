"""Models that label words, asked for the entities of a text."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance

from harness.engines.encoder.tagger import LEAST, TaggerLM
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
    (found,) = lm._log_probabilities([tokens])
    middle = lm.max_length // 2
    with torch.no_grad():
        first = model(torch.tensor([lm.framed(tokens[: lm.max_length])])).logits[0, 1:-1].log_softmax(-1)
    assert torch.allclose(found[:middle], first[:middle], atol=1e-4)
    assert len(found) == len(tokens)


def test_labels_without_an_outside_are_refused() -> None:
    with pytest.raises(HarnessError, match="id2label has no label O for words outside of entities"):
        lm_of(encoder("ForTokenClassification", labels=("LABEL_0", "LABEL_1")))


def scored(text: str, answer: str) -> Instance:
    arguments = (f"text: {text}\nentities:", f" {answer}")
    return Instance(request_type="loglikelihood", doc={"text": text}, arguments=arguments, idx=0, metadata=("t", 0, 1))


def test_the_likelihood_of_an_answer_is_that_of_the_labels_of_all_words_that_say_it() -> None:
    """By hand: the first pieces of Xb (x), Paris and met (m); where an entity begins, B- and I- are both right."""
    model = encoder("ForTokenClassification", labels=TAGS)
    lm = lm_of(model)
    with torch.no_grad():
        said = model(torch.tensor([word_pieces()("xb met paris")["input_ids"]])).logits[0].softmax(-1)
    assert word_pieces().convert_ids_to_tokens(word_pieces()("xb met paris")["input_ids"])[1:-1:2] == ["x", "m", "##t"]
    person, outside, place = said[1], said[3], said[6]
    by_hand = torch.log(person[1] + person[2]) + torch.log(outside[0]) + torch.log(place[3] + place[4])
    ((found, _),) = lm.respond([scored("Xb met Paris", "Xb PER ; Paris LOC")])
    assert found == pytest.approx(float(by_hand), abs=1e-5)
    (pair,) = lm.pair_tokens([scored("Xb met Paris", "Xb PER ; Paris LOC")])
    assert len(pair.continuation) == 3


def test_the_answer_that_a_tagger_writes_is_its_likeliest_and_wrong_ones_cost_no_more_than_the_least() -> None:
    lm = lm_of(taught())
    right, wrong, unknown, elsewhere = lm.respond(
        [
            scored("Tom lives in Paris", answer)
            for answer in ("Tom PER ; Paris LOC", "Paris PER", "Tom ROBOT ; Paris LOC", "Rome LOC")
        ]
    )
    assert right[1] is True
    assert [one[1] for one in (wrong, unknown, elsewhere)] == [False] * 3
    assert right[0] > wrong[0] > elsewhere[0] == 4 * LEAST
    assert right[0] > unknown[0] > LEAST + right[0]


def test_probabilities_of_all_answers_add_up_to_one() -> None:
    lm = lm_of(encoder("ForTokenClassification", labels=("O", "B-PER", "I-PER")))
    answers = ("none", "red PER", "blue PER", "red blue PER", "red PER ; blue PER")
    found = lm.respond([scored("red blue", answer) for answer in answers])
    assert sum(math.exp(one) for one, _ in found) == pytest.approx(1.0, abs=1e-5)


def test_a_folder_answers_a_task_that_names_entities(tmp_path: Path) -> None:
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
    result = open_engine("encoder", spec, EngineSettings()).evaluate(
        cell(of=task, model=spec, shots=0, engine="encoder"), task
    )
    values = {score.metric: score.value for score in result.scores}
    assert list(values) == ["entity_f1_strict", "entity_f1_partial", "loglikelihood_per_token"]
    assert LEAST < values["loglikelihood_per_token"] < 0
    assert len({sample.output for sample in result.samples}) == 1
