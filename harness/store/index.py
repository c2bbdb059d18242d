"""What was read of a large results folder before, kept in the user's own cache, so that only what changed is read.

It can be deleted at any time, and is no part of the results. It lies in the user's cache and never in the results
folder: it is a pickle, and whoever may write a pickle that is read may run code.
"""

from __future__ import annotations

import gc
import hashlib
import logging
import os
import pickle
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from harness.plan import Cell
from harness.records import CellFailure, CellResult, Outcome, Provenance, Score
from harness.specs import MetricSpec, ModelSpec
from harness.version import __version__

log = logging.getLogger(__name__)

WORTHWHILE = 2000
"""Cells from which on a folder is indexed; fewer are read in a moment."""
_TYPES = (CellResult, CellFailure, Cell, ModelSpec, MetricSpec, Score, Provenance)


class FileState(NamedTuple):
    """What tells that files are the ones that were read: an inode number changes with each replacement."""

    header: tuple[int, int, int]
    """Inode, time of change and size of the header."""
    samples: tuple[int, int, int] | None
    """The same of the samples; None when there are none."""


Entries = Mapping[str, tuple[FileState, Outcome]]
"""Path of a header -> its state when it was read, and what it says."""


def file_state(header: os.DirEntry[str], samples: os.DirEntry[str] | None) -> FileState | None:
    """The state of a cell's files; None when one is gone, or a link."""
    try:
        first = header.stat(follow_symlinks=False)
        second = None if samples is None else samples.stat(follow_symlinks=False)
    except OSError:
        return None
    if not stat.S_ISREG(first.st_mode) or (second is not None and not stat.S_ISREG(second.st_mode)):
        return None
    return FileState(_of(first), None if second is None else _of(second))


def _of(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_mtime_ns, found.st_size


def read_index(root: Path) -> Entries:
    """What the cache has of a results folder; nothing where it has none, or another version or user wrote it."""
    path = _path(root)
    try:
        with path.open("rb") as file, collector_off():
            status = os.fstat(file.fileno())
            if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return {}
            written_by, entries = pickle.load(file)
            return entries if written_by == _format() else {}
    except FileNotFoundError:
        return {}
    except Exception as error:  # a file that broke off can raise anything; what it held is read again
        log.info("%s: is not used: %s", path, error)
        return {}


def write_index(root: Path, entries: Entries) -> None:
    """Keep what was read; where the cache cannot be written, it is read again the next time."""
    path = _path(root)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with temporary.open("wb") as file, collector_off():
            os.fchmod(file.fileno(), 0o600)
            pickle.dump((_format(), entries), file, pickle.HIGHEST_PROTOCOL)
        temporary.replace(path)
    except OSError as error:
        log.info("%s: cannot be written: %s", path, error)
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def collector_off() -> Iterator[None]:
    """Without the search for cycles, which takes as long as making many objects, and finds none among them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _path(root: Path) -> Path:
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:32]
    return usual / "emergence" / f"results-{name}.index"


def _format() -> tuple[str, ...]:
    """What must be the same for an index to be read: versions, limits, and the fields of every type in it."""
    names = [f"{kind.__name__}.{field.name}" for kind in _TYPES for field in fields(kind)]
    limits = os.environ.get("EMERGENCE_LIMITS", "")
    return (__version__, sys.version, limits, hashlib.sha256(" ".join(names).encode()).hexdigest())
