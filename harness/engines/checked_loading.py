"""A model as lm-eval loads it, with no more code than the user agreed to and with all of its weights."""

from __future__ import annotations

import logging
import os
from typing import Any

# before tokenizers are loaded: they fork no threads in a worker that may fork later
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import transformers
from lm_eval.models.huggingface import HFLM
from transformers.utils.peft_utils import find_adapter_config_file

from harness.engines.foreign import check_kernels, code_of
from harness.engines.tried_tokenizer import check_before_loading, tried
from harness.errors import ModelError
from harness.wording import counted

log = logging.getLogger(__name__)


class CheckedHFLM(HFLM):  # type: ignore[misc]  # lm-eval is untyped
    """`HFLM` that refuses missing weights, adapters, and code that nobody agreed to."""

    _model: Any

    def __init__(self, *, tokenizer_code: bool = False, **kwargs: Any) -> None:
        """`tokenizer_code`: Python files of the tokenizer may run; `kwargs` are those of `HFLM`."""
        self._tokenizer_code = tokenizer_code
        super().__init__(**kwargs)
        self.foreign_code = code_of([self._config, self._model, self.tokenizer, getattr(self._model, "generate", None)])
        self.name = str(self.model.name_or_path)

    def _get_config(self, pretrained: str, *, trust_remote_code: bool = False, **kwargs: Any) -> None:
        if find_adapter_config_file(pretrained, revision=kwargs.get("revision")):
            # transformers would load the adapter's base, whatever weights lie beside it
            raise ModelError(f"{pretrained}: is a PEFT adapter and not a model; merge it with its base and name that")
        super()._get_config(pretrained, trust_remote_code=trust_remote_code, **kwargs)
        if not trust_remote_code:
            check_kernels(self._config, pretrained)

    def _create_tokenizer(
        self, pretrained: str, tokenizer: Any, *, revision: str, trust_remote_code: bool = False, **kwargs: Any
    ) -> None:
        # pass the config on: transformers would load it again, and run its code with the permission for the tokenizer's
        if self._tokenizer_code:
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
                pretrained, config=self._config, revision=revision, trust_remote_code=True
            )
            return
        if isinstance(pretrained, str):  # a model that a caller in Python made has a tokenizer that is made too
            check_before_loading(pretrained, revision)
        try:
            super()._create_tokenizer(pretrained, tokenizer, revision=revision, trust_remote_code=False, **kwargs)
            tried(self.tokenizer)
        except ValueError as error:
            if "trust_remote_code" not in str(error):
                raise
            raise ModelError(
                f"{pretrained}: the tokenizer comes with Python code of its own; agree with --allow-tokenizer-code"
            ) from error

    def _create_model(self, *args: Any, **kwargs: Any) -> None:
        super()._create_model(*args, output_loading_info=True, **kwargs)
        self._model, info = self._model
        # transformers draws missing weights at random and only logs it
        if info["missing_keys"]:
            missing = sorted(info["missing_keys"])
            raise ModelError(f"{self._model.name_or_path}: {len(missing)} weights are missing, {missing[0]} first")
        # this list leaves out weights that transformers itself knows to be unused
        if left := sorted(info["unexpected_keys"]):
            log.warning(
                "%s: %s of the folder are not used, %s first: is config.json the one that was saved with them?",
                self._model.name_or_path,
                counted(len(left), "weight"),
                left[0],
            )
