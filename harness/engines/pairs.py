"""Contexts and continuations as tokens, by the rule of lm-eval's `TemplateLM.loglikelihood`, for every engine.

Spaces at the end of a context belong to the continuation. Both are encoded as one text, and the continuation gets
the tokens that this text has beyond those of the context alone. lm-eval's rule ends there, and leaves two problems:

* A token may span the two, `Answer` out of `Ans` and `wer`. Its part of the continuation is then not scored, as
  with lm-eval; when nothing is left to score, lm-eval ends with an assertion and here the request is refused by name
  (lm-eval#1297, #1053, #3336).
* A context of white space is empty once its spaces are moved. lm-eval asserts there, too, unless the tokenizer puts a
  token before every text; here it is treated like an empty context and becomes the token `prefix_token_id`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lm_eval.api.instance import Instance

from harness.engines.encoding import TokenCache
from harness.errors import HarnessError, ModelError

_NO_FIRST_TOKEN = "the tokenizer has no token that begins or ends a text, which would stand for it"
_SHOWN = 30
"""Number of characters of a context that an error message shows."""


class Pair(NamedTuple):
    """Token ids of a context and of the continuation that is scored after it."""

    context: list[int]
    """The same list for every pair with the same context; not to be changed."""
    continuation: list[int]


def encode_pairs(pairs: Sequence[tuple[str, str]], tokens: TokenCache, prefix_token_id: int | None) -> list[Pair]:
    """Token ids of (context, continuation) pairs; either list can be empty.

    Args:
        pairs: contexts and continuations as texts.
        tokens: cache that encodes the texts.
        prefix_token_id: stands for an empty context; None when the tokenizer has no such token.
    """
    moved = [(context.rstrip(), context + continuation) for context, continuation in pairs]
    given = [context != "" for context, _ in pairs]
    tokens.learn(text for pair, known in zip(moved, given, strict=True) if known for text in pair)
    tokens.learn((whole for (_, whole), known in zip(moved, given, strict=True) if not known), False)
    prefix = [] if prefix_token_id is None else [prefix_token_id]
    return [
        _after_context(tokens.ids(context), tokens.ids(whole))
        if known and tokens.ids(context)
        else _after_prefix(tokens.ids(whole, False), prefix)
        for (context, whole), known in zip(moved, given, strict=True)
    ]


def scored_text(context: str, continuation: str) -> str:
    """The text whose likelihood a pair gives: the continuation, and the white space that the context ends with.

    >>> scored_text("The sky is ", "blue")
    ' blue'
    """
    return context[len(context.rstrip()) :] + continuation


def _after_context(context: list[int], whole: list[int]) -> Pair:
    return Pair(context, whole[len(context) :])


def _after_prefix(continuation: list[int], prefix: list[int]) -> Pair:
    return Pair(prefix, continuation[1:] if prefix and continuation[:1] == prefix else continuation)


def check_scorable(requests: Sequence[Instance], pairs: Sequence[Pair], max_length: int) -> None:
    """Check that every continuation has tokens, fits the context length, and follows at least one token.

    Args:
        requests: likelihood requests.
        pairs: the token ids of each request.
        max_length: context length in tokens.

    Raises:
        HarnessError: a continuation fails the check; the message names the document and its answer.
    """
    scorable = [bool(pair.context) and 0 < len(pair.continuation) <= max_length for pair in pairs]
    bad = [(r, p) for r, p, known in zip(requests, pairs, scorable, strict=True) if not known]
    if bad:
        raise _not_scorable(requests, bad, max_length)


def check_answers(requests: Sequence[Instance], pairs: Sequence[Pair]) -> None:
    """Check that every continuation has tokens, which can be told without the model.

    Args:
        requests: likelihood requests.
        pairs: the token ids of each request.

    Raises:
        HarnessError: a continuation has none; the message names the document and its answer.
    """
    bad = [(request, pair) for request, pair in zip(requests, pairs, strict=True) if not pair.continuation]
    if bad:
        raise _not_scorable(requests, [(request, Pair([0], [])) for request, _ in bad], 0)


def _not_scorable(requests: Sequence[Instance], bad: Sequence[tuple[Instance, Pair]], max_length: int) -> HarnessError:
    request, pair = bad[0]
    options = {each.idx for each in requests if each.doc_id == request.doc_id}
    more = len({each.doc_id for each, _ in bad}) - 1
    others = f" (and so in {more} more)" if more else ""
    said = f"{_document(request)}{others}: {_why_not(request, pair, max_length)}"
    return HarnessError(said).about(request.doc_id, request.idx if len(options) > 1 else None)


def no_first_token(name: str) -> ModelError:
    """The error for a model that gets an empty text but has no token to stand for it."""
    return ModelError(f"{name}: a text is empty, and {_NO_FIRST_TOKEN}")


def _document(request: Instance) -> str:
    task = "" if request.task_name is None else f"task {request.task_name}: "
    return f"{task}document {'?' if request.doc_id is None else request.doc_id}"


def _why_not(request: Instance, pair: Pair, max_length: int) -> str:
    context, continuation = request.args
    if not pair.context:
        return f"the question is empty, and {_NO_FIRST_TOKEN}"
    if pair.continuation:
        return (
            f"the answer {_short(continuation)} takes {len(pair.continuation)} tokens, the model reads {max_length}; "
            "an answer is never cut"
        )
    if not continuation.strip():
        return f"an answer is empty: {continuation!r} has no tokens to score; expected some text in every answer"
    return (
        f"nothing of the answer {_short(continuation)} is left to score: the tokenizer joins it with the end of the "
        f"question {context[-_SHOWN:]!r} in one token; put a `target_delimiter` between the two, such as ' '"
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
