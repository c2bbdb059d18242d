"""Headers of cells: a JSON file each, with the cell, its scores and its provenance, without the samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bounded.files import read_bytes
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import HEADER_BYTES, UnreadableError
from harness.plan import DESCRIPTIVE_FIELDS
from harness.plausible import MOST_TEXT
from harness.records import CellFailure, CellResult, Outcome, implausible
from harness.specs import ModelSpec
from harness.store.layout import FAILURE
from harness.version import __version__
from harness.wording import count, cut, one_line, quoted

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_LARGEST = 2**63 - 1
_LONG = frozenset({"message", "traceback", "system"})
"""Keys whose texts may be longer than any name or version is."""
_DIGITS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else 0 for byte in range(256))
"""Digit -> 0, for `bytes.translate`."""
SCHEMA = 1
"""Number of the header format. A reader refuses higher numbers and never rewrites lower ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A file in the results folder that was skipped."""

    path: Path
    """Where it lies."""
    message: str
    """What is wrong with it, in one line."""

    def __str__(self) -> str:
        return one_line(f"{self.path}: {self.message}")


def read_header(path: Path) -> CellResult | CellFailure | Problem:
    """What one header or failure file says, or why it was skipped."""
    try:
        content = read_bytes(path, HEADER_BYTES)
        raw = parsed_json(content, finite=True)
        large = _check_values(raw) if _is_doubtful(content) else None
    except UnreadableError as error:
        return Problem(path=path, message=_said(str(error)))
    if not isinstance(raw, dict) or not isinstance(raw.get("schema"), int) or "cell" not in raw:
        return Problem(path=path, message="is no result of this program: `schema` or `cell` is missing")
    versions = f"(schema {quoted(raw['schema'])}; this one reads {SCHEMA})"
    if raw["schema"] > SCHEMA:
        return Problem(path=path, message=f"was written by a newer version {versions}: upgrade")
    if raw["schema"] < SCHEMA:
        return Problem(path=path, message=f"is too old {versions}: run it again")
    return _outcome(raw, path, large)


def _said(error: str) -> str:
    """A header that cannot be read is most often one that was cut off, or a disk that failed."""
    if error.startswith(("cannot be read", "is a ")):  # such as a pipe
        return error
    return f"is damaged: {error.replace('is not JSON', 'not JSON')}; evaluate the cell again or restore the file"


def _is_doubtful(content: bytes) -> bool:
    """True for every header that `_check_values` finds fault with, and few others.

    A text may go on behind a quotation mark after a backslash.
    """
    return (
        b"\\" in content or max(map(len, content.split(b'"'))) >= MOST_TEXT or b"0" * 19 in content.translate(_DIGITS)
    )


def _check_values(raw: Any) -> int | None:
    """A whole number that has no place in 64 bits, and so in no table; None where there is none.

    Raises:
        UnreadableError: a text, other than those of `_LONG`, is longer than any name is.
    """
    inside, large = [raw], None
    while inside:
        one = inside.pop()
        if isinstance(one, str) and len(one) > MOST_TEXT:
            raise UnreadableError(f"has a text of {count(len(one))} characters; expected at most {count(MOST_TEXT)}")
        if isinstance(one, dict):
            inside += [*one, *(value for key, value in one.items() if key not in _LONG)]
        elif isinstance(one, list):
            inside += one
        elif isinstance(one, int) and abs(one) > _LARGEST:
            large = one
    return large


def _outcome(raw: Mapping[str, Any], path: Path, large: int | None) -> CellResult | CellFailure | Problem:
    from pydantic import ValidationError

    body = {name: value for name, value in raw.items() if name not in ("schema", "key", "harness_version")}
    try:
        outcome: CellResult | CellFailure = _adapter(path.name == FAILURE).validate_python(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = cut(".".join(str(part) for part in first["loc"]))
        return Problem(path=path, message=f"is damaged: {where}: {cut(first['msg'])}")
    if problem := implausible(outcome):
        return Problem(path=path, message=f"is damaged: {problem}")
    if large is not None:
        return Problem(path=path, message=f"is damaged: has the number {quoted(large)}; expected one of 64 bits")
    key = raw.get("key")
    if outcome.cell.key != key:
        found = cut(str(key))
        return Problem(path=path, message=f"is damaged: key {found} does not belong to its cell ({outcome.cell.key})")
    if isinstance(outcome, CellFailure) and len(outcome.message) > MOST_TEXT:
        return replace(outcome, message=cut(outcome.message, MOST_TEXT))
    return outcome


def header_bytes(outcome: Outcome) -> bytes:
    """The content of an outcome's header or failure file."""
    without_samples = replace(outcome, samples=None) if isinstance(outcome, CellResult) else outcome
    body = _adapter(isinstance(outcome, CellFailure)).dump_python(without_samples, mode="json")
    return _json({"schema": SCHEMA, "key": outcome.cell.key, "harness_version": __version__, **body})


def described_bytes(header: bytes, model: ModelSpec) -> bytes:
    """The content of a header file with the description of `model` in place of its own, and all else as it is."""
    raw = json.loads(header)
    raw["cell"]["model"].update({name: getattr(model, name) for name in DESCRIPTIVE_FIELDS})
    return _json(raw)


@cache
def _adapter(failure: bool) -> TypeAdapter[Any]:
    """Reader and writer of one record type; built once, since building costs more than using."""
    from pydantic import TypeAdapter

    return TypeAdapter(CellFailure if failure else CellResult)


def _json(raw: Mapping[str, Any]) -> bytes:
    from pydantic_core import to_json  # in a fifth of the time of `json`, which has no quick way of writing lines

    content = to_json(raw, indent=1)
    if b"NaN" in content or b"Infinity" in content:  # in a text, or a number that JSON does not have
        json.dumps(raw, allow_nan=False)
    return content + b"\n"
