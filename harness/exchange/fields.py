"""Fields of somebody's JSON, whose values may be anything."""

from __future__ import annotations

import math
from collections.abc import ItemsView, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.bounded.json_documents import json_documents
from harness.bounded.limits import UnreadableError
from harness.errors import HarnessError
from harness.specs import Dtype
from harness.wording import quoted

_NAMES: dict[str, Dtype] = {
    **{"float32": "float32", "bfloat16": "bfloat16", "float16": "float16"},
    **{"fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "half": "float16", "float": "float32"},
}


def dtype_of(text: object) -> Dtype | None:
    """The number format that a program names, such as `torch.bfloat16`; None for none and for any other.

    >>> dtype_of("torch.bfloat16"), dtype_of("fp16"), dtype_of("4bit")
    ('bfloat16', 'float16', None)
    """
    return _NAMES.get(str(text or "").removeprefix("torch.").lower())


def moment_of(value: object) -> datetime | None:
    """The time that seconds since 1970 or an ISO date stand for, in UTC; None for anything else.

    >>> moment_of("1772366400.5").isoformat(), moment_of("2026-03-01").isoformat()
    ('2026-03-01T12:00:00.500000+00:00', '2026-03-01T00:00:00+00:00')
    """
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        return datetime.fromtimestamp(float(value), UTC)
    except (OverflowError, OSError):
        return None
    except ValueError:
        return _iso_moment(str(value))


def _iso_moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def model_name(text: str) -> str:
    """The name of a model as others know it: of a folder on somebody's disk, only the last part means anything to them.

    >>> model_name("/scratch/me/models/small-step10/"), model_name("lab/small")
    ('small-step10', 'lab/small')
    """
    name = text.strip().rstrip("/")
    return name.rpartition("/")[2] if name.startswith(("/", "./", "../", "~")) else name


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; truth values are none.

    >>> is_number(3), is_number(True), is_number(float("nan")), is_number(10**400)
    (True, False, False, False)
    """
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number larger than any float
        return False


class Fields:
    """A JSON object by name; a value of another type than asked for is refused with the place where it stands."""

    def __init__(self, raw: Any, place: str) -> None:
        """The fields of `raw`, which stands at `place`.

        Raises:
            HarnessError: it is no object.
        """
        if not isinstance(raw, dict):
            raise HarnessError(f"{place} is {quoted(raw)}; expected keys and values")
        self.raw = raw
        self.place = place

    def __getitem__(self, name: str) -> Any:
        return self.raw[name]

    def get(self, name: str) -> Any:
        """The value, None where there is none."""
        return self.raw.get(name)

    def items(self) -> ItemsView[str, Any]:
        """All fields."""
        return self.raw.items()

    def mapping(self, name: str) -> Fields:
        """The object of this name, empty where there is none."""
        return Fields({} if self.get(name) is None else self.get(name), f"{self.place}: {name}")

    def of(self, name: str, inner: str) -> Fields:
        """The object `inner` of the object `name`, empty where there is none of them."""
        outer = self.mapping(name)
        return Fields({} if outer.get(inner) is None else outer.get(inner), f"{outer.place}.{inner}")

    def text(self, name: str) -> str | None:
        """The text of this name, None where there is none or an empty one."""
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            raise HarnessError(f"{self.place}: {name} is {quoted(value)}; expected a text")
        return value or None

    def whole(self, name: str) -> int | None:
        """The whole number of this name, None where there is none."""
        value = self.get(name)
        if value is None:
            return None
        if not is_number(value) or value != int(value) or value < 0:
            raise HarnessError(f"{self.place}: {name} is {quoted(value)}; expected a whole number")
        return int(value)

    def list(self, name: str) -> list[Any]:
        """The list of this name, empty where there is none."""
        value = self.get(name)
        if value is not None and not isinstance(value, list):
            raise HarnessError(f"{self.place}: {name} is {quoted(value)}; expected a list")
        return value or []


def rows_of(path: Path) -> Iterator[Fields]:
    """The rows of a file of JSON lines, or of a list in JSON, one after the other.

    Raises:
        HarnessError: the file cannot be read, or a row is no object.
    """
    try:
        for number, row in enumerate(json_documents(path), start=1):
            yield Fields(row.fields, f"{path}: row {number}")
    except UnreadableError as error:
        raise HarnessError(f"{path}: {error}") from error
