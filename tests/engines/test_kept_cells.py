"""Cells that are put together once for all models that read them alike."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from harness.engines.kept_cells import KeptCells
from harness.engines.protocol import EngineSettings, open_engine
from harness.engines.tree.lm import TreeEngine
from harness.executors.worker import LaneWorker
from harness.records import CellResult, Provenance
from harness.schedule import Job, Lane
from harness.specs import ModelSpec, TaskSpec
from tests.builders import cell


@pytest.fixture(scope="session")
def other(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """A model with the same tokenizer and other weights."""
    folder = tmp_path_factory.mktemp("models") / "other"
    shutil.copytree(model_folder, folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.manual_seed(7)
    for weight in model.parameters():
        weight.data += 0.05 * torch.randn_like(weight)
    model.save_pretrained(folder)
    return ModelSpec(name="other", family="toy", params=30_000, path=str(folder), revision="r2")


def answered(engine: TreeEngine, model: ModelSpec, task: TaskSpec, **asked: object) -> CellResult:
    result = engine.evaluate(cell(of=task, model=model, **asked), task)
    assert isinstance(result.provenance, Provenance)
    return replace(result, provenance=None)  # type: ignore[arg-type]


def after(before: TreeEngine, model: ModelSpec) -> TreeEngine:
    engine = open_engine("tree", model, EngineSettings(), before)
    assert isinstance(engine, TreeEngine)
    return engine


def asked_by(engine: TreeEngine, model: ModelSpec, task: TaskSpec) -> object:
    """What the engine has kept of a cell without examples."""
    return engine._data.cells.find(cell(of=task, model=model, shots=0), task, (engine._lm.reading, None, False))


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("which", ["choice_task", "text_task"])
def test_the_second_model_gives_the_answers_that_it_gives_alone(
    request: pytest.FixtureRequest, tiny: ModelSpec, other: ModelSpec, which: str, shots: int
) -> None:
    task: TaskSpec = request.getfixturevalue(which)
    alone = answered(TreeEngine(other, EngineSettings()), other, task, shots=shots)
    first = TreeEngine(tiny, EngineSettings())
    of_first = answered(first, tiny, task, shots=shots)
    second = after(first, other)

    assert answered(second, other, task, shots=shots) == alone
    assert answered(second, other, task, shots=shots) == alone
    assert of_first.samples != alone.samples
    assert answered(after(second, tiny), tiny, task, shots=shots) == of_first


def test_a_cell_is_put_together_once_for_two_models(tiny: ModelSpec, other: ModelSpec, choice_task: TaskSpec) -> None:
    first = TreeEngine(tiny, EngineSettings())
    answered(first, tiny, choice_task, shots=0)
    kept = asked_by(first, tiny, choice_task)
    second = after(first, other)

    assert kept is not None
    assert asked_by(second, other, choice_task) is kept


def test_a_model_with_another_tokenizer_is_asked_anew(
    tmp_path: Path, model_folder: Path, tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(model_folder, folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = None  # no <bos> before a text
    tokenizer.save(str(folder / "tokenizer.json"))
    changed = replace(tiny, name="changed", path=str(folder))
    first = TreeEngine(tiny, EngineSettings())
    answered(first, tiny, choice_task, shots=0)
    second = after(first, changed)

    assert asked_by(second, changed, choice_task) is None
    alone = answered(TreeEngine(changed, EngineSettings()), changed, choice_task, shots=0)
    assert answered(second, changed, choice_task, shots=0) == alone


def test_a_task_with_a_function_of_its_own_is_put_together_for_each_model(
    tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    """The function might change a document, or draw by chance."""
    changed = replace(choice_task, config={**choice_task.config, "doc_to_text": lambda doc: doc["question"]})
    engine = TreeEngine(tiny, EngineSettings())
    answered(engine, tiny, changed, shots=0)

    assert asked_by(engine, tiny, changed) is None


def test_another_task_of_the_same_name_and_digest_is_not_taken_for_the_first(
    tiny: ModelSpec, choice_task: TaskSpec
) -> None:
    engine = TreeEngine(tiny, EngineSettings())
    answered(engine, tiny, choice_task, shots=0)
    changed = replace(choice_task, config={**choice_task.config, "doc_to_text": "Q: {{question}}"})
    result = engine.evaluate(cell(of=changed, model=tiny, shots=0), changed)

    assert result.samples is not None
    assert all(sample.prompt.startswith("Q: ") for sample in result.samples)


def test_a_worker_hands_on_what_was_put_together(tiny: ModelSpec, other: ModelSpec, choice_task: TaskSpec) -> None:
    worker = LaneWorker(EngineSettings())
    engines = []
    for model in (tiny, other):
        job = Job(cell=cell(of=choice_task, model=model, shots=0), task=choice_task)
        assert worker.open(Lane(model=model, engine="tree", jobs=(job,))) == ()
        assert isinstance(worker.answer(0), CellResult)
        engines.append(worker._engine)
        worker.close()
    assert engines[1]._data.cells is engines[0]._data.cells  # type: ignore[union-attr]


def test_what_has_no_room_is_not_kept(choice_task: TaskSpec) -> None:
    kept: KeptCells[str] = KeptCells(most_tokens=10)
    asked = [cell(of=choice_task, shots=shots) for shots in range(3)]
    for one, tokens in zip(asked, (6, 6, 4), strict=True):
        kept.keep(one, choice_task, "how", f"{one.shots} shots", tokens)

    assert [kept.find(one, choice_task, "how") for one in asked] == ["0 shots", None, "2 shots"]
