"""How a program that writes texts by itself, vLLM or a server, is told to write one, and with which random draws."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from lm_eval.models.utils import normalize_gen_kwargs

from harness.errors import HarnessError
from harness.wording import quoted

NEW_TOKENS = 256
"""Tokens that are written unless a task says how many."""
_OF_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
_FOLLOWED = frozenset({"until", "do_sample", "max_gen_toks", *_OF_SAMPLING})


class WritingOptions(NamedTuple):
    """How one text is written."""

    options: dict[str, Any]
    """`max_tokens`, `temperature` and what else was asked for, by the names of OpenAI's protocol, as vLLM's are."""
    stops: list[str]
    """Texts before which it ends."""


def writing_options(given: Mapping[str, Any], *, writer: str) -> WritingOptions:
    """The options of a text from the `generation_kwargs` of its task.

    Args:
        given: options as lm-eval has them.
        writer: who writes, for messages.

    Raises:
        HarnessError: an option that nobody but our own engines follows.
    """
    if odd := sorted(key for key, value in given.items() if key not in _FOLLOWED and value is not None):
        raise HarnessError(f"generation_kwargs: {writer} does not follow {quoted(odd[0])}; ask the tree engine")
    read = normalize_gen_kwargs(dict(given), NEW_TOKENS)
    options = {"max_tokens": int(read["max_gen_toks"]), "temperature": 0.0}
    if read.get("do_sample"):
        options |= {key: read[key] for key in _OF_SAMPLING if read.get(key) is not None}
    return WritingOptions(options, [stop for stop in read.get("until") or () if stop])


def seed_of_text(cell_seed: int, prompt: str, repeat: int) -> int:
    """The seed of one text, which depends on nothing but its cell, its prompt, and how often that was asked before."""
    number = hashlib.sha256(f"{cell_seed}\x00{repeat}\x00{prompt}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(number.digest()[:4]) >> 1
