"""Which engine asks a model, and what it refuses to ask it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.asking import Known, engines_of, heads_of, why_not_answered
from harness.catalog.models.architectures import Head, head_of, labels_of
from harness.errors import PlanError
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell
from tests.builders.commands import Emergence
from tests.builders.headers import write_headers
from tests.builders.tasks import metrics

NOTHING = Known({}, {})
BERT = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
T5 = {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}
SORTER = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}
TAGGER = {"model_type": "bert", "architectures": ["BertForTokenClassification"]}


@pytest.mark.parametrize(
    ("config", "head"),
    [
        (BERT, "masked"),
        (T5, "seq2seq"),
        (SORTER, "classifier"),
        (TAGGER, "tagger"),
        ({"model_type": "bert"}, "masked"),
        ({"model_type": "bert", "architectures": ["BertForPreTraining"]}, "masked"),
        ({"model_type": "bert", "is_decoder": True}, "causal"),
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "causal"),
        ({"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]}, "classifier"),
        ({"model_type": "bart", "architectures": ["BartForSequenceClassification"]}, "classifier"),
        (
            {"is_encoder_decoder": True, "architectures": ["OwnForConditionalGeneration"]},
            "seq2seq",
        ),
        ({"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"]}, "causal"),
        ({"model_type": "odd", "architectures": "no list"}, "causal"),
    ],
)
def test_a_config_tells_what_a_model_gives(config: dict[str, Any], head: Head) -> None:
    assert head_of(config) == head


def test_labels_are_in_the_order_of_the_outputs() -> None:
    assert labels_of({"id2label": {"1": "b", "0": "a", "2": "c"}}) == ("a", "b", "c")
    assert labels_of({}) == labels_of({"id2label": ["a"]}) == ()


def folder(path: Path, config: dict[str, Any]) -> ModelSpec:
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config))
    return ModelSpec(name=path.name, family="mine", params=1, path=str(path))


@pytest.mark.parametrize(
    ("config", "engine"), [(BERT, "encoder"), (TAGGER, "encoder"), (T5, "seq2seq"), ({"model_type": "gpt2"}, "tree")]
)
def test_the_engine_follows_from_the_config(tmp_path: Path, config: dict[str, Any], engine: str) -> None:
    model = folder(tmp_path / "m", config)
    assert engines_of([model], "auto", NOTHING) == {model: engine}


def test_a_model_of_the_hub_that_is_not_here_is_what_its_family_says() -> None:
    models = [ModelSpec(name="org/a", family=name, params=1) for name in ("bert", "t5", "pythia", "unknown")]
    known = Known({"bert": "encoder", "t5": "seq2seq", "pythia": "decoder"}, {})
    assert list(engines_of(models, "auto", known).values()) == ["encoder", "seq2seq", "tree", "tree"]
    assert heads_of(models[0], known) == ("masked", "classifier", "tagger")


@pytest.mark.parametrize(
    ("config", "asked", "expected"),
    [
        (BERT, "tree", "fills gaps in a text and writes none; expected --engine encoder, which is taken where"),
        (BERT, "seq2seq", "fills gaps in a text and writes none; expected --engine encoder"),
        (T5, "encoder", "turns a text into another one; expected --engine seq2seq"),
        ({"model_type": "llama"}, "encoder", "continues a text; expected --engine tree"),
    ],
)
def test_an_engine_that_cannot_ask_a_model_names_the_one_that_can(
    tmp_path: Path, config: dict[str, Any], asked: str, expected: str
) -> None:
    with pytest.raises(PlanError, match=f"--engine {asked}: .*m {expected}"):
        engines_of([folder(tmp_path / "m", config)], asked, NOTHING)


@pytest.mark.parametrize("asked", ["tree", "lm-eval", "simulated", "server"])
def test_an_engine_that_was_named_is_kept(tmp_path: Path, asked: str) -> None:
    model = folder(tmp_path / "m", T5)
    assert engines_of([model], asked, NOTHING) == {model: asked}


def task(kind: Any = "classification", **config: Any) -> TaskSpec:
    return TaskSpec(name="asked", kind=kind, suite="toy", metrics=metrics("acc"), config=config)


CHOICE = task(output_type="multiple_choice", doc_to_choice=["positive", "negative"])
TEXT = task("qa", output_type="generate_until")
NAMES = task("ner", output_type="generate_until")
LAST_WORD = task("language-modelling", output_type="loglikelihood")


@pytest.mark.parametrize(
    ("head", "labels", "asked", "shots", "reason"),
    [
        ("causal", (), TEXT, 0, None),
        ("seq2seq", (), TEXT, 4, None),
        ("masked", (), CHOICE, 4, None),
        ("masked", (), LAST_WORD, 0, None),
        ("masked", (), TEXT, 0, "expected tasks with options"),
        ("masked", (), NAMES, 0, "or --treatment finetune, which trains it for this; --engine tree asks models that"),
        ("classifier", ("Negative", "POSITIVE"), CHOICE, 0, None),
        ("classifier", ("LABEL_0", "LABEL_1"), CHOICE, 0, None),
        ("classifier", (), CHOICE, 0, None),
        ("classifier", ("LABEL_0", "LABEL_1", "LABEL_2"), CHOICE, 0, "'positive' is none of its classes, LABEL_0"),
        ("classifier", ("good", "bad"), CHOICE, 0, "'positive' is none of its classes, good, bad"),
        ("classifier", ("negative", "positive"), CHOICE, 2, "expected --shots 0"),
        ("classifier", ("a", "b"), NAMES, 0, "expected tasks whose options are its classes"),
        ("tagger", ("O", "B-PER"), NAMES, 0, None),
        ("tagger", ("O", "B-PER"), NAMES, 1, "learns nothing from examples before a question; expected --shots 0"),
        ("tagger", ("O", "B-PER"), TEXT, 0, "expected tasks of the kind ner that name entities"),
        ("tagger", ("O", "B-PER"), CHOICE, 0, "--engine seq2seq encoder-decoders"),
    ],
)
def test_a_task_that_a_model_cannot_answer_is_refused_with_what_it_can(
    head: Head, labels: tuple[str, ...], asked: TaskSpec, shots: int, reason: str | None
) -> None:
    found = why_not_answered(head, labels, cell(of=asked, shots=shots), asked)
    assert (found is None) == (reason is None)
    assert (reason or "") in (found or "")


def test_a_plan_is_refused_in_one_line_that_names_what_can_be_asked(emergence: Emergence, tmp_path: Path) -> None:
    write_headers(tmp_path / "gaps")
    (tmp_path / "gaps" / "config.json").write_text(json.dumps(BERT))
    for verb in ("plan", "run"):
        done = emergence(verb, "--task", "topic,one_hop,sentiment", "--model", "./gaps")
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert "task one_hop: gaps fills gaps in a text and writes none; expected tasks with options" in done.err
        assert done.err.endswith("; of these tasks it answers topic, sentiment\n")
    for asked in (("topic",), ("entities,add_2", "--treatment", "finetune@64")):  # what is trained fails alone
        done = emergence("plan", "--model", "./gaps", "--json", "--shots", "0", "--task", *asked)
        assert done.code == 0, done.err
    assert not (tmp_path / "results").exists()


def test_models_of_the_hub_are_refused_what_no_encoder_answers(emergence: Emergence) -> None:
    done = emergence("plan", "--task", "one_hop", "--family", "bert")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "task one_hop: google/bert_uncased_L-2_H-128_A-2 fills gaps in a text and writes none" in done.err
    assert emergence("plan", "--task", "topic", "--family", "bert,t5", "--shots", "0").code == 0
