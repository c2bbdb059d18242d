"""The few operations on files that leases are made of, in a folder and in an object store.

One of them has to be atomic: of several who make a file of the same name, one succeeds. A folder has `link` for it,
also on NFS, and an object store a conditional write (`If-None-Match: *`), which most have and some have not.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.errors import StoreError
from harness.store.files import replace_file

if TYPE_CHECKING:
    from harness.store.bucket import Bucket

LEASES = ".leases"
_MOST_BYTES = 2000


class LeaseFiles(Protocol):
    """Small files of one place, by name."""

    def make(self) -> None:
        """Make the place, where that is needed."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Make a file; False when there is one of that name."""
        ...

    def read(self, name: str) -> bytes | None:
        """The beginning of a file; None when there is none."""
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file that may be gone already."""
        ...

    def names(self) -> list[str]:
        """Names of all files."""
        ...

    def clear(self) -> None:
        """Remove the place, if it is empty."""
        ...


class FolderFiles:
    """Files below a results folder."""

    def __init__(self, root: Path) -> None:
        self._folder = root / LEASES

    def make(self) -> None:
        """As the protocol says."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def create(self, name: str, content: bytes) -> bool:
        """As the protocol says."""
        path = self._folder / name
        temporary = self._folder / f".{os.getpid()}-{secrets.token_hex(6)}"
        try:
            temporary.write_bytes(content)
            os.link(temporary, path)
            return True
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
                raise
            return _create_exclusively(path, content)  # a file system without links
        finally:
            temporary.unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        """As the protocol says."""
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(_MOST_BYTES)
        except FileNotFoundError:
            return None

    def replace(self, name: str, content: bytes) -> None:
        """As the protocol says."""
        replace_file(self._folder / name, content, to_disk=False)

    def remove(self, name: str) -> None:
        """As the protocol says."""
        (self._folder / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """As the protocol says."""
        return os.listdir(self._folder)

    def clear(self) -> None:
        """As the protocol says."""
        with suppress(OSError):
            self._folder.rmdir()


def _create_exclusively(path: Path, content: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


class BucketFiles:
    """Objects below the address of an object store."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def make(self) -> None:
        """Nothing: object stores have no folders."""

    def create(self, name: str, content: bytes) -> bool:
        """As the protocol says."""
        return self._bucket.create(f"{LEASES}/{name}", content)

    def read(self, name: str) -> bytes | None:
        """As the protocol says."""
        return self._bucket.read(f"{LEASES}/{name}", most=_MOST_BYTES)

    def replace(self, name: str, content: bytes) -> None:
        """As the protocol says."""
        self._bucket.write(f"{LEASES}/{name}", content)

    def remove(self, name: str) -> None:
        """As the protocol says."""
        self._bucket.remove(f"{LEASES}/{name}")

    def names(self) -> list[str]:
        """As the protocol says."""
        return self._bucket.names_below(LEASES)

    def clear(self) -> None:
        """Nothing."""


def has_conditional_writes(files: LeaseFiles) -> bool:
    """Whether the second of two who make the same file is told that there is one."""
    name = f".probe-{secrets.token_hex(6)}"
    try:
        return files.create(name, b"1") and not files.create(name, b"2")
    except (StoreError, NotImplementedError):
        return False
    finally:
        with suppress(StoreError):
            files.remove(name)
