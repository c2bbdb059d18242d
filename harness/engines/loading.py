"""Load a model from a folder or the hub, with the user's permissions; errors are explained in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import torch

from harness.catalog import check_local_model
from harness.engines import pulse
from harness.engines.foreign import pickles
from harness.engines.protocol import EngineSettings
from harness.engines.unreadable import unreadable
from harness.errors import HarnessError, ModelError
from harness.specs import ModelSpec


class Loaded(Protocol):
    """The attributes of a loaded model that are checked after loading."""

    foreign_code: tuple[str, ...]

    @property
    def model(self) -> Any:
        """The model object of transformers."""
        ...


LM = TypeVar("LM", bound=Loaded)


def is_out_of_memory(error: BaseException) -> bool:
    """True for memory that ran out on a GPU or on the CPU, where torch says so only in words."""
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    said = ("can't allocate memory", "out of memory", "_status_alloc_failed")  # the last comes from CUDA's libraries
    return isinstance(error, RuntimeError) and any(words in text for words in said)


def load_model(kind: Callable[..., LM], model: ModelSpec, settings: EngineSettings, device: str, **options: Any) -> LM:
    """The model in one of lm-eval's model classes, with its weights as they lie there; `options` are the class's own.

    Raises:
        ModelError: the model cannot be read.
    """
    if model.path is not None:
        check_local_model(model)
    elif model.variant is not None and model.treatment is None:
        raise ModelError(f"{model.name}: variant {model.variant!r} needs a folder with the treated weights")
    try:
        with pickles(allowed=settings.allow_pickle) as read:
            lm = kind(
                pretrained=model.source,
                revision="main" if model.path else model.revision,
                dtype=model.dtype,
                device=device,
                # padding changes the last bits of a number, and it depends on what else is in the batch
                batch_size=1 if settings.deterministic else settings.batch_size,
                trust_remote_code=settings.trust_remote_code,
                tokenizer_code=settings.allow_tokenizer_code,
                use_safetensors=None if settings.allow_pickle else True,
                parallelize=(model.gpus or 0) > 1 and device.startswith("cuda"),
                offload_folder=None,  # lm-eval's default is a folder below the working one
                **options,
            )
    except Exception as error:  # a damaged folder can make transformers raise any exception
        if isinstance(error, HarnessError) or is_out_of_memory(error):
            raise
        raise unreadable(model, error) from error
    # older versions of transformers give a model that runs on the CPU such a map too
    elsewhere = {"cpu", "disk"} & set(map(str, getattr(lm.model, "hf_device_map", {}).values()))
    if elsewhere and device.startswith("cuda"):
        raise ModelError(
            f"{model.name}: does not fit into {model.gpus or 0:g} GPUs; give it more with `gpus` in its family"
        )
    lm.model.register_forward_pre_hook(lambda *_: pulse.step())
    lm.foreign_code += tuple(f"pickle {name}" for name in dict.fromkeys(read))
    return lm
