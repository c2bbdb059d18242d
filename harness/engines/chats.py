"""Turns of a chat, written by the chat template of a model's tokenizer under limits on time and memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import transformers.tokenization_utils_base

from harness.errors import HarnessError
from harness.scoring import limited

_transformers: Any = transformers.tokenization_utils_base


def written_turns(tokenizer: Any, turns: Sequence[Mapping[str, str]], *, begins_answer: bool) -> str:
    """The text of the turns.

    Args:
        tokenizer: transformers' tokenizer.
        turns: the turns, each with `role` and `content`.
        begins_answer: True when the last turn is the beginning of the answer.

    Raises:
        ComputationError: the template takes too long or too much memory.
        HarnessError: there is no template, or it refuses the turns, where lm-eval would leave out a system turn.
    """
    if tokenizer.chat_template is None:
        raise HarnessError("the tokenizer has no chat template; leave --apply-chat-template out")
    try:
        with _rendered_apart():
            text = tokenizer.apply_chat_template(
                [dict(turn) for turn in turns],
                tokenize=False,
                add_generation_prompt=not begins_answer,
                continue_final_message=begins_answer,
            )
    except ValueError as error:
        roles = ", ".join(dict.fromkeys(turn["role"] for turn in turns))
        raise HarnessError(f"the model's chat template refuses turns of {roles}: {error}") from error
    return str(text)


@contextmanager
def _rendered_apart() -> Iterator[None]:
    """While inside, transformers has chats rendered in a process with limits, since templates come with models."""
    usual = _transformers.render_jinja_template
    _transformers.render_jinja_template = lambda **asked: ([limited.chat(asked)], [])
    try:
        yield
    finally:
        _transformers.render_jinja_template = usual
