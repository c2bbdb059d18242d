"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.bounded.files import open_regular
from harness.bounded.limits import UnreadableError
from harness.errors import StoreError

TEMPORARY = ".writing-"
"""How the name of a file begins while it is written."""
_END = b"PAR1"
"""Last bytes of every Parquet file."""


def replace_file(path: Path, data: bytes, *, to_disk: bool = True) -> None:
    """Write beside the target, force to disk, then rename: readers see the old file or the new one, never half.

    Without `to_disk` a power cut can leave an empty file.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if to_disk:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def overwrite_file(path: Path, data: bytes) -> None:
    """Write where the file lies already, for a disk that has no room for a second one; not safe against a crash."""
    with path.open("r+b", buffering=0) as file:
        written = file.write(data)
        if written is not None and written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        file.truncate(len(data))


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turns an error of the operating system into a `StoreError` that names the file, or else `path`."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{error.filename or path}: cannot be written: {error.strerror or error}") from error


def has_end(parquet: str) -> bool:
    """Whether a Parquet file has its last bytes, which a copy that broke off lacks. Reads no more than these."""
    try:
        with open_regular(Path(parquet)) as file:
            file.seek(-len(_END), os.SEEK_END)
            return file.read(len(_END)) == _END
    except (OSError, UnreadableError):  # too short, unreadable, or no file
        return False
