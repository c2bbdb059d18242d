"""Zip files of others that hold many files, such as Inspect's logs: counted as they are unpacked, whatever they say.

A zip file states the size of each file in it, and need not tell the truth; so all that is unpacked is counted, and
reading ends where the limit is reached.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import IO, BinaryIO

from harness.bounded.limits import ARCHIVE_BYTES, ARCHIVE_DIRECTORY, ARCHIVE_FILE_BYTES, UnreadableError
from harness.wording import cut, quoted

FAULTS = (OSError, EOFError, zlib.error, zipfile.BadZipFile, struct.error, RuntimeError, NotImplementedError)
"""Errors that can occur when a zip file is unpacked; one with a password raises a `RuntimeError`."""
_ZSTD = 93
"""Number of zstd among the ways of packing, which Python's own module knows from 3.14 on."""
_LOCAL_HEADER = 30
"""Bytes before the name of a file in front of its content."""
_PIECE = 1 << 18


class Archive:
    """An open zip file; of several files of one name the last counts, as for every program that appends to one."""

    def __init__(self, archive: zipfile.ZipFile, file: BinaryIO) -> None:
        self._archive = archive
        self._file = file
        self._inside = {info.filename: info for info in archive.infolist()}
        self._left = ARCHIVE_BYTES.allowed

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files in it, in the order of its list."""
        return tuple(self._inside)

    def read(self, name: str) -> bytes:
        """The content of one file.

        Raises:
            UnreadableError: there is none of this name, it is damaged or has a password, or all that was read of the
                zip file is more than allowed.
        """
        if name not in self._inside:
            raise UnreadableError(f"holds no file {quoted(name)}")
        pieces, size, info = [], 0, self._inside[name]
        with _faults_as_ours(), self._opened(info) as packed:
            while piece := packed.read(_PIECE):
                size += len(piece)
                if size > ARCHIVE_FILE_BYTES.allowed:
                    raise ARCHIVE_FILE_BYTES.exceeded(where=quoted(name))
                if size > self._left:
                    raise ARCHIVE_BYTES.exceeded()
                pieces.append(piece)
        self._left -= size
        content = b"".join(pieces)
        if zlib.crc32(content) != info.CRC:
            raise UnreadableError(f"cannot be read: {quoted(name)} is damaged")
        return content

    def _opened(self, info: zipfile.ZipInfo) -> IO[bytes]:
        if info.flag_bits & 1:
            raise UnreadableError("cannot be read: it has a password")
        if info.compress_type == _ZSTD:
            return self._unpacked_by_zstd(info)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnreadableError(f"cannot be read: {quoted(info.filename)} is packed neither by deflate nor by zstd")
        return self._archive.open(info)

    def _unpacked_by_zstd(self, info: zipfile.ZipInfo) -> IO[bytes]:
        import pyarrow

        self._file.seek(info.header_offset)
        header = self._file.read(_LOCAL_HEADER)
        name, extra = struct.unpack("<HH", header[26:30])
        self._file.seek(name + extra, os.SEEK_CUR)
        packed = self._file.read(info.compress_size)
        stream: IO[bytes] = pyarrow.CompressedInputStream(pyarrow.BufferReader(packed), "zstd")
        return stream


@contextmanager
def opened_zip(content: bytes) -> Iterator[Archive]:
    """A zip file whose content is counted.

    Args:
        content: its bytes, whose number the caller has bounded.

    Raises:
        UnreadableError: it is no zip file, is damaged, or lists more files than allowed.
    """
    with BytesIO(content) as file:
        with _faults_as_ours():
            ARCHIVE_DIRECTORY.check(directory_size(file))
            archive = zipfile.ZipFile(file)
        with archive:
            yield Archive(archive, file)


@contextmanager
def _faults_as_ours() -> Iterator[None]:
    try:
        yield
    except UnreadableError:
        raise
    except (*FAULTS, ValueError, OverflowError) as error:
        first_line, _, _ = str(error).strip().partition("\n")
        raise UnreadableError(f"cannot be read: {cut(first_line) or type(error).__name__}") from error


def directory_size(file: BinaryIO) -> int:
    """Bytes of a zip file's list of files, as its end states it; 0 where there is no end, which is damage.

    Raises:
        UnreadableError: it is one of those whose list can be longer than their end says (ZIP64).
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 66_000))  # the end of the list and a comment of at most 65,535 bytes
    before, found, end = file.read()[-66_000:].rpartition(b"PK\5\6")
    file.seek(0)
    if found and before[-20:].startswith(b"PK\6\7"):
        raise UnreadableError("cannot be read: it is a zip file for gigabytes (ZIP64); expected an ordinary one")
    return int.from_bytes(end[8:12], "little") if found else 0
