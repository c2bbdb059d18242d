"""Few parameters learn beside a model whose own weights stay as they are; peft has them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from peft import LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file
from torch import Tensor

from harness.engines.treating.matrices import matrices
from harness.engines.tree.passes import KeysValues
from harness.engines.tuning.way import OnTokens, frozen_copy
from harness.errors import ModelError
from harness.treatments import Lora, PrefixTuning, PromptTuning
from harness.wording import count

_ADAPTER = "adapter_model.safetensors"
_NAME = "default"
"""What peft calls an adapter that is given no name."""


class SoftReader(Protocol):
    """A loaded model that can read vectors before every prompt."""

    model: Any
    why_not: str | None

    def read_first(self, vectors: Tensor | None, layers: Mapping[int, KeysValues] | None = None) -> None:
        """Read these vectors, or these keys and values, before every prompt from now on; none for None."""
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
        return adapted(frozen_copy(self._model, how), config)

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
        check_reads_first(lm, how.tokens)
        super().__init__(lm)
        self._lm, self._how = cast(SoftReader, lm), how

    def wrapped(self) -> Any:
        """A copy of the model, ready to be trained."""
        config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=self._how.tokens)
        model = adapted(frozen_copy(self._lm.model, self._how), config)
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


class Prefixing(OnTokens):
    """Keys and values that each layer sees before every prompt learn."""

    def __init__(self, lm: Any, how: PrefixTuning) -> None:
        check_reads_first(lm, how.tokens)
        super().__init__(lm)
        self._lm, self._how = cast(SoftReader, lm), how
        self._keys_and_values(torch.zeros(how.tokens, dtype=torch.long))

    def wrapped(self) -> Any:
        """An adapter around a copy of the model, whose prefix is that of words drawn at random."""
        how, model = self._how, self._lm.model
        config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=how.tokens)
        beside = adapted(frozen_copy(model, how), config)
        drawn = torch.randint(len(model.get_input_embeddings().weight), (how.tokens,))
        # activations of real words, without which training is unstable (Li and Liang 2021, section 7.4)
        begun = torch.stack([each[0] for layer in self._keys_and_values(drawn) for each in layer])
        learnt = beside.prompt_encoder[_NAME].embedding.weight
        learnt.data.copy_(begun.permute(2, 0, 1, 3).reshape(how.tokens, -1))
        return beside

    def keep(self, trained: Any, folder: Path) -> None:
        """Write the adapter."""
        _save_adapter(trained, folder)

    def put_on(self, folder: Path) -> int:
        """Let the loaded model see the prefix from now on; return the number of parameters that learnt."""
        learnt = load_file(folder / _ADAPTER)["prompt_embeddings"].to(self._lm.model.device)
        shape = self._keys_and_values(torch.zeros(1, dtype=torch.long))[0].keys.shape
        # [tokens, layers, key or value, heads, size] -> [1, heads, tokens, size] each
        each = learnt.view(len(learnt), -1, 2, shape[1], shape[3]).permute(1, 2, 3, 0, 4)[:, :, None]
        layers = {number: KeysValues(*of_layer) for number, of_layer in enumerate(each)}
        width = self._lm.model.get_input_embeddings().weight.shape[1]
        self._lm.read_first(torch.zeros(len(learnt), width), layers)
        return learnt.numel()

    @torch.no_grad()
    def _keys_and_values(self, words: Tensor) -> list[KeysValues]:
        """What each layer makes of some words, [1, heads, words, size].

        Raises:
            ModelError: layers differ in it, so that no prefix is of one shape.
        """
        model = self._lm.model
        cache = model(input_ids=words[None].to(model.device), use_cache=True).past_key_values
        layers = [KeysValues(layer.keys, layer.values) for layer in cache.layers]
        shapes = {each.shape for layer in layers for each in layer}
        if len(shapes) > 1 or next(iter(shapes))[2] != len(words):
            raise ModelError("its layers have keys and values of different shapes, so that no prefix fits them all")
        return layers


def check_reads_first(lm: Any, tokens: int) -> None:
    """Check that something can be read before every prompt, and leaves room for it.

    Raises:
        ModelError: it cannot, or does not.
    """
    if not hasattr(lm, "read_first"):
        raise ModelError("vectors before a prompt are read by the engine tree alone")
    if lm.why_not is not None:
        raise ModelError(f"vectors before a prompt are read by the code of the engine tree, and not where {lm.why_not}")
    if tokens >= lm.max_length // 2:
        raise ModelError(f"{tokens} vectors leave little room for a prompt in {count(lm.max_length)} tokens")


def adapted(model: Any, config: Any) -> Any:
    """The model with what peft trains beside its weights, or in front of them."""
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
        beside = PeftModel.from_pretrained(model, str(folder))
    learnt = sum(one.numel() for name, one in beside.named_parameters() if "lora_" in name)
    merged = beside.merge_and_unload(safe_merge=False)
    assert merged is model
    return learnt
