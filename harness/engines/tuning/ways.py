"""The ways to train a model: what of it learns, what is kept, and how a loaded model takes that on.

Each way is asked first whether it suits a model at all, trains a copy of the model, keeps what came out in a folder,
and puts that on the loaded model, from which it is taken off again before the next.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from harness.engines.class_head import ClassHead, states_of
from harness.engines.treating.matrices import matrices
from harness.engines.tuning.learning import Row
from harness.engines.tuning.lessons import Lesson, Lessons
from harness.errors import ModelError
from harness.treatments import ClassifierHead, Finetune, Lora, PromptTuning, TaskTraining
from harness.wording import count

WEIGHTS = "weights.safetensors"
"""All weights of a model by their names in it, in its number format."""
_ADAPTER = "adapter_model.safetensors"
_FLAT = 1e-6
"""Spread of a state from which on it tells documents apart."""
_NAME = "default"
"""What peft calls an adapter that is given no name."""


class SoftReader(Protocol):
    """A loaded model that can read vectors before every prompt."""

    model: Any
    why_not: str | None

    def read_first(self, vectors: Tensor | None) -> None:
        """Read these vectors before every prompt from now on; none for None."""
        ...


class Learner(NamedTuple):
    """What learns, and from what."""

    model: Any
    """A torch module that gives a loss."""
    rows: Sequence[Row]
    """Its inputs by name, one text each."""


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


def way_for(how: TaskTraining, lm: Any) -> TuningWay:
    """The way to train a loaded model.

    Raises:
        ModelError: the model does not suit it.
    """
    if getattr(lm.model, "hf_quantizer", None) is not None or getattr(lm.model, "is_quantized", False):
        raise ModelError("its weights are quantised already; expected a model with weights of floating point")
    if len(set(map(str, getattr(lm.model, "hf_device_map", {"": "one"}).values()))) > 1:
        raise ModelError("it lies on several GPUs; expected a model that one holds, with what training it takes")
    return _WAYS[type(how)](lm, how)


class _OnTokens:
    """A copy of the model learns to continue prompts with answers."""

    def __init__(self, lm: Any) -> None:
        # an encoder reads the prompt by itself, and a decoder learns the answer
        self._apart = getattr(lm, "backend", "causal") == "seq2seq"

    def why_not(self, lessons: Lessons) -> str | None:
        return None

    def learner(self, lessons: Lessons) -> Learner:
        return Learner(self.wrapped(), [_row(lesson, apart=self._apart) for lesson in lessons.lessons])

    def wrapped(self) -> Any:
        """A copy of the loaded model, or an adapter around one."""
        raise NotImplementedError


class _AllWeights(_OnTokens):
    """Every parameter learns."""

    def __init__(self, lm: Any, how: Finetune) -> None:
        super().__init__(lm)
        self._model, self._how = lm.model, how

    def wrapped(self) -> Any:
        return _learner(self._model, self._how, dtype=torch.float32).requires_grad_(True)

    def keep(self, trained: Any, folder: Path) -> None:
        formats = {name: parameter.dtype for name, parameter in self._model.named_parameters()}
        made = {name: one.detach().to(formats[name]).cpu().contiguous() for name, one in trained.named_parameters()}
        save_file(made, folder / WEIGHTS)

    @torch.no_grad()
    def put_on(self, folder: Path) -> int:
        own = dict(self._model.named_parameters())
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            if own.keys() != {*file.keys()}:
                raise ModelError(f"{folder}: holds weights of another model; remove the folder to have them made again")
            for name, parameter in own.items():
                parameter.copy_(file.get_tensor(name))
        return sum(parameter.numel() for parameter in own.values())


class _LowRank(_OnTokens):
    """A product of two thin matrices beside each linear layer learns, and is added to it afterwards."""

    def __init__(self, lm: Any, how: Lora) -> None:
        super().__init__(lm)
        self._model, self._how = lm.model, how
        self._targets = [one for one in matrices(lm.model) if one.attribute == "weight"]
        if not self._targets:
            raise ModelError("it has no linear layers with names of their own, beside which an update could learn")
        self._before: list[Tensor] | None = None

    def wrapped(self) -> Any:
        how = self._how
        config = LoraConfig(
            task_type="SEQ_2_SEQ_LM" if self._model.config.is_encoder_decoder else "CAUSAL_LM",
            r=how.rank,
            lora_alpha=how.scale,  # type: ignore[arg-type]  # peft multiplies with it
            lora_dropout=how.dropout or 0.0,
            target_modules=[one.name for one in self._targets],
            fan_in_fan_out=any(one.flipped for one in self._targets),
        )
        return _adapted(_frozen(self._model, how), config)

    def keep(self, trained: Any, folder: Path) -> None:
        _save_adapter(trained, folder)

    @torch.no_grad()
    def put_on(self, folder: Path) -> int:
        """Weights as they were before, with the update added to them."""
        if self._before is None:
            self._before = [one.weight.detach().cpu().clone() for one in self._targets]
        for one, before in zip(self._targets, self._before, strict=True):
            one.weight.data.copy_(before)
        return _merge(self._model, folder)


class _Prompt(_OnTokens):
    """Vectors that are read before every prompt learn."""

    def __init__(self, lm: Any, how: PromptTuning) -> None:
        if not hasattr(lm, "read_first"):
            raise ModelError("vectors before a prompt are read by the engine tree alone")
        if lm.why_not is not None:
            raise ModelError(
                f"vectors before a prompt are read by the code of the engine tree, and not where {lm.why_not}"
            )
        if how.tokens >= lm.max_length // 2:
            raise ModelError(f"{how.tokens} vectors leave little room for a prompt in {count(lm.max_length)} tokens")
        super().__init__(lm)
        self._lm, self._how = cast(SoftReader, lm), how

    def wrapped(self) -> Any:
        config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=self._how.tokens)
        model = _adapted(_frozen(self._lm.model, self._how), config)
        words = self._lm.model.get_input_embeddings().weight.detach()
        chosen = torch.randint(len(words), (self._how.tokens,))
        # vectors as large as those of words, since they are read in their place (Lester et al. 2021, section 3.2)
        model.prompt_encoder[_NAME].embedding.weight.data.copy_(words[chosen])
        return model

    def keep(self, trained: Any, folder: Path) -> None:
        _save_adapter(trained, folder)

    def put_on(self, folder: Path) -> int:
        vectors = load_file(folder / _ADAPTER)["prompt_embeddings"]
        self._lm.read_first(vectors)
        return vectors.numel()


class _Head:
    """A linear classifier of the states of the model learns, and the model stays as it is."""

    def __init__(self, lm: Any, how: ClassifierHead) -> None:
        if lm.backend == "causal" and lm.model.base_model is lm.model:
            raise ModelError("its output layer is no part of its own, in whose place a classifier could stand")
        self._lm, self._how = lm, how
        self._centre = self._scale = torch.zeros(())

    def why_not(self, lessons: Lessons) -> str | None:
        if lessons.classes:
            return None
        found = "differ from document to document" if lessons.choices else "are no classes, or there are none"
        return (
            f"the options of the task {found}; expected the same ones in each document, as in doc_to_choice: [yes, no]"
        )

    def learner(self, lessons: Lessons) -> Learner:
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


_WAYS: dict[type[TaskTraining], Callable[[Any, Any], TuningWay]] = {
    Finetune: _AllWeights,
    Lora: _LowRank,
    PromptTuning: _Prompt,
    ClassifierHead: _Head,
}


def _learner(model: Any, how: TaskTraining, *, dtype: torch.dtype | None) -> Any:
    """A copy of a model that can learn; None leaves its number format."""
    made = copy.deepcopy(model)
    if dtype is not None:
        made = made.to(dtype)
    made.config.use_cache = False
    if how.dropout is not None:
        _set_dropout(made, how.dropout)
    return made


def _frozen(model: Any, how: TaskTraining) -> Any:
    """A copy whose own weights do not learn, in half the room where it computes in bfloat16 anyway."""
    return _learner(model, how, dtype=None if how.bf16 else torch.float32).requires_grad_(False)


def _set_dropout(model: nn.Module, share: float) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, share)


def _adapted(model: Any, config: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on layers stored the other way round, which peft sees by itself
        return get_peft_model(model, config)


def _save_adapter(trained: Any, folder: Path) -> None:
    trained.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # a form for a model card


def _merge(model: Any, folder: Path) -> int:
    """Add a kept update to the weights of a model; return the number of parameters that learnt."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = PeftModel.from_pretrained(model, str(folder))
    learnt = sum(one.numel() for name, one in adapted.named_parameters() if "lora_" in name)
    merged = adapted.merge_and_unload(safe_merge=False)
    assert merged is model
    return learnt


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
