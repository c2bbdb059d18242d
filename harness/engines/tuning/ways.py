"""The ways to train a model: what of it learns, what is kept, and how a loaded model takes that on.

Each way is asked first whether it suits a model at all, trains a copy of the model, keeps what came out in a folder,
and puts that on the loaded model, from which it is taken off again before the next.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from harness.engines.treating.matrices import matrices
from harness.errors import ModelError
from harness.treatments import Finetune, Lora, PromptTuning, TaskTraining
from harness.wording import count

WEIGHTS = "weights.safetensors"
"""All weights of a model by their names in it, in its number format."""
_ADAPTER = "adapter_model.safetensors"
_NAME = "default"
"""What peft calls an adapter that is given no name."""


class SoftReader(Protocol):
    """A loaded model that can read vectors before every prompt."""

    model: Any
    why_not: str | None

    def read_first(self, vectors: Tensor | None) -> None:
        """Read these vectors before every prompt from now on; none for None."""
        ...


class TuningWay(Protocol):
    """One of the ways."""

    def wrapped(self) -> Any:
        """A model to train, a copy of the loaded one."""
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


class _AllWeights:
    """Every parameter learns."""

    def __init__(self, lm: Any, how: Finetune) -> None:
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


class _LowRank:
    """A product of two thin matrices beside each linear layer learns, and is added to it afterwards."""

    def __init__(self, lm: Any, how: Lora) -> None:
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


class _Prompt:
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


_WAYS: dict[type[TaskTraining], Callable[[Any, Any], TuningWay]] = {
    Finetune: _AllWeights,
    Lora: _LowRank,
    PromptTuning: _Prompt,
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
