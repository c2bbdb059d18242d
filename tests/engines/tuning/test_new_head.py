"""Encoders that are trained on a task get a head for it: for the classes of texts, or for the labels of words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from harness.engines import pulse
from harness.engines.documents import DocumentCache
from harness.engines.encoder.engine import EncoderEngine
from harness.engines.encoder.masked import MaskedLM
from harness.engines.protocol import EngineSettings
from harness.engines.tuning import learning, tuner
from harness.engines.tuning.learning import learn
from harness.engines.tuning.lessons import Lessons, lessons_of
from harness.engines.tuning.new_head import NewHead
from harness.errors import HarnessError
from harness.plan import Cell
from harness.records import CellResult
from harness.specs import ModelSpec, TaskSpec
from harness.treatments import Finetune, Lora, Treatment
from tests.builders import cell, zoo
from tests.builders.encoders import encoder, save_encoder, word_pieces
from tests.builders.scripted import local_task
from tests.builders.trained import PADDING

QUICK = {"steps": 40, "batch": 8, "learning_rate": 0.003}


def of(model: ModelSpec, how: Finetune | Lora) -> ModelSpec:
    one = Treatment(name="mine", method=how, own=True)
    return replace(model, variant=one.variant, treatment=one.settings, tuned=True)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """An encoder that fills gaps."""
    folder = save_encoder(tmp_path_factory.mktemp("models") / "bert", encoder("ForMaskedLM"))
    return ModelSpec(name="bert", family="s", params=1, path=str(folder), dtype="float32")


def sorting(folder: Path, *, options: Sequence[str] | str = ("good", "bad"), of_test: int = 0) -> TaskSpec:
    """Whatever is red is good, and whatever is blue is bad."""
    made = [
        {"q": f"the {what} thing {i}", "a": right, "own": ["good", "bad", f"bad {i}"]}
        for i in range(18)
        for what, right in (("red", "good"), ("blue", "bad"))
    ]
    task = local_task(
        folder,
        {"test": made[:12], "train": [*made[12:], *made[:of_test]]},
        "acc",
        "prob_correct",
        output_type="multiple_choice",
        doc_to_choice=options if isinstance(options, str) else list(options),
        training_split="train",
    )
    return replace(task, name="sorting", kind="classification", training="split")


def naming(folder: Path, documents: Sequence[Mapping[str, Any]] = ()) -> TaskSpec:
    """Who lives where; `documents` are learnt from in place of others like those of the test."""
    made = [_living(who, where, i) for i in range(4) for who in ("Tom", "Ann Bo", "X") for where in ("Paris", "Rome")]
    task = local_task(
        folder,
        {"test": made[:6], "train": documents or made[6:]},
        "entity_f1_strict",
        output_type="generate_until",
        doc_to_text="text: {{text}}\nentities:",
        doc_to_target="{{answer}}",
        generation_kwargs={"until": ["\n"], "max_gen_toks": 30},
        training_split="train",
    )
    return replace(task, name="naming", kind="ner", training="split")


def _living(who: str, where: str, number: int) -> dict[str, Any]:
    entities = [{"text": who, "type": "PER"}, {"text": where, "type": "LOC"}]
    answer = f"{who} PER ; {where} LOC"
    return {"text": f"{who} lives in {where} for {number}", "entities": entities, "answer": answer}


def asked(task: TaskSpec, spec: ModelSpec, **changes: Any) -> Cell:
    return cell(of=task, model=spec, engine="encoder", **changes)


def evaluated(spec: ModelSpec, task: TaskSpec, kept: Path, **changes: Any) -> tuple[CellResult, Path]:
    """The result of a trained model, and the folder of its variant."""
    engine = EncoderEngine(spec, EngineSettings(variants=str(kept)))
    result = engine.evaluate(asked(task, spec, **changes), task)
    engine.close()
    assert result.provenance.tuning is not None
    return result, kept / result.provenance.tuning.folder


def headline(result: CellResult) -> float:
    return result.scores[0].value


def learnt(task: TaskSpec) -> Lessons:
    lm = MaskedLM(pretrained=encoder("ForMaskedLM"), tokenizer=word_pieces())
    spec = ModelSpec(name="m", family="f", params=1)
    return lessons_of(lm, asked(task, spec), task, DocumentCache(), documents=None, seed=0)


def test_the_first_piece_of_a_word_has_its_label_and_the_other_pieces_none(tmp_path: Path) -> None:
    document = {
        "text": "Tom Bo met X and Rome, x.",
        "entities": [{"text": "Tom Bo", "type": "PER"}, {"text": "Rome", "type": "LOC"}, {"text": "x", "type": "PER"}],
        "answer": "Tom Bo PER ; Rome LOC ; x PER",
    }
    found = learnt(naming(tmp_path, [document]))
    assert found.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    (lesson,) = found.lessons
    pieces = word_pieces().convert_ids_to_tokens(lesson.tokens[: lesson.prompt])
    labels = [None if number == -100 else found.labels[number] for number in lesson.tokens[lesson.prompt :]]
    assert [f"{piece} {label}" for piece, label in zip(pieces, labels, strict=True)] == (
        "[CLS] None|tom B-PER|b I-PER|##o None|m O|##e None|##t None|x O|a O|##n None|##d None|"
        "r B-LOC|##o None|##m None|##e None|, O|x B-PER|. O|[SEP] None"
    ).split("|")


def test_words_that_the_document_gives_are_taken_one_by_one(tmp_path: Path) -> None:
    """Documents as data sets for taggers have them; a sentence without entities is learnt from, too."""
    documents = [
        {"tokens": ["X-1", "of", "U.N.", "of"], "answer": "X-1 PER ; U.N. ORG"},
        {"tokens": ["the", "thing"], "answer": "none"},
    ]
    task = naming(tmp_path, documents)
    found = learnt(replace(task, config={**task.config, "doc_to_text": "{{tokens|default([text])|join(' ')}} :"}))
    labels = {
        tuple(word_pieces().convert_ids_to_tokens(one.tokens[1 : one.prompt - 1])): [
            found.labels[number] for number in one.tokens[one.prompt :] if number != -100
        ]
        for one in found.lessons
    }
    assert labels == {
        ("x", "-", "1", "of", "u", ".", "n", ".", "of"): ["B-PER", "O", "B-ORG", "O"],
        ("the", "thing"): ["O", "O"],
    }


def test_a_text_without_its_entity_is_not_learnt_and_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        HarnessError, match="task naming: training split: entity 'Ann' of a document is not in its text"
    ):
        learnt(naming(tmp_path, [{**_living("Tom", "Rome", 1), "entities": [{"text": "Ann", "type": "PER"}]}]))


@pytest.mark.parametrize(
    "how", [Finetune(**QUICK), Lora(rank=4, **QUICK | {"learning_rate": 0.02})], ids=["finetune", "lora"]
)
def test_a_classifier_is_trained_and_kept_as_an_ordinary_model(
    plain: ModelSpec, how: Finetune | Lora, tmp_path: Path
) -> None:
    task = sorting(tmp_path, of_test=3)
    result, folder = evaluated(of(plain, how), task, tmp_path / "kept")
    assert headline(result) == 1.0
    tuning = result.provenance.tuning
    assert tuning is not None
    assert (tuning.documents, tuning.left_out) == (24, 3)
    assert not (folder / "checkpoints").exists()
    weights = sum(one.numel() for one in load_file(folder / "model.safetensors").values())
    assert tuning.parameters == weights if isinstance(how, Finetune) else 0 < tuning.parameters < weights / 2
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.config.id2label == {0: "good", 1: "bad"}
    alone = ModelSpec(name="alone", family="s", params=1, path=str(folder))
    again = EncoderEngine(alone, EngineSettings()).evaluate(asked(task, alone), task)
    assert [one.option_loglikelihoods for one in again.samples] == [one.option_loglikelihoods for one in result.samples]


@pytest.mark.parametrize("kind", ["Roberta", "DistilBert", "ModernBert"])
def test_an_update_added_to_the_weights_gives_what_it_gave_beside_them(kind: str, tmp_path: Path) -> None:
    """Heads differ: some have layers of their own below the last, which are new, and learn whole."""
    sizes = {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 2} if kind == "DistilBert" else {"pad_token_id": 1}
    folder = save_encoder(tmp_path / "model", encoder("ForMaskedLM", kind=kind, **sizes))
    spec = ModelSpec(name="m", family="s", params=1, path=str(folder), dtype="float32")
    how = Lora(rank=2, steps=2, batch=8)
    lm = EncoderEngine(spec, EngineSettings())._lm
    way = NewHead(lm, how, of(spec, how), EngineSettings(), "cpu")  # type: ignore[arg-type]
    task = sorting(tmp_path)
    model, rows, _ = way.learner(lessons_of(lm, asked(task, spec), task, DocumentCache(), documents=None, seed=0))
    learn(model, rows, how, rate=0.02, seed=0, padding=PADDING, folder=tmp_path, device="cpu")
    row = {name: torch.tensor([value]) for name, value in rows[0].items()}
    beside = float(model(**row).loss.detach())
    way.keep(model, tmp_path)
    way.put_on(tmp_path)
    assert float(lm.retrained.model(**row).loss.detach()) == pytest.approx(beside, abs=1e-5)


def test_a_tagger_is_trained_and_a_model_goes_from_task_to_task(plain: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    names, sort = naming(tmp_path), sorting(tmp_path / "other")
    spec = of(plain, Finetune(**QUICK | {"steps": 120}))
    engine = EncoderEngine(spec, EngineSettings(variants=str(tmp_path / "kept")))
    found = [engine.evaluate(asked(task, spec), task) for task in (names, sort, names)]
    assert [headline(result) for result in found] == [1.0, 1.0, 1.0]
    assert [one.output for one in found[0].samples] == [one.target for one in found[0].samples]
    weights = found[0].provenance.weights
    assert weights is not None
    assert weights.number == found[0].provenance.tuning.parameters  # type: ignore[union-attr]
    folder = tmp_path / "kept" / found[0].provenance.tuning.folder  # type: ignore[union-attr]
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder)
    assert list(model.config.id2label.values()) == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


def test_the_same_seed_gives_the_same_bits_and_another_seed_gives_others(plain: ModelSpec, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    spec = of(plain, Finetune(steps=3, batch=8, documents=16, dropout=0.1))
    task = sorting(tmp_path)
    first, again, other = (
        load_file(evaluated(spec, task, tmp_path / kept, seed=seed)[1] / "model.safetensors")
        for kept, seed in (("a", 0), ("b", 0), ("a", 1))
    )
    torch.set_num_threads(before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in ("classifier.weight", "bert.pooler.dense.weight"))


def test_an_interrupted_training_goes_on_to_the_same_bits(
    plain: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, task = of(plain, Lora(rank=2, steps=5, batch=8, dropout=0.1)), sorting(tmp_path)
    steps = iter(range(4))
    with monkeypatch.context() as patched:
        patched.setattr(learning, "CHECKPOINT_SECONDS", 0.0)
        patched.setattr(pulse, "step", lambda: next(steps, None) is None and _interrupt())
        with pytest.raises(KeyboardInterrupt):
            evaluated(spec, task, tmp_path / "cut")
    (_, cut), (_, whole) = (evaluated(spec, task, tmp_path / kept) for kept in ("cut", "whole"))
    assert json.loads((cut / "variant.json").read_text())["resumed"] == 1
    first, second = (load_file(folder / "model.safetensors") for folder in (cut, whole))
    assert all(torch.equal(first[name], second[name]) for name in first)


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_a_model_with_another_head_is_trained_too(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "tagger", encoder("ForTokenClassification", labels=("O", "B-X", "I-X")))
    spec = of(ModelSpec(name="tagger", family="s", params=1, path=str(folder)), Finetune(**QUICK))
    assert headline(evaluated(spec, sorting(tmp_path), tmp_path / "kept")[0]) == 1.0


def test_a_step_in_several_passes_learns_what_a_step_in_one_does(plain: ModelSpec, tmp_path: Path) -> None:
    task = sorting(tmp_path)
    one, several = (
        evaluated(of(plain, Finetune(steps=4, batch=8, dropout=0.0, accumulate=n)), task, tmp_path / "kept")[0]
        for n in (1, 4)
    )
    losses = [result.provenance.tuning.loss for result in (one, several)]  # type: ignore[union-attr]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    found = [[sample.option_loglikelihoods for sample in result.samples] for result in (one, several)]
    assert torch.allclose(*map(torch.tensor, found), atol=1e-2)


def test_a_decoder_with_classes_learns_from_the_end_of_each_text(tmp_path: Path) -> None:
    config = transformers.LlamaConfig(**{**zoo.model("llama").config.to_dict(), "num_labels": 3, "pad_token_id": None})
    transformers.LlamaForSequenceClassification(config).save_pretrained(tmp_path / "llama")
    zoo.tokens("plain").save_pretrained(tmp_path / "llama")
    spec = ModelSpec(name="llama", family="s", params=1, path=str(tmp_path / "llama"))
    result, _ = evaluated(of(spec, Finetune(**QUICK)), sorting(tmp_path), tmp_path / "kept")
    assert headline(result) == 1.0


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            lambda folder: replace(naming(folder), kind="qa"),
            "bert is an encoder and cannot be trained to write",
        ),
        (lambda folder: sorting(folder, options="own"), "the options of the task differ from document to document"),
    ],
)
def test_what_an_encoder_cannot_learn_is_said_before_anything_is_trained(
    task: Any, said: str, plain: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuner, "learn", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(HarnessError, match=said):
        evaluated(of(plain, Finetune(**QUICK)), task(tmp_path), tmp_path / "kept")


def test_examples_before_a_question_are_refused(plain: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="bert is trained without examples, and learns nothing from examples before"):
        evaluated(of(plain, Finetune(**QUICK)), sorting(tmp_path), tmp_path / "kept", shots=2)
