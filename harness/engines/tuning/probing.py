"""A linear classifier of the states of a model learns, and the model stays as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from harness.engines.class_head import ClassHead, states_of
from harness.engines.tuning.lessons import Lessons
from harness.engines.tuning.way import WEIGHTS, Learner
from harness.errors import ModelError
from harness.treatments import ClassifierHead

_FLAT = 1e-6
"""Spread of a state from which on it tells documents apart."""


class Probing:
    """A linear classifier of the states of the model learns, and the model stays as it is."""

    def __init__(self, lm: Any, how: ClassifierHead) -> None:
        if lm.backend == "causal" and lm.model.base_model is lm.model:
            raise ModelError("its output layer is no part of its own, in whose place a classifier could stand")
        self._lm, self._how = lm, how
        self._centre = self._scale = torch.zeros(())

    def why_not(self, lessons: Lessons) -> str | None:
        """Why a task's documents cannot be learnt from; None when they can."""
        return None if lessons.classes else lessons.why_no_classes

    def learner(self, lessons: Lessons) -> Learner:
        """What learns, and from what."""
        states = states_of(self._lm, [choice.question for choice in lessons.choices])
        # each direction counts alike, and a step moves a logit by the learning rate at most, whatever the width
        self._centre, spread = states.mean(0), states.std(0, correction=0)
        self._scale = torch.where(spread > _FLAT, spread, torch.inf).reciprocal() / states.shape[1]
        rows = [
            {"states": state.tolist(), "labels": choice.right}
            for state, choice in zip((states - self._centre) * self._scale, lessons.choices, strict=True)
        ]
        return Learner(_Probe(states.shape[1], lessons.classes, self._how.dropout or 0.0), rows)

    def keep(self, trained: Any, folder: Path) -> None:
        """The classifier of states as the model gives them, with the names of its classes."""
        weight, bias = trained.linear.weight.detach().cpu(), trained.linear.bias.detach().cpu()
        of_states = weight * self._scale
        save_file(
            {"weight": of_states.contiguous(), "bias": bias - of_states @ self._centre},
            folder / WEIGHTS,
            metadata={"classes": json.dumps(trained.classes)},
        )

    def put_on(self, folder: Path) -> int:
        """Give what was learnt to the loaded model; return the number of parameters that learnt."""
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            classes = tuple(json.loads(file.metadata()["classes"]))
            head = ClassHead(classes=classes, weight=file.get_tensor("weight"), bias=file.get_tensor("bias"))
        self._lm.class_head = head
        return head.weight.numel() + head.bias.numel()


class _Probe(nn.Module):
    """Logistic regression, which begins with all classes alike."""

    def __init__(self, width: int, classes: tuple[str, ...], dropout: float) -> None:
        super().__init__()
        self.classes = classes
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(classes))
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, states: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.linear(self.dropout(states))
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}
