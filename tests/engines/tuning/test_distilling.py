"""A model that learns from a larger one: the loss, who can teach whom, and what is kept of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.engines import pulse
from harness.engines.protocol import EngineSettings
from harness.engines.tree.lm import TreeEngine
from harness.engines.tuning import learning
from harness.engines.tuning.distilling import Distilling, distillation
from harness.engines.tuning.learning import learn
from harness.engines.tuning.lessons import Lesson, Lessons
from harness.engines.tuning.ways import way_for
from harness.errors import ModelError
from harness.specs import ModelSpec, TaskSpec
from harness.treatments import Distill, Treatment
from tests.builders import zoo
from tests.builders.cells import cell
from tests.builders.tasks import COLOURS
from tests.builders.trained import PADDING, rows, with_training

KNOWN = {"teacher": "big", "teacher_params": 10**6, "teacher_revision": "r1"}
LABELS = torch.tensor([[-100, -100, 1, 0], [-100, 2, -100, -100]])


class Fixed:
    """A model with the same logits for every text."""

    def __init__(self, seed: int, width: int = 3) -> None:
        self.logits = torch.randn(2, 4, width, generator=torch.Generator().manual_seed(seed))

    def __call__(self, **_: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.logits)


def log_shares(logits: list[float]) -> list[float]:
    total = math.log(sum(math.exp(one) for one in logits))
    return [one - total for one in logits]


@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize("width", [3, 5])
def test_the_loss_is_that_of_the_equation(shifted: bool, width: int) -> None:
    """Written out with numbers; a teacher may have rows behind the vocabulary, which say nothing."""
    student, teacher, temperature, soft = Fixed(0), Fixed(1, width), 3.0, 0.7
    wanted = []
    for row, at in ((0, 2), (0, 3), (1, 1)):
        q, p = (one.logits[row, at - shifted, :3].tolist() for one in (student, teacher))
        hard = -log_shares(q)[int(LABELS[row, at])]
        q_soft, p_soft = (log_shares([value / temperature for value in one]) for one in (q, p))
        apart = sum(math.exp(a) * (a - b) for a, b in zip(p_soft, q_soft, strict=True))
        wanted.append(soft * temperature**2 * apart + (1 - soft) * hard)
    found = distillation(teacher, temperature, soft, shifted=shifted)(student, {"labels": LABELS})
    assert found.tolist() == pytest.approx(wanted, abs=1e-5)


def test_a_model_loses_nothing_to_a_teacher_that_answers_alike() -> None:
    found = distillation(Fixed(0), 2.0, 1.0, shifted=True)(Fixed(0), {"labels": LABELS})
    assert found.tolist() == pytest.approx([0.0] * 3, abs=1e-6)


def lessons() -> Lessons:
    made = [Lesson(tuple(row["input_ids"]), len(row["input_ids"]) - 2) for row in rows()]  # type: ignore[arg-type]
    return Lessons(lessons=tuple(made), left_out=0, shortened=0)


def taught(folder: Path, how: Distill) -> tuple[Any, Any]:
    """A student after some steps, and its teacher: the same architecture with other weights."""
    teacher = zoo.build_tree("llama")
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in teacher.model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    way = Distilling(zoo.build_tree("llama"), how, 10, lambda: teacher)
    model, made, loss_of = way.learner(lessons())
    learn(model, made, how, rate=0.003, seed=0, padding=PADDING, folder=folder, device="cpu", loss_of=loss_of)
    return model, teacher.model


def distance(student: Any, teacher: Any) -> float:
    batch = [row for row in rows() if len(row["input_ids"]) == 6]  # type: ignore[arg-type]
    inputs = {name: torch.tensor([row[name] for row in batch]) for name in batch[0]}
    with torch.no_grad():
        return float(distillation(teacher, 1.0, 1.0, shifted=True)(student, inputs).mean())


def test_a_student_comes_nearer_to_its_teacher(tmp_path: Path) -> None:
    student, teacher = taught(tmp_path, Distill(**KNOWN, steps=30, batch=6, soft=1.0))
    assert distance(student, teacher) < 0.5 * distance(zoo.model("llama"), teacher)


def test_a_step_in_several_passes_teaches_what_a_step_in_one_does(tmp_path: Path) -> None:
    one, _ = taught(tmp_path / "one", Distill(**KNOWN, steps=2, batch=6))
    several, _ = taught(tmp_path / "several", Distill(**KNOWN, steps=2, batch=6, accumulate=3))
    for a, b in zip(one.parameters(), several.parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-4)


def test_an_interrupted_distillation_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how, steps = Distill(**KNOWN, steps=5, batch=4), iter(range(5))

    def cut() -> None:
        if next(steps) == 3:
            raise KeyboardInterrupt

    whole, _ = taught(tmp_path / "whole", how)
    with monkeypatch.context() as patched:
        patched.setattr(learning, "CHECKPOINT_SECONDS", 0.0)
        patched.setattr(pulse, "step", cut)
        with pytest.raises(KeyboardInterrupt):
            taught(tmp_path / "cut", how)
    assert list((tmp_path / "cut" / learning.CHECKPOINTS).iterdir())
    again, _ = taught(tmp_path / "cut", how)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (Distill(teacher="big"), "its family has no model big to learn from"),
        (Distill(**KNOWN | {"teacher_params": 10}), r"big is no larger \(10 and 10 parameters\)"),
    ],
)
def test_who_cannot_teach_is_named_before_anything_is_loaded(how: Distill, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        way_for(how, zoo.tree("llama"), 10, lambda: pytest.fail("loaded"))


def test_a_teacher_with_another_tokenizer_is_refused() -> None:
    way = way_for(Distill(**KNOWN), zoo.tree("llama"), 10, lambda: zoo.tree("llama", "plain"))
    with pytest.raises(ModelError, match="its teacher big reads texts as other tokens; expected one tokenizer"):
        way.learner(lessons())


def test_an_engine_answers_with_what_it_was_taught(tiny: ModelSpec, choice_task: TaskSpec, tmp_path: Path) -> None:
    task = with_training(choice_task, tmp_path)
    how = Distill(teacher="tiny", steps=60, batch=8, learning_rate=0.003, soft=0.1)
    teacher = replace(tiny, params=10**6)
    one = Treatment(name="mine", method=how, own=True).taught_by(teacher)
    spec = replace(tiny, variant=one.variant, treatment=one.settings, tuned=True)
    engine = TreeEngine(spec, EngineSettings(variants=str(tmp_path / "kept")))
    result = engine.evaluate(cell(of=task, model=spec), task)
    assert {sample.output.strip() for sample in result.samples or ()} == {COLOURS[0]}
    tuning = result.provenance.tuning
    assert tuning is not None
    card = json.loads((tmp_path / "kept" / tuning.folder / "variant.json").read_text())
    assert (card["treatment"]["teacher"], card["treatment"]["teacher_revision"]) == ("tiny", "r1")
    assert str(tiny.path) not in json.dumps(card)
    assert (
        one.variant
        == Treatment(name="mine", method=how, own=True).taught_by(replace(teacher, path="/elsewhere")).variant
    )


def test_a_teacher_that_cannot_be_loaded_fails_the_cell_and_leaves_nothing(
    tiny: ModelSpec, choice_task: TaskSpec, tmp_path: Path
) -> None:
    task = with_training(choice_task, tmp_path)
    gone = replace(tiny, name="gone", params=10**6, path=str(tmp_path / "gone"))
    one = Treatment(name="mine", method=Distill(teacher="gone"), own=True).taught_by(gone)
    spec = replace(tiny, variant=one.variant, treatment=one.settings, tuned=True)
    engine = TreeEngine(spec, EngineSettings(variants=str(tmp_path / "kept")))
    with pytest.raises(ModelError, match=r"tiny: cannot be made mine@.*gone"):
        engine.evaluate(cell(of=task, model=spec), task)
    assert not list((tmp_path / "kept").glob("tiny*/*"))
