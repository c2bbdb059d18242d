"""Reads the headers of safetensors files from others: names and shapes of the tensors, but not their numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeGuard

from harness.bounded.files import open_regular
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import TENSOR_BYTES, UnreadableError

_LENGTH = 8
"""Bytes at the beginning that say how long the header is."""
_POINTER = b"version https://git-lfs"
_MOST_SIDES = 64
"""Dimensions that torch allows a tensor."""


class Tensor(NamedTuple):
    """A tensor, as the header describes it."""

    shape: tuple[int, ...]
    """Length of each side."""
    end: int
    """Number of bytes from the end of the header to the end of the tensor."""


class SafetensorsHeader(NamedTuple):
    """The part of the file before the numbers."""

    bytes: int
    """Length, with the number that says it."""
    tensors: Mapping[str, Tensor]
    """Name of each tensor -> the tensor."""


def safetensors_header(path: Path) -> SafetensorsHeader:
    """The header of a safetensors file: 8 bytes for its length, then JSON.

    Raises:
        UnreadableError: the file cannot be read, or its header is none, or longer than allowed.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(_LENGTH)
        if start == _POINTER[:_LENGTH] and file.read(len(_POINTER) - _LENGTH) == _POINTER[_LENGTH:]:
            raise UnreadableError("is a pointer of Git LFS and not the weights; fetch them with `git lfs pull`")
        length = int.from_bytes(start, "little")
        if not 0 < length <= size - _LENGTH:
            raise UnreadableError("is no readable safetensors file: its header does not fit into it")
        TENSOR_BYTES.check(length)
        try:
            header = parsed_json(file.read(length), finite=True)
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}") from error
        except UnreadableError as error:
            raise UnreadableError(f"is no readable safetensors file: its header {error}") from error
    if not isinstance(header, dict):
        raise UnreadableError("is no readable safetensors file: its header is no mapping")
    tensors = {name: _tensor(entry) for name, entry in header.items() if name != "__metadata__"}
    return SafetensorsHeader(_LENGTH + length, tensors)


def _tensor(entry: object) -> Tensor:
    shape, place = (entry.get("shape"), entry.get("data_offsets")) if isinstance(entry, dict) else (None, None)
    if not _is_whole(shape) or not _is_whole(place) or len(place) != 2 or len(shape) > _MOST_SIDES:
        raise UnreadableError(
            "is no readable safetensors file: a tensor has no `shape` or no `data_offsets`, lists of whole numbers"
        )
    return Tensor(tuple(shape), place[1])


def _is_whole(numbers: object) -> TypeGuard[list[int]]:
    return isinstance(numbers, list) and all(type(one) is int and 0 <= one < 10**15 for one in numbers)
