"""What a server says of the tokens of a text: how likely each was, by one of two forms of OpenAI's completions.

* `echo` with `logprobs` repeats the prompt with the log-likelihood of each of its tokens (OpenAI's own form, vLLM).
* `prompt_logprobs` gives them beside the answer (vLLM).

Both give the first token of a text no likelihood, as nothing stands before it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from harness.engines.server.client import Client, NotOfferedError, ServerError
from harness.wording import quoted

LikelihoodForm = Literal["echo", "prompt_logprobs"]
_BODIES: Mapping[LikelihoodForm, Mapping[str, Any]] = {
    "echo": {"echo": True, "logprobs": 1},
    "prompt_logprobs": {"prompt_logprobs": 0},
}
_TRIAL = "The sky is blue"


class Token(NamedTuple):
    """One token of a text."""

    loglikelihood: float | None
    """Natural logarithm of its probability after all tokens before it; None for the first."""
    is_greedy: bool
    """Whether no other token was likelier."""


def offered_form(client: Client, model: str) -> LikelihoodForm | None:
    """The form in which a server gives likelihoods of prompts; None where it gives none, or has chats alone.

    Raises:
        ServerError: the server does not answer.
    """
    for form in _BODIES:
        try:
            if len(tokens_of(client, model, _TRIAL, form)) > 1:
                return form
        except (NotOfferedError, _NoAnswerError):
            continue
    return None


def tokens_of(client: Client, model: str, text: str, form: LikelihoodForm) -> list[Token]:
    """Every token of a text.

    Raises:
        ServerError: the server refuses, or its numbers cannot be.
    """
    body = {"model": model, "prompt": text, "max_tokens": 1, "temperature": 0.0, **_BODIES[form]}
    answer = client.post("/completions", body)
    try:
        found = (_echoed if form == "echo" else _beside)(answer, text)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _NoAnswerError(f"{client.url}/completions: gives no likelihoods of the prompt's tokens") from error
    for i, token in enumerate(found):
        if (token.loglikelihood is None) != (i == 0) or not _is_possible(token.loglikelihood):
            raise ServerError(
                f"{client.url}/completions: token {i} of a prompt has the log-likelihood "
                f"{quoted(token.loglikelihood)}; expected a number that is not above 0, and none for the first alone"
            )
    return found


class _NoAnswerError(ServerError):
    """The answer lacks what was asked for."""


def _is_possible(value: float | None) -> bool:
    return value is None or (math.isfinite(value) and value <= 1e-3)


def _echoed(answer: Mapping[str, Any], text: str) -> list[Token]:
    choice = answer["choices"][0]
    given = choice["logprobs"]
    values, tops = given["token_logprobs"], given["top_logprobs"]
    n = int(answer["usage"]["prompt_tokens"])
    if not text or not 0 < n <= len(values) == len(tops) or not str(choice["text"]).startswith(text):
        raise ValueError("the prompt is not in the answer")
    likeliest = [max(top.values(), default=-math.inf) if top else None for top in tops]
    return [_token(value, best) for value, best in zip(values[:n], likeliest[:n], strict=True)]


def _token(value: Any, best: Any) -> Token:
    if value is None:
        return Token(None, False)
    return Token(float(value), best is None or float(value) >= float(best))


def _beside(answer: Mapping[str, Any], text: str) -> list[Token]:
    choice = answer["choices"][0]
    found = []
    for entry in choice["prompt_logprobs"]:
        if entry is None:
            found.append(Token(None, False))
            continue
        first = next(iter(entry.values()))  # the prompt's own token comes before the likeliest
        found.append(Token(float(first["logprob"]), int(first["rank"]) == 1))
    return found
