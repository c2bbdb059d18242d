"""Every weight of a model learns from what a larger one makes of the same texts.

Hinton, Vinyals and Dean 2015, Distilling the Knowledge in a Neural Network, arXiv:1503.02531, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from harness.engines.encoding import tokens_alike
from harness.engines.tuning.learning import TokenLoss
from harness.engines.tuning.lessons import Lessons
from harness.engines.tuning.way import AllWeights, Learner
from harness.errors import ModelError
from harness.treatments import Distill
from harness.wording import number


class Distilling(AllWeights):
    """The weights learn the answers, and how likely the teacher finds each token in their place."""

    def __init__(self, lm: Any, how: Distill, params: int, open_teacher: Callable[[], Any]) -> None:
        if how.teacher_params is None:
            raise ModelError(f"its family has no model {how.teacher} to learn from")
        if how.teacher_params <= params:
            sizes = f"{number(how.teacher_params)} and {number(params)} parameters"
            raise ModelError(
                f"{how.teacher} is no larger ({sizes}); expected a larger model of the family to learn from"
            )
        super().__init__(lm, how)
        self._lm, self._soft, self._open = lm, how, open_teacher

    def learner(self, lessons: Lessons) -> Learner:
        """A copy of the model, which loses by the teacher's distributions.

        Raises:
            ModelError: the teacher does not read texts as the model does.
        """
        teacher = self._open()
        own, other = tokens_alike(self._lm.tokenizer), tokens_alike(teacher.tokenizer)
        if own is None or own != other or teacher.backend != self._lm.backend:
            raise ModelError(f"its teacher {self._soft.teacher} reads texts as other tokens; expected one tokenizer")
        model, rows, _ = super().learner(lessons)
        shifted = self._lm.backend == "causal"
        loss_of = distillation(teacher.model.eval(), self._soft.temperature, self._soft.soft, shifted=shifted)
        return Learner(model, rows, loss_of)


def distillation(teacher: Any, temperature: float, soft: float, *, shifted: bool) -> TokenLoss:
    """The loss of each token that is learnt: soft · T² · KL(p_T ‖ q_T) + (1 - soft) · cross-entropy.

    p_T and q_T are the distributions of teacher and student, of logits that are divided by T.

    Args:
        teacher: a model of transformers.
        temperature: T.
        soft: share of the teacher.
        shifted: True where logits are those of the next token, as in decoders.
    """

    def loss_of(student: Any, inputs: Mapping[str, Tensor]) -> Tensor:
        texts = {name: value for name, value in inputs.items() if name != "num_items_in_batch"}
        with torch.no_grad():
            there = teacher(**texts).logits
        here, labels = student(**texts).logits, texts["labels"]
        if shifted:
            here, there, labels = here[:, :-1], there[:, :-1], labels[:, 1:]
        learnt = labels != -100
        # models of a family may have rows behind the vocabulary, which stand for no token
        known = min(here.shape[-1], there.shape[-1])
        here, there = here[learnt][:, :known].float(), there[learnt][:, :known].float()
        hard = functional.cross_entropy(here, labels[learnt], reduction="none")
        apart = functional.kl_div(
            (here / temperature).log_softmax(-1),
            (there / temperature).log_softmax(-1),
            reduction="none",
            log_target=True,
        ).sum(-1)
        return soft * temperature**2 * apart + (1.0 - soft) * hard

    return loss_of
