"""Treatments that train a model on the training split of the task that it is then asked: their settings. Pure.

The weights are made by `harness.engines.tuning`, with the `Trainer` of transformers and with peft.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from harness.errors import PlanError
from harness.plausible import LARGEST_COUNT
from harness.wording import counted, quoted

STEPS = 200
"""Steps of a training of which neither steps nor epochs are said."""
BATCH = 16
"""Documents of a step, unless told."""

MOST_WIDE = 4096
"""Largest rank of an update, and largest number of vectors before a prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskTraining:
    """What all trainings have: on how many documents, for how long, how fast, and when to stop."""

    FOUND: ClassVar[tuple[str, ...]] = ()
    """Settings that nobody chooses: they are found when a plan is made."""

    documents: int | None = None
    """Number of documents of the training split that are learnt from, the first of one permutation; None for all."""
    steps: int | None = None
    """Number of steps of the optimiser; None for `epochs`, and 200 where these are not said either."""
    epochs: float | None = None
    """How often each document is seen; None for `steps`."""
    batch: int = BATCH
    """Documents of a step."""
    accumulate: int = 1
    """Passes in which these go through the model, one after the other, where memory does not hold them together."""
    learning_rate: float | None = None
    """Highest learning rate; None for that of the method and of the size of the model (`rate_for`)."""
    warmup: float = 0.1
    """Share of the steps during which the rate rises; it falls to 0 in a line afterwards."""
    weight_decay: float = 0.0
    """Decoupled weight decay of AdamW."""
    dropout: float | None = None
    """Share of the activations that are dropped; None for what the model's config says."""
    patience: int | None = None
    """Looks at the development split without a lower loss after which training stops, and goes back to the lowest; a
    whole training has 20 looks. None never stops early, and needs no development split."""
    development: float = 0.1
    """Share of the training documents that make up the development split."""
    bf16: bool = False
    """Compute in bfloat16 (with the weights that learn in float32)."""
    seed: int = 0
    """Seed of all draws, to which the seed of the cell is added: each seed of a plan is a training of its own."""

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is learnt."""
        _check_counts(self, ("documents", "steps", "batch", "accumulate", "patience"))
        _check_number("epochs", self.epochs, above=0.0, most=1e6)
        _check_number("learning_rate", self.learning_rate, above=0.0, most=10.0)
        _check_number("weight_decay", self.weight_decay, least=0.0, most=10.0)
        _check_number("warmup", self.warmup, least=0.0, most=1.0)
        _check_number("dropout", self.dropout, least=0.0, below=1.0)
        _check_number("development", self.development, above=0.0, below=1.0)
        if self.steps is not None and self.epochs is not None:
            raise PlanError(f"steps is {self.steps} and epochs is {self.epochs:g}; expected one of them")
        if self.batch % self.accumulate:
            raise PlanError(f"accumulate is {self.accumulate}; expected a divisor of batch, which is {self.batch}")
        if not isinstance(self.bf16, bool):
            raise PlanError(f"bf16 is {quoted(self.bf16)}; expected true or false")
        if not is_whole(self.seed) or not 0 <= self.seed <= LARGEST_COUNT:
            raise PlanError(f"seed is {quoted(self.seed)}; expected a whole number of 0 or more")

    def steps_for(self, documents: int) -> int:
        """Number of steps of a training on so many documents.

        >>> Finetune(epochs=3).steps_for(64), Finetune(epochs=0.5).steps_for(100), Finetune().steps_for(5)
        (12, 4, 200)
        """
        if self.epochs is None:
            return self.steps or STEPS
        return max(1, math.ceil(self.epochs * documents / self.batch))

    def rate_for(self, parameters: int) -> float:
        """The highest learning rate for a model of so many parameters."""
        return self.usual_rate(parameters) if self.learning_rate is None else self.learning_rate

    def usual_rate(self, parameters: int) -> float:
        """The rate for a model of so many parameters where none is said.

        A rule of ours, 0.001 at a million parameters and falling with their square root: 1e-4 at 110 million, as BERT
        is tuned, and 1e-5 at 7 billion, as is usual there.

        >>> round(Finetune().usual_rate(110_000_000), 6), round(Finetune().usual_rate(7_000_000_000), 7)
        (9.5e-05, 1.2e-05)
        """
        return min(0.01, 1e-3 * math.sqrt(1e6 / max(1, parameters)))

    def does(self) -> str:
        """What happens to the weights, in a few words."""
        raise NotImplementedError

    def needs(self) -> str | None:
        """What a model and a task have to be like."""
        return "a task with a training split"

    def _length(self) -> str:
        length = f"{self.epochs:g} epochs" if self.epochs is not None else counted(self.steps or STEPS, "step")
        amount = "" if self.documents is None else f"{counted(self.documents, 'document')} of "
        return f"{length} of {self.batch} on {amount}the training split"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finetune(TaskTraining):
    """Train all weights."""

    def does(self) -> str:
        """What happens to the weights, in a few words."""
        return f"trains all weights, {self._length()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lora(TaskTraining):
    """Train a product of two thin matrices beside each linear layer, and add it to the weights (Hu et al. 2021)."""

    rank: int
    """Width of the thin matrices."""
    alpha: float | None = None
    """The product is multiplied by this number over the rank; None for twice the rank."""

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is learnt."""
        TaskTraining.__post_init__(self)
        _check_counts(self, ("rank",))
        if self.rank > MOST_WIDE:
            raise PlanError(f"rank is {self.rank}; expected {MOST_WIDE} or less")
        _check_number("alpha", self.alpha, above=0.0, most=1e6)

    @property
    def scale(self) -> float:
        """What the product is multiplied by, times the rank."""
        return 2.0 * self.rank if self.alpha is None else float(self.alpha)

    def usual_rate(self, parameters: int) -> float:
        """Ten times that of all weights (Schulman et al. 2025, "LoRA Without Regret")."""
        return min(0.01, 10.0 * TaskTraining.usual_rate(self, parameters))

    def does(self) -> str:
        """What happens to the weights, in a few words."""
        return f"trains an update of rank {self.rank} of each linear layer, {self._length()}"

    def needs(self) -> str | None:
        """What a model and a task have to be like."""
        return "a task with a training split; linear layers with names"


