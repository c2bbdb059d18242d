"""Open the config and the tokenizer of a model, as a run does before it reads the weights."""

from __future__ import annotations

from collections.abc import Mapping

import transformers

from harness.catalog.models.architectures import Head, head_of
from harness.engines.protocol import EngineSettings
from harness.engines.unreadable import unreadable
from harness.errors import ModelError
from harness.specs import ModelSpec

_AUTO = transformers.models.auto.modeling_auto
_KNOWN: Mapping[Head, Mapping[str, object]] = {
    "causal": _AUTO.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    "seq2seq": _AUTO.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    "masked": _AUTO.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    "classifier": _AUTO.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    "tagger": _AUTO.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
}
"""What a model gives -> `model_type` of those that transformers loads for it."""


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
    head = head_of(config.to_dict())
    if config.model_type not in _KNOWN[head] and not hasattr(config, "auto_map"):
        raise ModelError(f"{model.source}: transformers {transformers.__version__} has no {head} {config.model_type!r}")
