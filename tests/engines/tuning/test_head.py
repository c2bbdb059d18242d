"""A classifier on top of a frozen model: what it reads, what it answers, and which tasks have no classes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from safetensors.torch import load_file

from harness.engines.class_head import ClassHead, states_of
from harness.engines.encoder.masked import MaskedLM
from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.protocol import EngineSettings
from harness.engines.tree.lm import TreeEngine
from harness.engines.tuning import tuner
from harness.engines.tuning.learning import learn
from harness.engines.tuning.lessons import Lessons, OptionLesson
from harness.engines.tuning.ways import way_for
from harness.errors import HarnessError
from harness.specs import ModelSpec, TaskSpec
from harness.treatments import ClassifierHead, Treatment
from tests.builders import zoo
from tests.builders.cells import cell
from tests.builders.encoders import encoder, word_pieces
from tests.builders.tasks import COLOURS, write_jsonl
from tests.builders.trained import PADDING, with_training

QUICK = ClassifierHead(steps=60, batch=8)
QUESTIONS = ("the red thing", "blue", "a thing that is green is", "the thing", "red")


def of(model: ModelSpec, how: ClassifierHead = QUICK) -> ModelSpec:
    one = Treatment(name="mine", method=how, own=True)
    return replace(model, variant=one.variant, treatment=one.settings, tuned=True)


def masked() -> MaskedLM:
    return MaskedLM(pretrained=encoder("ForMaskedLM"), tokenizer=word_pieces(), batch_size=2)


@torch.no_grad()
def by_hand(lm: Any, question: str) -> torch.Tensor:
    """The vector of a question that is read alone, without any padding."""
    if isinstance(lm, MaskedLM):
        ids = torch.tensor([word_pieces().encode(question)])
        return lm.model(ids, output_hidden_states=True).hidden_states[-1][0].mean(0)
    ids = torch.tensor([lm.prompt_tokens(question)])
    if lm.backend == "seq2seq":
        return lm.model.encoder(ids).last_hidden_state[0].mean(0)
    return lm.model(ids, output_hidden_states=True).hidden_states[-1][0, -1]


@pytest.mark.parametrize(
    "make",
    [masked, *((lambda kind=kind: zoo.bridge(kind)) for kind in ("t5", "gpt2")), lambda: zoo.build_tree("opt")],
    ids=["encoder", "seq2seq", "lm-eval", "tree"],
)
def test_a_question_in_a_batch_has_the_vector_that_it_has_alone(make: Any) -> None:
    lm = make()
    found = states_of(lm, QUESTIONS)
    for question, vector in zip(QUESTIONS, found, strict=True):
        assert torch.allclose(vector, by_hand(lm, question), atol=1e-4)


def lessons(options: tuple[str, ...] = ("yes", "no")) -> Lessons:
    """Whether a question has the word red in it."""
    choices = [OptionLesson(f"{what} {i}", options, int("red" not in what)) for i in range(3) for what in QUESTIONS]
    return Lessons(lessons=(), left_out=0, shortened=0, choices=tuple(choices))


def trained(lm: Any, folder: Path) -> None:
    how = ClassifierHead(steps=100, batch=8)
    way = way_for(how, lm)
    torch.manual_seed(0)
    model, rows, _ = way.learner(lessons())
    learn(model, rows, how, rate=how.rate_for(1), seed=0, padding=PADDING, folder=folder, device="cpu")
    way.keep(model, folder)


def asked(question: str, option: str, number: int) -> Instance:
    return Instance("loglikelihood", {}, (question, f" {option}"), number, metadata=("t", 7, 1))


def test_options_have_the_log_probability_of_their_class(tmp_path: Path) -> None:
    lm = zoo.build_tree("llama")
    trained(lm, tmp_path)
    assert way_for(QUICK, lm).put_on(tmp_path) == 2 * (lm.model.config.hidden_size + 1)
    requests = [asked(question, option, i) for question in QUESTIONS for i, option in enumerate(("yes", "no"))]
    found = lm.respond(requests)
    weights = load_file(tmp_path / "weights.safetensors")
    for place, question in enumerate(QUESTIONS):
        wanted = (weights["weight"] @ by_hand(lm, question) + weights["bias"]).log_softmax(-1)
        pair = found[2 * place : 2 * place + 2]
        assert [value for value, _ in pair] == pytest.approx(wanted.tolist(), abs=1e-4)
        assert [likeliest for _, likeliest in pair] == [wanted[0] > wanted[1], wanted[1] > wanted[0]]


def test_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    for name in ("a", "b"):
        trained(zoo.build_tree("llama"), tmp_path / name)
    one, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("a", "b"))
    assert one == other


def test_a_state_that_is_the_same_in_all_documents_counts_for_nothing(tmp_path: Path) -> None:
    lm = zoo.build_tree("llama")
    way = way_for(QUICK, lm)
    same = OptionLesson("red", ("yes", "no"), 0)
    model, rows, _ = way.learner(Lessons(lessons=(), left_out=0, shortened=0, choices=(same, same)))
    assert {value for row in rows for value in row["states"]} == {0.0}  # type: ignore[union-attr]
    way.keep(model, tmp_path)
    assert torch.isfinite(load_file(tmp_path / "weights.safetensors")["weight"]).all()


def test_an_option_that_was_not_learnt_is_named_with_its_document() -> None:
    head = ClassHead(classes=("yes", "no"), weight=torch.zeros(2, 48), bias=torch.zeros(2))
    with pytest.raises(
        HarnessError, match="document 7: the option 'maybe' is none of the classes that were learnt: yes"
    ):
        head.responses(zoo.tree("llama"), [asked("red", "maybe", 2)])


@pytest.mark.parametrize("kind", [TreeEngine, LmEvalEngine])
def test_an_engine_answers_with_the_classifier_of_the_task(
    kind: type[LmEvalEngine], tiny: ModelSpec, choice_task: TaskSpec, tmp_path: Path
) -> None:
    """Everything asked for in training is red, so that afterwards every answer is."""
    spec, task = of(tiny), with_training(choice_task, tmp_path, of_test=3)
    engine = kind(spec, EngineSettings(variants=str(tmp_path / "kept")))
    result = engine.evaluate(cell(of=task, model=spec, shots=2), task)
    assert {sample.output.strip() for sample in result.samples or ()} == {COLOURS[0]}
    tuning = result.provenance.tuning
    assert tuning is not None
    assert (tuning.documents, tuning.left_out, tuning.steps) == (27, 3, 60)
    assert tuning.parameters < result.provenance.weights.number  # type: ignore[union-attr]
    card = json.loads((tmp_path / "kept" / tuning.folder / "variant.json").read_text())
    assert (card["treatment"]["method"], card["learning_rate"]) == ("head", 0.5)
    assert card["loss"][-1][1] < card["loss"][0][1]


def with_options(task: TaskSpec, folder: Path) -> TaskSpec:
    """The task with training documents that have options of their own."""
    rows = [{"question": f"The thing {i} is", "options": ["red", f"blue {i}"], "label": 0} for i in range(9)]
    files = task.config["dataset_kwargs"]["data_files"] | {"train": str(write_jsonl(folder / "own.jsonl", rows))}
    config = {**task.config, "dataset_kwargs": {"data_files": files}, "training_split": "train"}
    return replace(task, config=config, training="split", digest="e" * 12)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("own", "options of the task differ from document to document; expected the same ones in each document"),
        ("text", "options of the task are no classes, or there are none; expected the same ones in each document"),
    ],
)
def test_a_task_without_classes_is_refused_before_anything_is_trained(
    kind: str,
    said: str,
    tiny: ModelSpec,
    choice_task: TaskSpec,
    text_task: TaskSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = with_options(choice_task, tmp_path) if kind == "own" else with_training(text_task, tmp_path)
    monkeypatch.setattr(tuner, "learn", lambda *_, **__: pytest.fail("trained"))
    spec = of(tiny)
    engine = TreeEngine(spec, EngineSettings(variants=str(tmp_path / "kept")))
    with pytest.raises(HarnessError, match=f"task {task.name}: tiny cannot be made mine@.* for it: the {said}"):
        engine.evaluate(cell(of=task, model=spec), task)
    assert not (tmp_path / "kept").exists()
