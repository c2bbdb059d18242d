"""What evaluating a cell needs of a model, whatever runs it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

from lm_eval.api.instance import Instance


def in_one_context(prompt: int, scored: int, written: int) -> int:
    """Tokens that a decoder reads: the prompt and its answer, of which the last scored token is only predicted.

    >>> in_one_context(10, scored=3, written=0), in_one_context(10, scored=0, written=8)
    (12, 18)
    """
    return prompt + max(0, scored - 1) + written


class CellModel(Protocol):
    """The methods a cell needs of a model: part of lm-eval's `TemplateLM`, and methods for many texts or requests."""

    @property
    def max_length(self) -> int:
        """Context length in tokens, including the tokens that the model writes."""
        ...

    def context_needed(self, prompt: int, scored: int, written: int) -> int:
        """Tokens of the context that a prompt takes with an answer that is scored or written after it.

        Args:
            prompt: tokens of the prompt.
            scored: tokens of an answer whose likelihood is asked; 0 for none.
            written: most tokens that are written; 0 for none.
        """
        ...

    @property
    def max_gen_toks(self) -> int:
        """Number of tokens to generate when a request does not set one."""
        ...

    @property
    def batch_size_used(self) -> int | None:
        """Requests per forward pass; None when something else limits a pass."""
        ...

    @property
    def token_budget_used(self) -> int | None:
        """Tokens per forward pass; None when something else limits a pass."""
        ...

    @property
    def fallback(self) -> str | None:
        """Why lm-eval's own code answered some or all requests of the last cell; None when it answered none."""
        ...

    @property
    def foreign_code(self) -> tuple[str, ...]:
        """Code of other authors that ran, with the user's permission, when the model was loaded."""
        ...

    @property
    def reading(self) -> Hashable | None:
        """Equal for models that read every text as the same tokens, as many of them; None where nobody can tell."""
        ...

    encoded: Any
    """Token ids of the cell's texts so far; those of a model of equal `reading` can be put in their place."""

    @property
    def gives_likelihoods(self) -> bool:
        """False for a model that only writes texts: its cells have no score of reference answers."""
        ...

    def learn(self, texts: Sequence[str]) -> None:
        """Encode, in one batch, texts whose tokens will later be requested one by one."""
        ...

    def chat_text(self, turns: Sequence[Mapping[str, str]], *, begins_answer: bool) -> str:
        """Write the turns of a chat, each with `role` and `content`, as the text that the model reads.

        Args:
            turns: the turns, from the first to the last.
            begins_answer: True when the last turn is the beginning of the answer, which the model continues; False when
                the model writes the answer as a new turn.
        """
        ...

    def tok_encode(self, string: str) -> list[int]:
        """Token ids of a prompt."""
        ...

    def pair_tokens(self, requests: Sequence[Instance]) -> Sequence[tuple[list[int], list[int]]]:
        """Token ids of the context and the continuation of each likelihood request, split by lm-eval's rule."""
        ...

    def respond(self, requests: Sequence[Instance]) -> Sequence[Any]:
        """Responses to requests of any type, in their order; one that occurs n times is answered n times."""
        ...
