"""A model that is asked a task is the variant that was trained on it: what it learns from, and what is kept."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.engines.documents import DocumentCache
from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.protocol import EngineSettings
from harness.engines.tree.lm import TreeEngine
from harness.engines.tuning import tuner
from harness.engines.tuning.lessons import Lessons, lessons_of
from harness.errors import HarnessError, ModelError
from harness.records import CellResult
from harness.specs import ModelSpec, TaskSpec
from harness.treatments import Finetune, Lora, TaskTraining, Treatment
from tests.builders.cells import cell
from tests.builders.tasks import COLOURS
from tests.builders.trained import with_training

QUICK = Finetune(steps=60, batch=8, learning_rate=0.003)


def of(model: ModelSpec, how: TaskTraining = QUICK) -> ModelSpec:
    one = Treatment(name="mine", method=how, own=True)
    return replace(model, variant=one.variant, treatment=one.settings, tuned=True)


@pytest.fixture
def choice(choice_task: TaskSpec, tmp_path: Path) -> TaskSpec:
    return with_training(choice_task, tmp_path)


def learnt(engine: LmEvalEngine, task: TaskSpec, documents: int | None = None, **changes: Any) -> Lessons:
    asked = cell(of=task, **changes)
    return lessons_of(engine._lm, asked, task, DocumentCache(), documents=documents, seed=asked.seed)


def texts(engine: LmEvalEngine, lessons: Lessons) -> list[str]:
    return [engine._lm.tokenizer.decode(lesson.tokens) for lesson in lessons.lessons]


def test_lessons_are_the_questions_of_the_cell_without_examples_and_their_answers(
    engine: LmEvalEngine, choice: TaskSpec
) -> None:
    lessons = learnt(engine, choice, prompt="asking", shots=4)
    found = texts(engine, lessons)
    assert len(found) == 30
    assert all(text.startswith("<bos>Q: The ") and text.endswith(f"is?\nA: {COLOURS[0]}") for text in found)
    answers = [engine._lm.tokenizer.decode(lesson.tokens[lesson.prompt :]) for lesson in lessons.lessons]
    assert set(answers) == {f" {COLOURS[0]}"}


def test_a_model_that_writes_learns_to_stop(engine: LmEvalEngine, text_task: TaskSpec, tmp_path: Path) -> None:
    found = texts(engine, learnt(engine, with_training(text_task, tmp_path)))
    assert all(text.endswith(f": {COLOURS[0]}<eos>") for text in found)


def test_fewer_documents_are_part_of_more_and_another_seed_takes_others(engine: LmEvalEngine, choice: TaskSpec) -> None:
    few, more, other = (
        set(texts(engine, learnt(engine, choice, n, seed=seed))) for n, seed in ((4, 0), (12, 0), (4, 1))
    )
    assert few < more
    assert few != other
    assert (len(few), len(more)) == (4, 12)


def test_test_documents_in_the_training_split_are_not_learnt_and_it_is_said(
    engine: LmEvalEngine, choice_task: TaskSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leaking = with_training(choice_task, tmp_path, 20, of_test=5)
    lessons = learnt(engine, leaking)
    assert (len(lessons.lessons), lessons.left_out) == (15, 5)
    assert "task choice: 5 training documents left out, which test documents ask too" in caplog.text
    assert len(learnt(engine, leaking, 15).lessons) == 15
    with pytest.raises(HarnessError, match="choice: has 15 training documents that are no test document; expected 16"):
        learnt(engine, leaking, 16)


@pytest.mark.parametrize("kind", [TreeEngine, LmEvalEngine])
def test_an_engine_answers_each_task_with_the_variant_that_was_trained_on_it(
    kind: type[LmEvalEngine], tiny: ModelSpec, choice: TaskSpec, text_task: TaskSpec, tmp_path: Path
) -> None:
    """Everything asked for in training is red, so that afterwards every answer is."""
    spec = of(tiny)
    engine = kind(spec, EngineSettings(variants=str(tmp_path / "kept")))
    writing = with_training(text_task, tmp_path)
    results = [engine.evaluate(cell(of=task, model=spec), task) for task in (choice, writing, choice)]
    assert [samples_of(result) for result in results] == [{COLOURS[0]}, {COLOURS[0]}, {COLOURS[0]}]
    assert same_answers(results[0], results[2])
    tuning = results[0].provenance.tuning
    assert tuning is not None
    assert (tuning.documents, tuning.steps, tuning.left_out) == (30, 60, 0)
    assert tuning.parameters == results[0].provenance.weights.number  # type: ignore[union-attr]
    card = json.loads((tmp_path / "kept" / tuning.folder / "variant.json").read_text())
    assert card["loss"][-1][1] < 0.5 < card["loss"][0][1]
    assert (card["task"], card["treatment"]["steps"], card["seed"]) == ("choice", 60, 0)
    engine.close()


def samples_of(result: CellResult) -> set[str]:
    assert result.samples is not None
    return {sample.output.strip() for sample in result.samples}


def same_answers(one: CellResult, other: CellResult) -> bool:
    return [s.value for s in one.scores] == [s.value for s in other.scores]


def test_a_variant_that_is_there_is_not_trained_again(
    tiny: ModelSpec, choice: TaskSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = of(tiny, Lora(rank=2, steps=2, batch=4, learning_rate=0.05))
    settings = EngineSettings(variants=str(tmp_path / "kept"))
    first = TreeEngine(spec, settings).evaluate(cell(of=choice, model=spec), choice)
    monkeypatch.setattr(tuner, "learn", lambda *_, **__: pytest.fail("trained again"))
    again = TreeEngine(spec, settings)
    assert same_answers(first, again.evaluate(cell(of=choice, model=spec), choice))
    for other in (cell(of=choice, model=spec, seed=1), cell(of=choice, model=spec, prompt="asking")):
        with pytest.raises(pytest.fail.Exception, match="trained again"):
            again.evaluate(other, choice)


def test_a_worker_waits_for_the_variant_that_another_one_trains(
    tiny: ModelSpec, choice: TaskSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = of(tiny, Finetune(steps=2, batch=4))
    settings = EngineSettings(variants=str(tmp_path / "kept"))
    engines = [TreeEngine(spec, settings) for _ in range(2)]
    trainings: list[object] = []
    really, begun = tuner.learn, threading.Event()

    def learn(*arguments: Any, **named: Any) -> Any:
        trainings.append(arguments)
        begun.set()
        return really(*arguments, **named)

    monkeypatch.setattr(tuner, "learn", learn)
    results: list[CellResult] = []
    first = threading.Thread(target=lambda: results.append(engines[0].evaluate(cell(of=choice, model=spec), choice)))
    first.start()
    assert begun.wait(30)
    results.append(engines[1].evaluate(cell(of=choice, model=spec), choice))
    first.join()
    assert len(trainings) == 1
    assert same_answers(*results)
    assert not list((tmp_path / "kept").rglob("*.making"))


def test_a_model_that_cannot_be_trained_so_says_it_before_it_is_asked_anything(tiny: ModelSpec) -> None:
    spec = replace(of(tiny), name="tiny", variant="prompt200")
    spec = replace(spec, treatment='{"method":"prompt","tokens":200}')
    with pytest.raises(ModelError, match="tiny: cannot be made prompt200: 200 vectors leave little room for a prompt"):
        TreeEngine(spec, EngineSettings())
