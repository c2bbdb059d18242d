"""Training: the same bits from the same seed, also when it was interrupted, and nothing lost on a full disk."""

from __future__ import annotations

import copy
import logging
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.engines import pulse
from harness.engines.tuning import learning
from harness.engines.tuning.learning import Learnt, learn
from harness.errors import HarnessError
from harness.treatments import Finetune
from tests.builders import zoo
from tests.builders.trained import PADDING, rows

HOW = Finetune(steps=6, batch=4, dropout=0.1)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(
    folder: Path, how: Finetune = HOW, *, seed: int = 0, rate: float = 0.01
) -> tuple[dict[str, Tensor], Learnt]:
    """The weights of a small model after training, and how it went."""
    model = copy.deepcopy(zoo.model("llama"))
    learnt = learn(model, rows(), how, rate=rate, seed=seed, padding=PADDING, folder=folder, device="cpu")
    return {name: one.detach().clone() for name, one in model.named_parameters()}, learnt


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_seed_gives_the_same_bits_and_another_seed_gives_others(tmp_path: Path) -> None:
    zoo.model("llama")
    before = torch.get_rng_state()
    first, learnt = trained(tmp_path / "a")
    assert same(first, trained(tmp_path / "b")[0])
    assert not same(first, trained(tmp_path / "c", seed=1)[0])
    assert not same(first, dict(zoo.model("llama").named_parameters()))
    assert learnt.steps == 6
    assert [step for step, _ in learnt.loss] == [1, 2, 3, 4, 5, 6]
    assert learnt.loss[-1][1] < learnt.loss[0][1]
    assert torch.equal(torch.get_rng_state(), before)


def interrupted(folder: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that ends with Ctrl-C at a step, with checkpoints after each one before."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(learning, "CHECKPOINT_SECONDS", 0.0)
        patched.setattr(pulse, "step", step)
        with pytest.raises(KeyboardInterrupt):
            trained(folder)


def test_an_interrupted_training_goes_on_from_its_last_checkpoint_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = trained(tmp_path / "whole")
    interrupted(tmp_path / "cut", 4, monkeypatch)
    half = tmp_path / "cut" / learning.CHECKPOINTS / "checkpoint-5"
    half.mkdir()  # as if a later one had been cut off while it was written
    weights, learnt = trained(tmp_path / "cut")
    assert same(weights, whole)
    assert (learnt.steps, learnt.resumed) == (6, 1)
    assert [step for step, _ in learnt.loss] == [1, 2, 3, 4, 5, 6]
    assert not half.exists()


def test_each_step_says_how_far_the_training_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulse, "doing", said.append)
    trained(tmp_path)
    assert said[0].startswith("training on 12 documents, step 1 of 6, ")
    assert re.fullmatch(
        r"training on 12 documents, step 5 of 6, loss \d\.\d{3}, learning rate 0\.004, \S+/min, ETA 0:0\d", said[-3]
    )
    assert ", step 6 of 6, " in said[-1]


def curve(folder: Path, tag: str) -> list[int]:
    """Steps of a curve as TensorBoard shows it."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [event.step for event in events.Scalars(tag)]


def test_tensorboard_reads_each_step_once_also_where_a_training_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(tmp_path, 4, monkeypatch)
    assert curve(tmp_path, "loss/training") == [1, 2, 3]
    trained(tmp_path)
    assert curve(tmp_path, "loss/training") == curve(tmp_path, "learning rate") == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("why", ["missing", "full"])
def test_training_goes_on_where_no_file_for_tensorboard_can_be_written(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Full:
        def __init__(self, *_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

    there = None if why == "missing" else SimpleNamespace(SummaryWriter=Full)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", there)
    assert trained(tmp_path)[1].steps == 6
    assert ("no file for TensorBoard can be written: [Errno 28]" in caplog.text) == (why == "full")


def test_training_goes_on_where_a_checkpoint_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any, **__: Any) -> None:
        (tmp_path / "full" / learning.CHECKPOINTS / "checkpoint-1").mkdir(parents=True, exist_ok=True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(learning, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(learning.Trainer, "save_model", full)
    with caplog.at_level(logging.WARNING, logger="harness"):
        weights, _ = trained(tmp_path / "full")
    assert "a checkpoint cannot be written, and training goes on without: [Errno 28] No space left" in caplog.text
    assert not list((tmp_path / "full" / learning.CHECKPOINTS).iterdir())
    monkeypatch.undo()
    assert same(weights, trained(tmp_path / "whole")[0])


def test_the_loss_on_a_development_split_ends_a_training_that_no_longer_helps(tmp_path: Path) -> None:
    """With a rate this high each step is worse than the one before, and the first look is gone back to."""
    how = Finetune(steps=40, batch=4, patience=2, development=0.25)
    _, learnt = trained(tmp_path, how, rate=1.0)
    losses = [loss for _, loss in learnt.development]
    assert learnt.steps < 40
    assert len(losses) >= 3
    assert min(losses) == losses[-3]


def test_a_step_in_several_passes_learns_what_a_step_in_one_does(tmp_path: Path) -> None:
    how = {"steps": 2, "batch": 4, "dropout": 0.0}
    one, _ = trained(tmp_path / "one", Finetune(**how))
    several, _ = trained(tmp_path / "several", Finetune(**how, accumulate=4))
    assert all(torch.allclose(one[name], several[name], atol=2e-4) for name in one)


def test_a_loss_that_is_no_number_is_no_training(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="the loss is no number; expected a lower learning rate"):
        trained(tmp_path, Finetune(steps=4, batch=4), rate=1e30)


def test_a_development_split_leaves_something_to_learn_from(tmp_path: Path) -> None:
    model = copy.deepcopy(zoo.model("llama"))
    how = Finetune(steps=1, patience=1)
    with pytest.raises(HarnessError, match="1 training documents leave none beside a development split"):
        learn(model, rows(1), how, rate=0.1, seed=0, padding=PADDING, folder=tmp_path, device="cpu")
