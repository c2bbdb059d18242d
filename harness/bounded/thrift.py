"""Thrift's compact protocol, in which the footer and the headers of pages of a Parquet file are written.

See `thrift-compact-protocol.md` of Apache Thrift.
"""

from __future__ import annotations

from typing import Any

from harness.bounded.limits import UnreadableError

_DEEPEST = 16
"""Structures and lists inside each other; there are seven in the footer of a real file."""


class Compact:
    """Reads Thrift's compact protocol from bytes; raises IndexError where they end too early."""

    def __init__(self, data: bytes) -> None:
        """`data`: begins with a structure, and may go on after it."""
        self._data = data
        self.position = 0

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """Number of each field -> its value, None for a text.

        Raises:
            IndexError: the bytes end too early.
            UnreadableError: they are no structure, or a field stands twice, which readers understand in two ways.
        """
        fields: dict[int, Any] = {}
        number = 0
        while first := self._byte():
            step = first >> 4
            number = number + step if step else self._whole()
            if number in fields:
                raise UnreadableError("cannot be read: a field of the file's own description stands twice")
            fields[number] = self._value(first & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise UnreadableError("cannot be read: its own description is nested too deep")
        match kind:
            case 1 | 2:  # a truth value stands in the field's first byte
                return kind == 1
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._whole()
            case 7:
                return self._skip(8)
            case 8:
                return self._skip(self._unsigned())
            case 9 | 10:
                return self._list(depth)
            case 12:
                return self.structure(depth + 1)
        raise UnreadableError("cannot be read: its own description is damaged")

    def _list(self, depth: int) -> list[Any]:
        first = self._byte()
        number = first >> 4 if first >> 4 < 15 else self._unsigned()
        kind = 3 if first & 15 in (1, 2) else first & 15
        if number > len(self._data):  # each value has a byte at least
            raise IndexError
        return [self._value(kind, depth + 1) for _ in range(number)]

    def _byte(self) -> int:
        byte = self._data[self.position]
        self.position += 1
        return byte

    def _unsigned(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 128 and shift < 63:
            number |= (byte & 127) << shift
            shift += 7
        return number | byte << shift

    def _whole(self) -> int:
        number = self._unsigned()
        return number >> 1 ^ -(number & 1)

    def _skip(self, length: int) -> None:
        """Pass over bytes."""
        self.position += length
        if self.position > len(self._data):
            raise IndexError
