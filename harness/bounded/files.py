"""Regular files, opened and read within limits: nothing here waits for a pipe or reads a device without end."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from harness.bounded.limits import FOLDERS, Limit, UnreadableError

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
_CHUNK, _SMALL_CHUNK = 1 << 20, 1 << 16
_GZIP = b"\x1f\x8b"


def kind_of(path: Path) -> str | None:
    """What a path names, `a file` or `a folder` and so on, through links; None where there is nothing.

    Raises:
        UnreadableError: the operating system does not say, such as for a name that is too long or links in a ring.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UnreadableError("cannot be read: the name holds a null byte") from error
    return "a file" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "something else")


def is_regular(path: Path) -> bool:
    """Whether there is a regular file of this name, which may be any text."""
    try:
        return kind_of(path) == "a file"
    except UnreadableError:
        return False


def open_regular(path: str | Path) -> BinaryIO:
    """A regular file, open for reading; opening a pipe does not wait for somebody to write.

    Raises:
        UnreadableError: there is none, it is something else, or it cannot be read.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UnreadableError("cannot be read: the name holds a null byte") from error
    kind = stat.S_IFMT(os.fstat(opened).st_mode)
    if kind != stat.S_IFREG:
        os.close(opened)
        raise UnreadableError(f"is {_KINDS.get(kind, 'something else')}; expected a regular file")
    return os.fdopen(opened, "rb")


def read_bytes(path: Path, limit: Limit) -> bytes:
    """All of a file.

    Raises:
        UnreadableError: it cannot be read, or holds more than `limit` allows.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        limit.check(size)
        try:
            # not as much as is allowed, for which memory would be handed out each time
            data = file.read(size + 1)
            if len(data) > size:  # it has grown since, or does not report its size
                data += file.read(limit.allowed + 1 - len(data))
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}") from error
    if len(data) > limit.allowed:
        raise limit.exceeded()
    return data


def read_text(path: Path, limit: Limit) -> str:
    """All of a text in UTF-8.

    Raises:
        UnreadableError: it cannot be read, holds more than `limit` allows, or is no UTF-8.
    """
    return decoded(read_bytes(path, limit))


def decoded(data: bytes) -> str:
    """The text that bytes stand for in UTF-8.

    Raises:
        UnreadableError: they are not valid UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("is not UTF-8") from error


@contextmanager
def unpacked(path: Path, size: Limit, rows: Limit | None = None) -> Iterator[Content]:
    """The content of a file that may be packed by gzip, which its first bytes tell.

    Args:
        path: the file.
        size: limit of its bytes, and of those that it unpacks to.
        rows: limit of the number of lines, which are counted before anything is made of one; that takes far longer.

    Raises:
        UnreadableError: it cannot be read or unpacked, or holds more than `size` allows.
    """
    with open_regular(path) as file:
        size.check(os.fstat(file.fileno()).st_size)
        try:
            packed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            if rows is not None and not packed:
                _check_ends(file, rows)
            yield Content(cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file, size)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _check_ends(file: BinaryIO, rows: Limit) -> None:
    ends, most = 0, rows.allowed
    while piece := file.read(_SMALL_CHUNK):
        ends += piece.count(b"\n")
        if ends > most:
            raise rows.exceeded()
    file.seek(0)


class Content:
    """The bytes of an open file, which are counted as they are read."""

    def __init__(self, file: BinaryIO, size: Limit) -> None:
        self._file = file
        self._size = size
        self._left = size.allowed

    def read(self, most: int) -> bytes:
        """The next bytes, at most `most`; none at the end.

        Raises:
            UnreadableError: the file holds more than is allowed.
        """
        return self._counted(self._file.read(most))

    def line(self, most: int) -> bytes:
        """The next line with its end, or the first `most` bytes of a longer one; nothing at the end of the file.

        Raises:
            UnreadableError: the file holds more than is allowed.
        """
        return self._counted(self._file.readline(most))

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise self._size.exceeded()
        return piece


def lines(content: Content, *, length: Limit, rows: Limit) -> Iterator[bytes]:
    """The lines of a content, one in memory at a time, with their ends; only a line feed ends one.

    Args:
        content: what is read, from where it stands.
        length: limit of the bytes of a line.
        rows: limit of the number of lines.

    Raises:
        UnreadableError: it holds more than one of the limits allows.
    """
    longest, most, number = length.allowed, rows.allowed, 0
    while line := content.line(longest + 2):
        number += 1
        if number > most:
            raise rows.exceeded()
        if len(line) > longest + line.endswith(b"\n"):
            raise length.exceeded(where=f"line {number}")
        yield line


def files_below(folder: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder itself; folders behind links are left out.

    Raises:
        UnreadableError: folders stand inside each other more often than allowed.
    """
    waiting = [(folder, 1)]
    while waiting:
        here, depth = waiting.pop()
        if depth > FOLDERS.allowed:
            raise FOLDERS.exceeded()
        try:
            with os.scandir(here) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            raise UnreadableError(f"cannot be read: {here.name}: {error.strerror}") from error
        yield from (Path(entry.path) for entry in entries if not _is_folder(entry))
        waiting += [(Path(entry.path), depth + 1) for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a ring
        return False


def sha256(path: Path, limit: Limit) -> bytes:
    """The SHA-256 of a file's bytes, read piece by piece.

    Raises:
        UnreadableError: it cannot be read, or holds more than `limit` allows.
    """
    digest, left = hashlib.sha256(), limit.allowed
    with open_regular(path) as file:
        try:
            while piece := file.read(_CHUNK):
                left -= len(piece)
                if left < 0:
                    raise limit.exceeded()
                digest.update(piece)
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}") from error
    return digest.digest()
