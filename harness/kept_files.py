"""Conclusions on a results folder, drawn once and kept: `results/.judged/<stamp>.json`.

The stamp is a digest of all that a conclusion depends on. Whatever changes has another stamp, so that nothing kept is
ever out of date, and nothing has to be invalidated. Where the results folder cannot be written, the file lies in the
user's cache. Files can be deleted at any time, and the oldest are.

A file has two lines of JSON: its stamp with a digest of the second line, and what was concluded. One that is damaged,
or was not written for these results, is passed over and made anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import harness.analysis
from harness.bounded.files import read_bytes
from harness.bounded.json_text import parsed_json
from harness.bounded.limits import JUDGED_BYTES, UnreadableError
from harness.store import JUDGED, Store, keep_file
from harness.version import __version__

log = logging.getLogger(__name__)

FORMAT = 1
"""Number of the files' format; part of the stamp, so that no reader meets another one."""
MOST_KEPT = 24
"""Files that are kept in one place: those of six axes, under a few options."""
_Found = TypeVar("_Found")


def stamp_of(*depends: Any) -> str:
    """The stamp of what was concluded from some data, by the code that is installed.

    Args:
        depends: texts, numbers and tuples of these; two that differ have other stamps.
    """
    return hashlib.sha256(json.dumps((FORMAT, code_digest(), *depends)).encode()).hexdigest()[:32]


def stamp_on_documents(stamp: str, store: Store) -> str:
    """The stamp of what was concluded from the same and from the scores of single documents.

    It begins with the stamp of the rest, which is found in far less time than thousands of files are looked at.
    """
    return f"{stamp}-{store.documents_stamp()[:32]}"


@cache
def code_digest() -> str:
    """A digest of the code that concludes, which an editor may change without a new version, and what it stands on."""
    digest = hashlib.sha256(f"{__version__} {version('numpy')} {version('scipy')}".encode())
    package = Path(harness.analysis.__path__[0])
    others = [package.with_name("wording.py"), *package.with_name("leaderboard").rglob("*.py")]
    for path in sorted([*package.rglob("*.py"), *others]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def found(store: Store, stamp: str, read: Callable[[Any], _Found]) -> _Found | None:
    """What was kept under a stamp; None where nothing was, or nothing that can be used.

    Args:
        store: the results folder.
        stamp: the stamp.
        read: makes the conclusion of the data; raises `UnreadableError` where they are no such thing.
    """
    for folder in _places(store):
        path = folder / f"{stamp}.json"
        try:
            _check_owner(path, folder.parent)
            return read(_body(path, stamp))
        except UnreadableError as error:
            log.info("%s: is not used: %s", path, error)
    return None


def any_begins(store: Store, start: str) -> bool:
    """Whether anything was kept under a stamp that begins so."""
    return any(True for folder in _places(store) for _ in folder.glob(f"{start}*.json"))


def on_documents(store: Store) -> frozenset[str]:
    """Names of the files with what was concluded from the scores of single documents."""
    return frozenset(path.name for folder in _places(store) for path in folder.glob("*-*.json"))


def keep_conclusion(store: Store, stamp: str, concluded: Any) -> None:
    """Keep a conclusion under a stamp, where that is possible.

    Args:
        store: the results folder.
        stamp: the stamp.
        concluded: dataclasses, tuples, lists, texts and numbers.
    """
    body = json.dumps(_plain(concluded), ensure_ascii=False, allow_nan=False).encode()
    content = json.dumps(head(stamp, body)).encode() + b"\n" + body
    for folder in _places(store):
        try:
            path = folder / f"{stamp}.json"
            keep_file(path, content, most=MOST_KEPT)
            path.chmod(0o644)  # where new files may be written by a group
        except OSError as error:
            log.info("%s: cannot be written: %s", folder, error)
        else:
            return


def head(stamp: str, body: bytes) -> dict[str, Any]:
    """The first line of a file."""
    return {"format": FORMAT, "stamp": stamp, "sha256": hashlib.sha256(body).hexdigest()}


def _places(store: Store) -> Iterator[Path]:
    """Where conclusions may be kept: beside the results, and in the cache of the user."""
    if not store.is_remote:
        yield store.root / JUDGED
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    yield usual / "emergence" / "judged"


def _check_owner(path: Path, results: Path) -> None:
    """See that nobody can have written a file who could not have written the results: a digest stops no forger.

    Raises:
        UnreadableError: there is none, it belongs neither to this user nor to the owner of the results, or others may
            write it.
    """
    try:
        status, of_results = path.lstat(), results.stat()
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    if status.st_uid not in (os.getuid(), of_results.st_uid):
        raise UnreadableError("belongs to somebody else than the results")
    if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UnreadableError("may be written by others")


def _body(path: Path, stamp: str) -> Any:
    """The second line of a file.

    Raises:
        UnreadableError: there is none, or it is damaged.
    """
    first, _, body = read_bytes(path, JUDGED_BYTES).partition(b"\n")
    if parsed_json(first) != head(stamp, body):
        raise UnreadableError("is damaged, or stands under a wrong name")
    return parsed_json(body, finite=True)


def _plain(value: Any) -> Any:
    """The value as JSON has it, which knows no infinity and no tuples."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return str(value) if math.isinf(value) else value
    if isinstance(value, (tuple, list)):
        return [*map(_plain, value)]
    kind: Any = type(value)
    names = _field_names(kind)
    return value if names is None else {name: _plain(getattr(value, name)) for name in names}


@cache
def _field_names(kind: Any) -> tuple[str, ...] | None:
    """The fields of a kind of dataclass; None of any other kind."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None
