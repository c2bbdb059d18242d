"""Thrift's compact protocol, in which the footer and the headers of pages of a Parquet file are written.

See `thrift-compact-protocol.md` of Apache Thrift. A results folder has thousands of such files, and each has more than
a thousand numbers: hence plain functions that hand the position on, and a first byte of a number that is looked at
where it stands.
"""

from __future__ import annotations

from typing import Any

from harness.bounded.limits import UnreadableError

_DEEPEST = 16
"""Structures and lists inside each other; there are seven in the footer of a real file."""
_TRUE, _FALSE, _BYTE, _WHOLE, _DOUBLE, _TEXT, _LISTS, _STRUCTURE = 1, 2, 3, (4, 5, 6), 7, 8, (9, 10), 12
"""Numbers of the kinds of values."""


def structure(data: bytes, at: int = 0, depth: int = 0) -> tuple[dict[int, Any], int]:
    """Number of each field -> its value, None for a text and a number with a point; and the position behind them.

    Args:
        data: bytes that may go on after the structure.
        at: position at which it begins.
        depth: how many others it lies in.

    Raises:
        IndexError: the bytes end too early.
        UnreadableError: they are no structure, or a field stands twice, which readers understand in two ways.
    """
    fields: dict[int, Any] = {}
    number = 0
    while first := data[at]:
        at += 1
        step = first >> 4
        if step:
            number += step
        else:
            number, at = _whole(data, at)
        if number in fields:
            raise UnreadableError("cannot be read: a field of the file's own description stands twice")
        fields[number], at = _value(data, at, first & 15, depth)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if depth > _DEEPEST:
        raise UnreadableError("cannot be read: its own description is nested too deep")
    if kind in _WHOLE:
        byte = data[at]
        return (byte >> 1 ^ -(byte & 1), at + 1) if byte < 128 else _whole(data, at)
    if kind == _TEXT:
        length, at = _unsigned(data, at)
        return None, _passed(data, at, length)
    if kind == _STRUCTURE:
        return structure(data, at, depth + 1)
    if kind in _LISTS:
        return _list(data, at, depth)
    if kind in (_TRUE, _FALSE):  # a truth value stands in the field's first byte
        return kind == _TRUE, at
    if kind == _BYTE:
        return data[at], at + 1
    if kind == _DOUBLE:
        return None, _passed(data, at, 8)
    raise UnreadableError("cannot be read: its own description is damaged")


def _list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    first, at = data[at], at + 1
    number = first >> 4
    if number == 15:
        number, at = _unsigned(data, at)
    kind = _BYTE if first & 15 in (_TRUE, _FALSE) else first & 15
    if number > len(data):  # each value has a byte at least
        raise IndexError
    values = []
    for _ in range(number):
        value, at = _value(data, at, kind, depth + 1)
        values.append(value)
    return values, at


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while (byte := data[at]) & 128 and shift < 63:
        number |= (byte & 127) << shift
        shift += 7
        at += 1
    return number | byte << shift, at + 1


def _whole(data: bytes, at: int) -> tuple[int, int]:
    number, at = _unsigned(data, at)
    return number >> 1 ^ -(number & 1), at


def _passed(data: bytes, at: int, length: int) -> int:
    """The position after so many bytes."""
    if at + length > len(data):
        raise IndexError
    return at + length
