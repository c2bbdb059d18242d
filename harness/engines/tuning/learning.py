"""Train a model on rows of token ids with the `Trainer` of transformers, so that it can be interrupted and goes on.

The same rows, settings and seed give the same weights, bit by bit, on one thread of one kind of processor, whether or
not the training was interrupted in between.
"""

from __future__ import annotations

import logging
import math
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.state import AcceleratorState
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from harness.engines import pulse
from harness.engines.tuning.loss_file import LossFile
from harness.errors import HarnessError
from harness.store.trainings import LossPoint
from harness.treatments import TaskTraining
from harness.wording import clock, counted, number

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
"""Folder of what an interrupted training goes on from."""
CHECKPOINT_SECONDS = 300.0
"""Time between two checkpoints: most trainings on small models are over before the first."""
LOOKS = 20
"""Looks at the development split in a whole training."""
_WHOLE = "whole"
"""File that a checkpoint has when it is complete."""

Row = Mapping[str, Sequence[int] | int]
"""Inputs of the model by name: token ids and labels of one text."""


TokenLoss = Callable[[Any, Mapping[str, Tensor]], Tensor]
"""What a model that is given these inputs loses at each token that is learnt [tokens], in place of its own loss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Learnt:
    """How a training went."""

    steps: int
    """Steps that were made."""
    seconds: float
    """Time that it took, in all tries."""
    resumed: int
    """Number of tries that went on from a checkpoint."""
    loss: tuple[LossPoint, ...]
    """Mean loss of the steps since the point before."""
    development: tuple[LossPoint, ...]
    """Loss on the development split; empty without one."""


def learn(
    model: nn.Module,
    rows: Sequence[Row],
    how: TaskTraining,
    *,
    rate: float,
    seed: int,
    padding: Mapping[str, int],
    folder: Path,
    device: str,
    loss_of: TokenLoss | None = None,
) -> Learnt:
    """Train a model where it lies.

    Args:
        model: a transformers model, or one that peft has wrapped, whose parameters that learn are in float32.
        rows: what it learns from; with `patience` a share of them is kept as the development split.
        how: the settings.
        rate: the highest learning rate.
        seed: of all draws.
        padding: input -> value that fills shorter rows up.
        folder: where checkpoints lie, and are looked for; the loss curve goes there as well.
        device: torch device.
        loss_of: gives the loss; None for the model's own.

    Raises:
        HarnessError: there is nothing to learn from, or the loss is no number.
    """
    learning, development = _split(rows, how, seed)
    steps = how.steps_for(len(learning))
    _clear_halves(folder / CHECKPOINTS)
    with _alone(seed, device):
        told = _Told(time.monotonic, counted(len(learning), "document"))
        looks = [EarlyStoppingCallback(how.patience)] if how.patience is not None else []
        trainer = _Trainer(
            model=model,
            args=_arguments(folder / CHECKPOINTS, how, rate=rate, steps=steps, seed=seed, device=device),
            train_dataset=list(learning),
            eval_dataset=list(development) or None,
            data_collator=lambda batch: _padded(batch, padding),
            callbacks=[told, LossFile(folder), *looks],
        )
        trainer.loss_of = loss_of
        last = _last(folder / CHECKPOINTS)
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=last)
        model.eval()
    history = trainer.state.log_history
    loss = _points(history, "loss")
    if any(not math.isfinite(value) for _, value in loss):
        raise HarnessError("the loss is no number; expected a lower learning rate")
    return Learnt(
        steps=trainer.state.global_step,
        seconds=told.seconds,
        resumed=told.resumed,
        loss=loss,
        development=_points(history, "eval_loss"),
    )


def _last(folder: Path) -> str | None:
    """The checkpoint to go on from; None to begin."""
    found: str | None = get_last_checkpoint(str(folder)) if folder.is_dir() else None  # type: ignore[no-untyped-call]
    return found


def _points(history: Sequence[Mapping[str, Any]], name: str) -> tuple[LossPoint, ...]:
    return tuple((int(entry["step"]), float(entry[name])) for entry in history if name in entry)


def _split(rows: Sequence[Row], how: TaskTraining, seed: int) -> tuple[Sequence[Row], Sequence[Row]]:
    """Rows to learn from, and those of the development split."""
    if not rows:
        raise HarnessError("there is nothing to learn from")
    if how.patience is None:
        return rows, ()
    order = list(range(len(rows)))
    random.Random(f"development {seed}").shuffle(order)
    kept = max(1, round(how.development * len(rows)))
    if kept >= len(rows):
        raise HarnessError(f"{len(rows)} training documents leave none beside a development split; expected more")
    return [rows[i] for i in sorted(order[kept:])], [rows[i] for i in sorted(order[:kept])]


def _arguments(
    folder: Path, how: TaskTraining, *, rate: float, steps: int, seed: int, device: str
) -> TrainingArguments:
    every = max(1, steps // LOOKS)
    stops = how.patience is not None
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=how.batch // how.accumulate,
        per_device_eval_batch_size=how.batch // how.accumulate,
        gradient_accumulation_steps=how.accumulate,
        learning_rate=rate,
        warmup_steps=round(how.warmup * steps),
        weight_decay=how.weight_decay,
        bf16=how.bf16,
        seed=seed,
        data_seed=seed,
        use_cpu=device == "cpu",
        logging_steps=every,
        logging_nan_inf_filter=False,  # it would hide that the loss is no number
        eval_strategy="steps" if stops else "no",
        eval_steps=every,
        save_strategy="steps" if stops else "no",  # without looks, checkpoints come by the clock
        save_steps=every,
        save_total_limit=1,
        load_best_model_at_end=stops,
        metric_for_best_model="eval_loss" if stops else None,
        greater_is_better=False if stops else None,
        prediction_loss_only=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to="none",
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # several would train the model side by side, with another batch
    return arguments


def _padded(batch: Sequence[Row], padding: Mapping[str, int]) -> dict[str, Tensor]:
    """Rows as tensors, the shorter ones filled up at their end."""
    made: dict[str, Tensor] = {}
    for name in batch[0]:
        values = [row[name] for row in batch]
        if isinstance(values[0], int):
            made[name] = torch.tensor(values)
            continue
        width = max(len(value) for value in values)  # type: ignore[arg-type]
        filled = [[*value, *[padding[name]] * (width - len(value))] for value in values]  # type: ignore[arg-type, misc]
        made[name] = torch.tensor(filled)
    return made


class _Trainer(Trainer):
    """A `Trainer` with a loss of one's own, that goes on where a checkpoint cannot be written, as on a full disk."""

    loss_of: TokenLoss | None = None

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if self.loss_of is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        lost = self.loss_of(model, inputs)
        # the tokens of all passes of a step, where they are counted; otherwise the passes count alike
        loss = lost.mean() if num_items_in_batch is None else lost.sum() / num_items_in_batch
        return (loss, {}) if return_outputs else loss

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, RuntimeError, SafetensorError) as error:
            if self.args.load_best_model_at_end:  # the lowest loss is gone back to, and has to be there
                raise
            log.warning("a checkpoint cannot be written, and training goes on without: %s", error)
            _clear_halves(Path(str(self.args.output_dir)))


