"""Token ids of a cell's texts: each text is encoded once, and so is each beginning that texts have in common.

A few-shot cell asks for the same examples before every document, and for the same context before every option.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from harness.engines.batch_encoding import BatchEncoder
from harness.errors import ModelError

EncodedTexts = dict[tuple[str, bool | None], list[int]]
"""A text, and whether special tokens are asked for (None: as lm-eval decides) -> its token ids."""


class TokenCache:
    """Token ids of texts, each encoded once."""

    def __init__(
        self,
        tokenizer: Any,
        special_tokens: Callable[[str, bool | None], Mapping[str, bool]],
        *,
        known: int | None = None,
    ) -> None:
        """An empty cache.

        Args:
            tokenizer: a tokenizer of transformers, fast or slow.
            special_tokens: function of a text and of whether the caller wants special tokens (None: as lm-eval decides)
                that returns keyword arguments for `tokenizer.encode`, `{}` or `{"add_special_tokens": ...}`.
            known: number of token ids that the model knows; None to skip this check.
        """
        self._tokenizer = tokenizer
        self._special_tokens = special_tokens
        # a model may know fewer tokens than its tokenizer has, as long as no text contains the others
        self._known = known if known is not None and known < len(tokenizer) else None
        self.encoded: EncodedTexts = {}
        """Everything that was encoded since the last `forget`."""
        self._encoder = BatchEncoder(tokenizer) if tokenizer.is_fast else None

    def ids(self, text: str, add_special_tokens: bool | None = None) -> list[int]:
        """Token ids of `text`; the caller must not change the list.

        Raises:
            ModelError: the model does not know one of the tokens.
        """
        key = (text, add_special_tokens)
        if key not in self.encoded:
            self._keep(key, self._tokenizer.encode(text, **self._special_tokens(text, add_special_tokens)))
        return self.encoded[key]

    def learn(self, texts: Iterable[str], add_special_tokens: bool | None = None) -> None:
        """Encodes all new texts in one batch, which is faster than encoding each when its ids are needed."""
        unseen = (text for text in dict.fromkeys(texts) if (text, add_special_tokens) not in self.encoded)
        if self._encoder is None:
            for text in unseen:
                self.ids(text, add_special_tokens)
            return
        alike: dict[bool | None, list[str]] = {}
        for text in unseen:
            special = self._special_tokens(text, add_special_tokens).get("add_special_tokens")
            alike.setdefault(special, []).append(text)
        for special, group in alike.items():
            for text, ids in zip(group, self._encoder.encode(group, special), strict=True):
                self._keep((text, add_special_tokens), ids)

    def _keep(self, key: tuple[str, bool | None], ids: list[int]) -> None:
        # checked before the model runs: on a GPU an unknown token makes every later call of the process fail too
        if self._known is not None and max(ids, default=0) >= self._known:
            raise ModelError(
                f"the tokenizer has {len(self._tokenizer)} tokens and the model knows {self._known}; "
                "expected the model's own tokenizer"
            )
        self.encoded[key] = ids

    def forget(self) -> None:
        """Drops every text."""
        self.encoded = {}  # the texts may be kept for another model


def tokens_alike(tokenizer: Any) -> Hashable | None:
    """Equal for tokenizers that give every text the same token ids; None for one whose Python code may do anything."""
    kind = type(tokenizer)
    if not tokenizer.is_fast or kind.__module__.partition(".")[0] != "transformers":
        return None
    description = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).digest()
    ids = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    return kind.__qualname__, description, ids, tokenizer.split_special_tokens
