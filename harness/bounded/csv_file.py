"""CSV files from others, compressed or not, measured before parsing: a small compressed file can hold gigabytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from harness.bounded.files import open_regular
from harness.bounded.limits import LINE_BYTES, ROWS, TABLE_BYTES, TABLE_CELLS, TABLE_COLUMNS, UnreadableError
from harness.bounded.zip_file import FAULTS, directory_size
from harness.wording import cut

ENDINGS = (".csv", ".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip")
"""Names of files that can be read."""
_OPENERS: Mapping[str, Callable[[IO[bytes]], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_PIECE = 1 << 20
_DIRECTORY = 100_000
"""Bytes of a zip file's list of files, which is read whole; one file takes about a hundred."""
_UNPACKING = (*FAULTS, lzma.LZMAError)
"""Errors that can occur during decompression."""


@contextmanager
def opened_csv(path: Path) -> Iterator[IO[bytes]]:
    """The unpacked content of a file, which holds no more than is allowed; errors of reading it are ours too.

    Raises:
        UnreadableError: it cannot be read or unpacked, or holds more bytes, rows, columns or cells than allowed.
    """
    with _unpacked(path) as content:
        _check(content)
    with _unpacked(path) as content:
        yield content


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    try:
        with open_regular(path) as file:
            TABLE_BYTES.check(os.fstat(file.fileno()).st_size)
            if path.suffix == ".zip":
                _check_directory(file)
                with zipfile.ZipFile(file) as archive:
                    yield archive.open(_only(archive))
            elif path.suffix in _OPENERS:
                with _OPENERS[path.suffix](file) as content:
                    yield content
            else:
                yield file
    except UnreadableError:
        raise
    except UnicodeDecodeError as error:
        raise UnreadableError("is not UTF-8; expected a CSV that was saved in UTF-8") from error
    except (*_UNPACKING, ValueError, OverflowError) as error:
        first_line, _, _ = str(error).strip().partition("\n")
        raise UnreadableError(f"cannot be read: {cut(first_line) or type(error).__name__}") from error


def _check_directory(file: BinaryIO) -> None:
    """See that a zip file lists few files, before its list is read."""
    if directory_size(file) > _DIRECTORY:
        raise UnreadableError("cannot be read: it holds many files; expected one")


def _only(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    inside = archive.infolist()
    if len(inside) != 1:
        raise UnreadableError(f"cannot be read: it holds {len(inside)} files; expected one")
    return inside[0]


def _check(content: IO[bytes]) -> None:
    """Count what a file holds; a comma or a line feed within quotes counts too, so that real tables count less."""
    head, in_head, size, rows, line = 1, True, 0, 0, 0
    long_at: int | None = None
    most_bytes, most_rows, longest = TABLE_BYTES.allowed, ROWS.allowed, LINE_BYTES.allowed
    while piece := content.read(_PIECE):
        size += len(piece)
        if in_head:
            first, end, _ = piece.partition(b"\n")
            head += max(first.count(b","), first.count(b";"), first.count(b"\t"))
            in_head = not end
            TABLE_COLUMNS.check(head)
        rows += max(piece.count(b"\n"), piece.count(b"\r"))
        end_of_line = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        line = len(piece) - 1 - end_of_line if end_of_line >= 0 else line + len(piece)
        if line > longest and long_at is None:
            long_at = rows + 1
        if size > most_bytes:
            raise TABLE_BYTES.exceeded()
        if rows > most_rows + 1:
            raise ROWS.exceeded()
    TABLE_CELLS.check(rows * head)
    if long_at is not None:  # of a long name pandas takes several times its length
        raise LINE_BYTES.exceeded(where=f"line {long_at}")
