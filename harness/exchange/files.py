"""Finds the files of other programs, and reads each with the reader of its format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from harness.bounded.files import files_below, kind_of, read_bytes
from harness.bounded.limits import RESULT_FILE_BYTES, UnreadableError
from harness.errors import HarnessError
from harness.exchange.types import ForeignFile


class FoundFile(NamedTuple):
    """A file that may be one of a format."""

    path: Path
    """Where it lies."""
    was_named: bool
    """Whether the user named it, in place of its folder."""


def foreign_files(paths: Sequence[Path], names: Sequence[str]) -> Iterator[FoundFile]:
    """Each file once: those that the user names, and those in folders that are called as a reader says.

    Args:
        paths: files, and folders with everything below them.
        names: names of files in folders, with `*` for any text.

    Raises:
        HarnessError: there is no such file or folder, or it cannot be read.
    """
    seen: set[Path] = set()
    for place in paths:
        try:
            kind = kind_of(place)
            if kind is None:
                raise UnreadableError("no such file or folder")
            is_folder = kind == "a folder"
            found = [path for path in files_below(place) if _fits(path, names)] if is_folder else [place]
        except UnreadableError as error:
            raise HarnessError(f"{place}: {error}") from error
        for path in sorted(found):
            if path not in seen:
                seen.add(path)
                yield FoundFile(path, not is_folder)


def _fits(path: Path, names: Sequence[str]) -> bool:
    return any(fnmatchcase(path.name, name) for name in names)


def foreign_file(path: Path) -> ForeignFile:
    """A file with its content.

    Raises:
        HarnessError: it cannot be read, or is larger than is allowed.
    """
    try:
        content = read_bytes(path, RESULT_FILE_BYTES)
        modified = path.stat().st_mtime
    except (UnreadableError, OSError) as error:
        raise HarnessError(f"{path}: {error}") from error
    return ForeignFile(path=path, content=content, sha256=hashlib.sha256(content).hexdigest(), modified=modified)
