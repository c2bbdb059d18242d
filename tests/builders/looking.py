"""What a program looks at on the disk, counted."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_counts: list[Counter[Path]] = []


@contextmanager
def looked_at() -> Iterator[Counter[Path]]:
    """How often each file is opened and each folder listed in this process meanwhile, by whatever means."""
    if not _hooked:
        sys.addaudithook(_hear)  # there is no way to take it away again
        _hooked.append(True)
    counts: Counter[Path] = Counter()
    _counts.append(counts)
    try:
        yield counts
    finally:
        _counts.remove(counts)


_hooked: list[bool] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _counts and event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str | os.PathLike):
        path = Path(os.path.abspath(os.fspath(arguments[0])))
        for counts in _counts:
            counts[path] += 1
