"""Reads JSON from other people, with bounded nesting and without values that could not be written as JSON again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.files import decoded, lines
from harness.bounded.limits import DATA_BYTES, DEPTH, LINE_BYTES, ROWS, UnreadableError


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
        value = (_FINITE if finite else _ANY).decode(text)
    except json.JSONDecodeError as error:
        raise UnreadableError("is not JSON") from error
    except UnreadableError:  # raised for a number that is not finite
        raise
    except ValueError as error:  # Python reads whole numbers of up to 4300 digits
        raise UnreadableError("has a number of too many digits") from error
    except RecursionError as error:
        raise DEPTH.exceeded() from error
    most = DEPTH.allowed
    # a look at the text spares nearly every document the walk
    if text.count("[") + text.count("{") > most and deeper_than(value, most):
        raise DEPTH.exceeded()
    if whole and ("\\ud" in text or "\\uD" in text):
        _check_characters(value)
    return value


class Document(NamedTuple):
    """One line of a data file."""

    characters: int
    """Length of the line."""
    fields: dict[str, Any]
    """The JSON object on the line."""


def json_documents(path: Path) -> Iterator[Document]:
    """The documents of a file of JSON lines, one in memory at a time; blank lines are skipped.

    Raises:
        UnreadableError: it cannot be read, holds more than the limits allow, or a line is no JSON object.
    """
    for number, line in enumerate(lines(path, size=DATA_BYTES, length=LINE_BYTES, rows=ROWS), start=1):
        if not line.strip():
            continue
        try:
            text = decoded(line)
            document = parsed_json(text)
        except UnreadableError as error:
            raise UnreadableError(f"line {number} {error}; expected JSONL, one object per line") from error
        if not isinstance(document, dict):
            raise UnreadableError(f"line {number} is a {type(document).__name__}; expected a JSON object")
        yield Document(len(text), document)


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
