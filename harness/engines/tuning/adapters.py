"""Few parameters learn beside a model whose own weights stay as they are; peft has them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file
from torch import Tensor

from harness.engines.treating.matrices import matrices
from harness.engines.tuning.way import OnTokens, frozen_copy
from harness.errors import ModelError
from harness.treatments import Lora, PromptTuning
from harness.wording import count

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


class LowRank(OnTokens):
    """A product of two thin matrices beside each linear layer learns, and is added to it afterwards."""

    def __init__(self, lm: Any, how: Lora) -> None:
        super().__init__(lm)
        self._model, self._how = lm.model, how
        self._targets = [one for one in matrices(lm.model) if one.attribute == "weight"]
        if not self._targets:
            raise ModelError("it has no linear layers with names of their own, beside which an update could learn")
        self._before: list[Tensor] | None = None

    def wrapped(self) -> Any:
        """A copy of the model, ready to be trained."""
        how = self._how
        config = LoraConfig(
            task_type="SEQ_2_SEQ_LM" if self._model.config.is_encoder_decoder else "CAUSAL_LM",
            r=how.rank,
            lora_alpha=how.scale,  # type: ignore[arg-type]  # peft multiplies with it
            lora_dropout=how.dropout or 0.0,
            target_modules=[one.name for one in self._targets],
            fan_in_fan_out=any(one.flipped for one in self._targets),
        )
        return _adapted(frozen_copy(self._model, how), config)

    def keep(self, trained: Any, folder: Path) -> None:
        """Write what was learnt."""
        _save_adapter(trained, folder)

    @torch.no_grad()
    def put_on(self, folder: Path) -> int:
        """Weights as they were before, with the update added to them."""
        if self._before is None:
            self._before = [one.weight.detach().cpu().clone() for one in self._targets]
        for one, before in zip(self._targets, self._before, strict=True):
            one.weight.data.copy_(before)
        return _merge(self._model, folder)


class SoftPrompting(OnTokens):
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
        """A copy of the model, ready to be trained."""
        config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=self._how.tokens)
        model = _adapted(frozen_copy(self._lm.model, self._how), config)
        words = self._lm.model.get_input_embeddings().weight.detach()
        chosen = torch.randint(len(words), (self._how.tokens,))
        # vectors as large as those of words, since they are read in their place (Lester et al. 2021, section 3.2)
        model.prompt_encoder[_NAME].embedding.weight.data.copy_(words[chosen])
        return model

    def keep(self, trained: Any, folder: Path) -> None:
        """Write what was learnt."""
        _save_adapter(trained, folder)

    def put_on(self, folder: Path) -> int:
        """Give what was learnt to the loaded model; return the number of parameters that learnt."""
        vectors = load_file(folder / _ADAPTER)["prompt_embeddings"]
        self._lm.read_first(vectors)
        return vectors.numel()


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