class _Told(TrainerCallback):
    """Counts steps for those who watch the process, and makes checkpoints by the clock."""

    def __init__(self, seconds: Callable[[], float], on: str = "") -> None:
        self._clock, self._on = seconds, f" on {on}" if on else ""
        self._began = self._saved = seconds()
        self._before = 0.0
        self._first = 0
        self._loss = ""
        self.resumed = 0

    @property
    def seconds(self) -> float:
        """Time in all tries."""
        return self._before + self._clock() - self._began

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step:
            written = (Path(args.output_dir) / f"checkpoint-{state.global_step}" / _WHOLE).read_text().split()
            self._before, self.resumed = float(written[0]), int(written[1]) + 1

        self._first = state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        pulse.step()
        pulse.doing(self._line(state.global_step, state.max_steps))
        if self._clock() - self._saved >= CHECKPOINT_SECONDS and state.global_step < state.max_steps:
            control.should_save = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        if logs and "loss" in logs:
            rate = f", learning rate {number(float(logs['learning_rate']), 2)}" if "learning_rate" in logs else ""
            self._loss = f", loss {float(logs['loss']):.3f}{rate}"
            pulse.doing(self._line(state.global_step, state.max_steps))

    def _line(self, step: int, of: int) -> str:
        """How far the training is: steps, the last loss, steps in a minute, and the time left at that pace."""
        made, took = step - self._first, self._clock() - self._began
        pace = f", {number(60 * made / took)}/min, ETA {clock(took * (of - step) / made)}" if made and took else ""
        return f"training{self._on}, step {step} of {of}{self._loss}{pace}"

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._saved = self._clock()
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if checkpoint.is_dir():
            (checkpoint / _WHOLE).write_text(f"{self.seconds} {self.resumed}\n")


def _clear_halves(folder: Path) -> None:
    """Remove checkpoints that were not written to their end."""
    if folder.is_dir():
        for checkpoint in folder.iterdir():
            if not (checkpoint / _WHOLE).is_file():
                shutil.rmtree(checkpoint, ignore_errors=True)


@contextmanager
def _alone(seed: int, device: str) -> Iterator[None]:
    """Draw from `seed` on this device, and go on afterwards as if nothing had been drawn or chosen."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    chosen = os.environ.get("ACCELERATE_TORCH_DEVICE")
    os.environ["ACCELERATE_TORCH_DEVICE"] = "cuda:0" if device == "cuda" else device
    AcceleratorState._reset_state(reset_partial_state=True)  # keeps the device and number format of the first training
    torch.manual_seed(seed)
    try:
        yield
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
        if chosen is None:
            del os.environ["ACCELERATE_TORCH_DEVICE"]
        else:
            os.environ["ACCELERATE_TORCH_DEVICE"] = chosen
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])
