"""Decode tokens that continue a prompt together with the end of that prompt.

SentencePiece puts a space before every text and takes it away when a text is decoded. Tokens of a continuation decoded
by themselves lose a space that belongs to them: the first line of a program loses its indentation, and what would pass
its tests is a syntax error (lm-eval#3126, bigcode-evaluation-harness#74 and PR#81, instruct-eval PR#19). So they are
decoded behind the end of their prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_TAIL = 8
"""Tokens of the prompt that are decoded too. A few suffice: a token's text depends only on its neighbours."""
_PROBE = "word word\n    word"
"""A text whose tokens begin with one space, with several spaces or with none."""


class ContinuationDecoder:
    """Decodes continuations with one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._depends = self._depends_on_place()

    def text(self, prompt: Sequence[int], tokens: Sequence[int]) -> str:
        """Text of `tokens` behind `prompt`, without special tokens."""
        if not self._depends:
            return self._decode(tokens)
        tail = self._tail(prompt)
        before, whole = self._decode(tail), self._decode([*tail, *tokens])
        return whole[len(before) :] if whole.startswith(before) else self._decode(tokens)

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    def _depends_on_place(self) -> bool:
        """Whether a token decodes differently at the beginning of a text than after another token."""
        probe = self._tokenizer.encode(_PROBE, add_special_tokens=False)
        first = self._decode(probe[:1])
        return any(self._decode([probe[0], token]) != first + self._decode([token]) for token in probe)

    def _tail(self, prompt: Sequence[int]) -> Sequence[int]:
        """The last tokens of the prompt, beginning at a whole character, whose bytes are decoded together."""
        start = max(0, len(prompt) - _TAIL)
        while start > 0 and "\ufffd" in self._decode([prompt[start]]):
            start -= 1
        return prompt[start:]
