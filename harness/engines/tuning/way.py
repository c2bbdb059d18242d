"""What all ways to train a model have in common, and the plainest of them: every weight learns.

Each way is asked first whether it suits a model at all, trains a copy of the model, keeps what came out in a folder,
and puts that on the loaded model, from which it is taken off again before the next.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from harness.engines.tuning.learning import Row, TokenLoss
from harness.engines.tuning.lessons import Lesson, Lessons
from harness.errors import ModelError
from harness.treatments import Distill, Finetune, TaskTraining

WEIGHTS = "weights.safetensors"
"""What was learnt, by the names of the weights, in the number format of the model."""


class Learner(NamedTuple):
    """What learns, and from what."""

    model: Any
    """A torch module that gives a loss."""
    rows: Sequence[Row]
    """Its inputs by name, one text each."""
    loss_of: TokenLoss | None = None
    """What it loses, in place of the loss that it gives; None for that."""


class TuningWay(Protocol):
    """One of the ways."""

    def why_not(self, lessons: Lessons) -> str | None:
        """Why a task's documents cannot be learnt from in this way; None when they can."""
        ...

    def learner(self, lessons: Lessons) -> Learner:
        """A copy of the loaded model, or what is put on top of it, ready to be trained, and what it learns from."""
        ...

    def keep(self, trained: Any, folder: Path) -> None:
        """Write what was learnt."""
        ...

    def put_on(self, folder: Path) -> int:
        """Give what was learnt to the loaded model; return the number of parameters that learnt."""
        ...


class OnTokens:
    """A copy of the model learns to continue prompts with answers."""

    def __init__(self, lm: Any) -> None:
        # an encoder reads the prompt by itself, and a decoder learns the answer
        self._apart = getattr(lm, "backend", "causal") == "seq2seq"

    def why_not(self, lessons: Lessons) -> str | None:
        """Why a task's documents cannot be learnt from; None when they can."""
        return None

    def learner(self, lessons: Lessons) -> Learner:
        """What learns, and from what."""
        return Learner(self.wrapped(), [_row(lesson, apart=self._apart) for lesson in lessons.lessons])

    def wrapped(self) -> Any:
        """A copy of the loaded model, or an adapter around one."""
        raise NotImplementedError


class AllWeights(OnTokens):
    """Every parameter learns."""

    def __init__(self, lm: Any, how: Finetune | Distill) -> None:
        super().__init__(lm)
        self._model, self._how = lm.model, how

    def wrapped(self) -> Any:
        """A copy of the model, ready to be trained."""
        return copy_of(self._model, self._how, dtype=torch.float32).requires_grad_(True)

    def keep(self, trained: Any, folder: Path) -> None:
        """Write what was learnt."""
        formats = {name: parameter.dtype for name, parameter in self._model.named_parameters()}
        made = {name: one.detach().to(formats[name]).cpu().contiguous() for name, one in trained.named_parameters()}
        save_file(made, folder / WEIGHTS)

    @torch.no_grad()
    def put_on(self, folder: Path) -> int:
        """Give what was learnt to the loaded model; return the number of parameters that learnt."""
        own = dict(self._model.named_parameters())
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            if own.keys() != {*file.keys()}:
                raise ModelError(f"{folder}: holds weights of another model; remove the folder to have them made again")
            for name, parameter in own.items():
                parameter.copy_(file.get_tensor(name))
        return sum(parameter.numel() for parameter in own.values())


def check_whole(model: Any) -> None:
    """Check that the weights of a model can learn.

    Raises:
        ModelError: they are quantised, or lie on several GPUs.
    """
    if getattr(model, "hf_quantizer", None) is not None or getattr(model, "is_quantized", False):
        raise ModelError("its weights are quantised already; expected a model with weights of floating point")
    if len(set(map(str, getattr(model, "hf_device_map", {"": "one"}).values()))) > 1:
        raise ModelError("it lies on several GPUs; expected a model that one holds, with what training it takes")


def copy_of(model: Any, how: TaskTraining, *, dtype: torch.dtype | None) -> Any:
    """A copy of a model that can learn; None leaves its number format."""
    made = copy.deepcopy(model)
    if dtype is not None:
        made = made.to(dtype)
    made.config.use_cache = False
    if how.dropout is not None:
        set_dropout(made, how.dropout)
    return made


def frozen_copy(model: Any, how: TaskTraining) -> Any:
    """A copy whose own weights do not learn, in half the room where it computes in bfloat16 anyway."""
    return copy_of(model, how, dtype=None if how.bf16 else torch.float32).requires_grad_(False)


def set_dropout(model: nn.Module, share: float) -> None:
    """Drop this share of activations wherever a model drops some."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, share)


def _row(lesson: Lesson, *, apart: bool) -> Mapping[str, list[int]]:
    """What the model is given; `apart` where an encoder reads the prompt and a decoder learns the answer."""
    tokens = list(lesson.tokens)
    if apart:
        read, answer = tokens[: lesson.prompt], tokens[lesson.prompt :]
        return {"input_ids": read, "attention_mask": [1] * len(read), "labels": answer}
    return {
        "input_ids": tokens,
        "attention_mask": [1] * len(tokens),
        "labels": [*[-100] * lesson.prompt, *tokens[lesson.prompt :]],
    }
