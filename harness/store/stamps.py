"""Whether anything in the results folder has changed, found without reading it."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from harness.store.layout import cell_files


def stamp_of_cells(root: Path) -> tuple[int, int]:
    """Number of header and failure files, and a digest of their paths, times and sizes; equal when nothing changed.

    The time of the newest file would not be enough: files that are copied or restored keep the times they had
    elsewhere. Of samples the size is enough: a cell that is evaluated again has a new header, and a copy that
    broke off is shorter.
    """
    known: list[tuple[str, int, int, int | None]] = []
    for entry, samples in cell_files(root):
        with suppress(OSError):  # a run that goes on removes a failure when the cell goes well; links in a ring
            status = entry.stat()
            known.append((entry.path, status.st_mtime_ns, status.st_size, samples and samples.stat().st_size))
    return len(known), int.from_bytes(hashlib.sha256(repr(known).encode()).digest()[:8])


def stamp_of_documents(root: Path) -> str:
    """A digest of which files hold the answers of cells, and of their sizes and times; equal when none changed.

    Paths count from the folder on, so that a copy that keeps the times has the same.
    """
    digest = hashlib.sha256()
    for entry, samples in cell_files(root):
        if samples is not None:
            with suppress(OSError):
                status = samples.stat()
                below = entry.path.removeprefix(os.fspath(root))
                digest.update(f"{below}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
