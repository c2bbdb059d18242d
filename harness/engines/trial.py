"""Open the config and the tokenizer of a model, as a run does before it reads the weights."""

from __future__ import annotations

import transformers

from harness.engines.protocol import EngineSettings
from harness.engines.unreadable import unreadable
from harness.errors import ModelError
from harness.specs import ModelSpec


def open_without_weights(model: ModelSpec, settings: EngineSettings) -> None:
    """See that transformers knows the model's architecture, and that its tokenizer loads.

    Raises:
        ModelError: one of them does not.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(
            model.source, local_files_only=True, trust_remote_code=settings.trust_remote_code
        )
        transformers.AutoTokenizer.from_pretrained(
            model.source, local_files_only=True, trust_remote_code=settings.allow_tokenizer_code
        )
    except Exception as error:  # a damaged folder can make transformers raise any exception
        raise unreadable(model, error) from error
    known = transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    if config.model_type not in known and not hasattr(config, "auto_map"):
        raise ModelError(f"{model.source}: transformers {transformers.__version__} has no causal {config.model_type!r}")
