"""Headers of cells: a JSON file each, with the cell, its scores and its provenance, without the samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.plan import DESCRIPTIVE_FIELDS
from harness.records import CellFailure, CellResult, Outcome
from harness.specs import ModelSpec
from harness.store.layout import FAILURE
from harness.version import __version__

if TYPE_CHECKING:
    from pydantic import TypeAdapter

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
        return f"{self.path}: {self.message}"


def read_header(path: Path) -> CellResult | CellFailure | Problem:
    """What one header or failure file says, or why it was skipped."""
    try:
        raw = json.loads(path.read_bytes())
    except OSError as error:
        return Problem(path=path, message=f"cannot be read: {error.strerror}")
    except ValueError:
        return Problem(path=path, message="is damaged: not JSON; evaluate the cell again or restore the file")
    if not isinstance(raw, dict) or not isinstance(raw.get("schema"), int) or "cell" not in raw:
        return Problem(path=path, message="is no result of this program: `schema` or `cell` is missing")
    if raw["schema"] > SCHEMA:
        return Problem(
            path=path,
            message=f"was written by a newer version (schema {raw['schema']}; this one reads {SCHEMA}): upgrade",
        )
    if raw["schema"] < SCHEMA:
        return Problem(path=path, message=f"is too old (schema {raw['schema']}; this one reads {SCHEMA}): run it again")
    return _outcome(raw, path)


def _outcome(raw: Mapping[str, Any], path: Path) -> CellResult | CellFailure | Problem:
    from pydantic import ValidationError

    body = {name: value for name, value in raw.items() if name not in ("schema", "key", "harness_version")}
    try:
        outcome: CellResult | CellFailure = _adapter(path.name == FAILURE).validate_python(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return Problem(path=path, message=f"is damaged: {where}: {first['msg']}")
    key = raw.get("key")
    if outcome.cell.key != key:
        return Problem(path=path, message=f"is damaged: key {key} does not belong to its cell ({outcome.cell.key})")
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
    return (json.dumps(raw, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
