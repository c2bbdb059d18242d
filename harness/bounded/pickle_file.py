"""Reads the shapes of the tensors in a file of `torch.save`, and neither imports nor calls what its pickle names."""

from __future__ import annotations

import io
import math
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from harness.bounded.files import open_regular
from harness.bounded.limits import CONFIG_BYTES, UnreadableError

_ZIP = b"PK"
_PARTS_BEFORE = 3
"""Pickles before that of the weights in the format from before torch 1.6: a magic number, a version, the machine."""


class _Storage(NamedTuple):
    """Numbers of one tensor, or of several that share them."""

    key: str
    """Name inside the file."""


class _Anything:
    """Stands in for whatever class or function a pickle names, and for what it makes of it: takes all, does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> _Anything:
        """Another one, since a pickle may call it with anything."""
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __call__(self, *_: Any, **__: Any) -> _Anything:
        """What a pickle takes for an object of that class."""
        return self

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...

    def append(self, value: Any) -> None: ...

    def extend(self, values: Any) -> None: ...


class _Shapes(pickle._Unpickler):  # the one in C fills the memory when a pickle says so
    """Notes the shapes of tensors while a pickle is read."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.found: dict[str, tuple[int, ...]] = {}

    def find_class(self, module: str, name: str) -> Any:
        return self._tensor if name.startswith("_rebuild_tensor") else _Anything

    def persistent_load(self, pid: Any) -> Any:
        """The numbers that the pickle refers to: `("storage", type, key, location, elements)`."""
        known = isinstance(pid, tuple) and len(pid) > 2 and pid[0] == "storage"
        return _Storage(str(pid[2])) if known else _Anything()

    def _tensor(self, storage: Any = None, _offset: Any = None, size: Any = (), *_: Any) -> _Anything:
        whole = isinstance(size, tuple) and all(type(side) is int and 0 <= side < 10**15 for side in size)
        if isinstance(storage, _Storage) and whole:
            before = self.found.get(storage.key, ())
            self.found[storage.key] = max(before, size, key=math.prod) if before else size
        return _Anything()


def pickled_shapes(path: Path) -> Mapping[str, tuple[int, ...]]:
    """Numbers that tensors share -> the shape of the largest of these tensors.

    Raises:
        UnreadableError: the file cannot be read, is no file of `torch.save`, or names more than is read of one.
    """
    with open_regular(path) as file:
        try:
            start = file.read(len(_ZIP))
            file.seek(0)
            return _of_zip(file) if start == _ZIP else _of_parts(file)
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror or error}") from error
        except UnreadableError:
            raise
        except Exception as error:  # a damaged pickle can raise any exception
            raise UnreadableError("is no readable file of weights of torch") from error


def _of_zip(file: BinaryIO) -> Mapping[str, tuple[int, ...]]:
    with zipfile.ZipFile(file) as archive:
        (names,) = [entry for entry in archive.infolist() if entry.filename.rpartition("/")[2] == "data.pkl"]
        CONFIG_BYTES.check(names.file_size)
        with archive.open(names) as part:
            return _read(part.read(names.file_size))


def _of_parts(file: BinaryIO) -> Mapping[str, tuple[int, ...]]:
    text = io.BytesIO(file.read(min(CONFIG_BYTES.allowed, os.fstat(file.fileno()).st_size)))
    for _ in range(_PARTS_BEFORE):
        _Shapes(text).load()
    return _read(text.read())


def _read(text: bytes) -> Mapping[str, tuple[int, ...]]:
    reader = _Shapes(io.BytesIO(text))
    reader.load()
    return reader.found
