"""Reads JSON from other people, with bounded nesting and without values that could not be written as JSON again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from harness.bounded.files import decoded
from harness.bounded.limits import DEPTH, UnreadableError

_FLAT = 5
"""Levels of lists and mappings that are always allowed: looking the setting up takes as long as reading a document."""


def parsed_json(text: bytes | str, *, finite: bool = False, whole: bool = True) -> Any:
    """The value that a JSON text stands for.

    Args:
        text: the text, or its bytes in UTF-8.
        finite: refuse what JSON does not have and Python reads: `NaN`, `Infinity`, numbers too large for a float.
        whole: refuse half of a character (a lone surrogate), which no file and no terminal takes.

    Raises:
        UnreadableError: it is no JSON, is nested too deep, or holds what is to be refused.
    """
    text = decoded(text) if isinstance(text, bytes) else text
    try:
        value = _guarded((_FINITE if finite else _ANY).decode, text)
    except json.JSONDecodeError as error:
        raise UnreadableError("is not JSON") from error
    _check(value, text, whole=whole)
    return value


def written_values(text: bytes) -> int:
    """About how many values a JSON text has, without reading it: each takes memory many times its characters.

    Commas in texts count too, of which there are few among many characters.

    >>> written_values(b'{"a": [1, 2], "b": {}}')
    6
    """
    return 1 + sum(text.count(sign) for sign in (b",", b"[", b"{"))


class Found(NamedTuple):
    """A value that stands somewhere in a longer text."""

    value: Any
    """The value."""
    text: str
    """The part of the text that stands for it."""


def value_at(text: str, start: int) -> Found | None:
    """The value that begins at one place of a text, whatever follows it; None where no value does, or not all of it.

    Raises:
        UnreadableError: it is nested too deep, or holds half of a character.
    """
    try:
        value, end = _guarded(_ANY.raw_decode, text, start)
    except json.JSONDecodeError:
        return None
    found = Found(value, text[start:end])
    _check(value, found.text, whole=True)
    return found


def _guarded(decode: Callable[..., Any], *text: Any) -> Any:
    try:
        return decode(*text)
    except (json.JSONDecodeError, UnreadableError):  # the latter is raised for a number that is not finite
        raise
    except ValueError as error:  # Python reads whole numbers of up to 4300 digits
        raise UnreadableError("has a number of too many digits") from error
    except RecursionError as error:
        raise DEPTH.exceeded() from error


def _check(value: Any, text: str, *, whole: bool) -> None:
    # a look at the text spares nearly every document the walk
    opened = text.count("[") + text.count("{")
    if opened > _FLAT and opened > DEPTH.allowed and deeper_than(value, DEPTH.allowed):
        raise DEPTH.exceeded()
    if whole and ("\\ud" in text or "\\uD" in text):
        _check_characters(value)


def deeper_than(value: Any, most: int) -> bool:
    """Whether more than `most` lists and mappings stand inside each other."""
    inside = [value]
    for _ in range(most + 1):
        inside = [part for one in inside if isinstance(one, dict | list) for part in _parts(one)]
        if not inside:
            return False
    return True


def _parts(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _check_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UnreadableError("has half of a character (a lone surrogate such as \\ud800)") from error


def _no_number(word: str) -> float:
    raise UnreadableError(f"has {word}; expected numbers that are finite")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits[:40])


_ANY = json.JSONDecoder()
_FINITE = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)
