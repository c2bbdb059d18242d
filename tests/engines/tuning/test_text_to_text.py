"""Encoder-decoders trained on a task: the encoder reads the prompt, and the decoder learns the answer as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from harness.engines.documents import DocumentCache
from harness.engines.protocol import EngineSettings
from harness.engines.seq2seq import Seq2SeqEngine
from harness.engines.tuning.learning import learn
from harness.engines.tuning.lessons import lessons_of
from harness.engines.tuning.ways import way_for
from harness.specs import ModelSpec, TaskSpec
from harness.treatments import Finetune, Lora, Treatment
from tests.builders import cell, zoo
from tests.builders.tasks import COLOURS
from tests.builders.trained import PADDING, with_training

QUICK = {"steps": 40, "batch": 8, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    folder = tmp_path_factory.mktemp("models") / "t5"
    zoo.model("t5").save_pretrained(folder)
    zoo.tokens("bos").save_pretrained(folder)
    return ModelSpec(name="t5", family="t", params=1, path=str(folder), dtype="float32")


def of(model: ModelSpec, how: Finetune | Lora) -> ModelSpec:
    one = Treatment(name="mine", method=how, own=True)
    return replace(model, variant=one.variant, treatment=one.settings, tuned=True)


def test_the_loss_of_a_lesson_is_the_likelihood_of_its_answer_by_the_engine(
    t5: ModelSpec, choice_task: TaskSpec, tmp_path: Path
) -> None:
    engine = Seq2SeqEngine(t5, EngineSettings())
    task = with_training(choice_task, tmp_path, 4)
    lessons = lessons_of(engine._lm, cell(of=task, model=t5), task, DocumentCache(), documents=None, seed=0)
    _, rows, _ = way_for(Finetune(), engine._lm).learner(lessons)
    asked = [((), lesson.tokens[: lesson.prompt], lesson.tokens[lesson.prompt :]) for lesson in lessons.lessons]
    for row, request, (likely, _) in zip(rows, asked, engine._lm._loglikelihood_tokens(asked), strict=True):
        with torch.no_grad():
            loss = engine._lm.model(**{name: torch.tensor([value]) for name, value in row.items()}).loss
        assert float(loss) == pytest.approx(-likely / len(request[2]), abs=1e-4)
        assert engine._lm.tokenizer.decode(row["labels"]).strip() == COLOURS[0]


def test_classes_and_texts_are_learnt_as_text(
    t5: ModelSpec, choice_task: TaskSpec, text_task: TaskSpec, tmp_path: Path
) -> None:
    """Everything asked for in training is red, so that afterwards every answer is."""
    spec = of(t5, Finetune(**QUICK))
    engine = Seq2SeqEngine(spec, EngineSettings(variants=str(tmp_path / "kept")))
    for task in (with_training(choice_task, tmp_path), with_training(text_task, tmp_path)):
        result = engine.evaluate(cell(of=task, model=spec, engine="seq2seq"), task)
        assert {sample.output.strip() for sample in result.samples} == {COLOURS[0]}
    engine.close()


def test_an_update_added_to_the_weights_gives_what_it_gave_beside_them(
    t5: ModelSpec, choice_task: TaskSpec, tmp_path: Path
) -> None:
    how = Lora(rank=4, steps=3, batch=4)
    lm = Seq2SeqEngine(t5, EngineSettings())._lm
    task = with_training(choice_task, tmp_path, 4)
    lessons = lessons_of(lm, cell(of=task, model=t5), task, DocumentCache(), documents=None, seed=0)
    way = way_for(how, lm)
    model, rows, _ = way.learner(lessons)
    row = {name: torch.tensor([value]) for name, value in rows[0].items()}
    before = float(lm.model(**row).loss.detach())
    learn(model, rows, how, rate=0.02, seed=0, padding=PADDING, folder=tmp_path, device="cpu")
    way.keep(model, tmp_path)
    way.put_on(tmp_path)
    assert float(lm.model(**row).loss.detach()) == pytest.approx(float(model(**row).loss.detach()), abs=1e-4)
    assert float(lm.model(**row).loss.detach()) < before - 0.1


def test_the_same_seed_gives_the_same_bits(t5: ModelSpec, choice_task: TaskSpec, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    task = with_training(choice_task, tmp_path)
    spec = of(t5, Finetune(steps=2, batch=4, dropout=0.1))
    kept = []
    for name, seed in (("a", 0), ("b", 0), ("a", 1)):
        engine = Seq2SeqEngine(spec, EngineSettings(variants=str(tmp_path / name)))
        tuning = engine.evaluate(
            cell(of=task, model=spec, engine="seq2seq", seed=seed, limit=2), task
        ).provenance.tuning
        assert tuning is not None
        kept.append(load_file(tmp_path / name / tuning.folder / "weights.safetensors"))
        engine.close()
    torch.set_num_threads(before)
    first, again, other = kept
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