@dataclass(frozen=True, kw_only=True, slots=True)
class BeforePrompts(TaskTraining):
    """Train something that is read before every prompt, and leave the weights as they are."""

    tokens: int
    """Number of tokens whose room it takes."""

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is learnt."""
        TaskTraining.__post_init__(self)
        _check_counts(self, ("tokens",))
        if self.tokens > MOST_WIDE:
            raise PlanError(f"tokens is {self.tokens}; expected {MOST_WIDE} or less")

    def usual_rate(self, parameters: int) -> float:
        """One rate for all sizes: only what is read learns, which is little and begins as words do."""
        return 0.03

    def needs(self) -> str | None:
        """What a model and a task have to be like."""
        return "a task with a training split; a model that the engine tree runs on its own code"


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptTuning(BeforePrompts):
    """Train vectors that are read before every prompt (Lester et al. 2021)."""

    def does(self) -> str:
        """What happens to the weights, in a few words."""
        return f"trains {counted(self.tokens, 'vector')} that are read before each prompt, {self._length()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PrefixTuning(BeforePrompts):
    """Train keys and values that every layer sees before the prompt (Li and Liang 2021)."""

    def does(self) -> str:
        """What happens to the weights, in a few words."""
        return f"trains keys and values of {counted(self.tokens, 'token')} before each prompt, {self._length()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierHead(TaskTraining):
    """Train a linear classifier of the states of the model, and leave the model as it is (Alain and Bengio 2016)."""

    def usual_rate(self, parameters: int) -> float:
        """One rate for all sizes: the most that a step moves a logit by, since states are brought to one length."""
        return 0.5

    def does(self) -> str:
        """What happens to the weights, in a few words."""
        return f"trains a classifier of the frozen model's states (a linear probe), {self._length()}"

    def needs(self) -> str | None:
        """What a model and a task have to be like."""
        return "a task with a training split and the same options in each document"


@dataclass(frozen=True, kw_only=True, slots=True)
class Distill(TaskTraining):
    """Train all weights on the answers and on what a larger model makes of them (Hinton et al. 2015, section 2).

    The loss is soft · T² · KL(p_T ‖ q_T) + (1 - soft) · cross-entropy, over the tokens of the answers: p_T and q_T are
    the distributions of teacher and student at temperature T. T² makes the share of the soft part the same at every T.
    """

    FOUND: ClassVar[tuple[str, ...]] = ("teacher_revision", "teacher_path", "teacher_params")
    """Settings that nobody chooses: they are found when a plan is made."""

    teacher: str
    """Name of a larger model of the same family, which reads a text as the same tokens."""
    temperature: float = 2.0
    """Softens both distributions; 1 leaves them as they are."""
    soft: float = 0.9
    """Share of the teacher's distribution in the loss, above 0 and at most 1; the rest is that of the right answers."""
    teacher_revision: str | None = None
    """Commit, or fingerprint of a local folder, of the teacher's weights; None until a plan is made."""
    teacher_path: str | None = None
    """Folder of the teacher on this machine; None for a model of the hub."""
    teacher_params: int | None = None
    """Parameters of the teacher; None until a plan is made, and where the family has no such model."""

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is learnt."""
        TaskTraining.__post_init__(self)
        if not isinstance(self.teacher, str) or not self.teacher.strip():
            raise PlanError(f"teacher is {quoted(self.teacher)}; expected the name of a model of the family")
        _check_number("temperature", self.temperature, above=0.0, most=100.0)
        _check_number("soft", self.soft, above=0.0, most=1.0)

    def does(self) -> str:
        """What happens to the weights, in a few words."""
        return f"trains all weights to answer as {self.teacher} does (distillation), {self._length()}"

    def needs(self) -> str | None:
        """What a model and a task have to be like."""
        return "a task with a training split; a larger model of the family with the same tokenizer"


def is_whole(value: object) -> bool:
    """True for a whole number that is none of `True` and `False`."""
    return isinstance(value, int) and not isinstance(value, bool)


def _check_counts(training: TaskTraining, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(training, name)
        if value is not None and not (is_whole(value) and 1 <= value <= LARGEST_COUNT):
            raise PlanError(f"{name} is {quoted(value)}; expected a whole number of 1 or more")


def _check_number(
    name: str,
    value: object,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> None:
    if value is None:
        return
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (("above", above), ("at least", least), ("below", below), ("at most", most))
        if bound is not None
    ]
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    fits = (
        math.isfinite(number)
        and (above is None or number > above)
        and (least is None or number >= least)
        and (below is None or number < below)
        and (most is None or number <= most)
    )
    if not fits:
        raise PlanError(f"{name} is {quoted(value)}; expected a number {' and '.join(bounds)}")
