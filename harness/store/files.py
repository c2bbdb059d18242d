"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.bounded.files import open_regular
from harness.bounded.limits import UnreadableError
from harness.errors import StoreError

TEMPORARY = ".writing-"
"""How the name of a file begins while it is written."""
LEFTOVER_SECONDS = 86400.0
"""Age from which on a half-written file is nobody's any more: clocks of machines differ by less."""
_KEPT = re.compile(r"[0-9a-f]{32}\.json")
"""Names of files that are kept by the digest of what they were made from."""
_END = b"PAR1"
"""Last bytes of every Parquet file."""


def temporary_beside(path: Path) -> Path:
    """A name beside `path` that no other writer takes, on whatever machine it runs."""
    host = re.sub(r"[^A-Za-z0-9-]+", "-", socket.gethostname())[:40]
    return path.with_name(f"{TEMPORARY}{host}-{os.getpid()}-{secrets.token_hex(4)}-{path.name}")


def clear_leftovers(folder: Path) -> None:
    """Remove files that writers left half-written, once they are too old for anybody still to be at them."""
    with suppress(OSError), os.scandir(folder) as listing:
        for entry in listing:
            if entry.name.startswith(TEMPORARY):
                with suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > LEFTOVER_SECONDS:
                        os.unlink(entry.path)


def make_folder(path: Path) -> bool:
    """Make a folder, with those above it; False when it was there.

    Raises:
        OSError: it cannot be made, or something else has its name.
    """
    try:
        path.mkdir()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return make_folder(path)
    except FileExistsError:
        if not path.is_dir():
            raise
        return False
    return True


def replace_file(path: Path, data: bytes, *, to_disk: bool = True) -> None:
    """Write beside the target, force to disk, then rename: readers see the old file or the new one, never half.

    Without `to_disk` a power cut can leave an empty file.
    """
    temporary = temporary_beside(path)
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


def keep_file(path: Path, data: bytes, *, most: int) -> None:
    """Write a file that can be made again and is named by a digest; of its kind only the newest stay in the folder.

    Args:
        path: 32 hexadecimal digits and `.json`, in a folder that is made if need be.
        data: the content.
        most: how many such files stay.

    Raises:
        OSError: it cannot be written, or the folder is a link, which may lead to files of somebody else.
    """
    folder = path.parent
    if folder.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    clear_leftovers(folder)
    replace_file(path, data, to_disk=False)
    with suppress(OSError), os.scandir(folder) as listing:
        kept = [entry for entry in listing if _KEPT.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)]
        for entry in sorted(kept, key=lambda entry: entry.stat().st_mtime_ns)[:-most]:
            with suppress(OSError):
                os.unlink(entry.path)


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
        with open_regular(parquet) as file:
            file.seek(-len(_END), os.SEEK_END)
            return file.read(len(_END)) == _END
    except (OSError, UnreadableError):  # too short, unreadable, or no file
        return False
