"""Fields of somebody's JSON, whose values may be anything."""

from __future__ import annotations

import math
from collections.abc import ItemsView
from typing import Any

from harness.errors import HarnessError
from harness.wording import quoted


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; truth values are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


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
