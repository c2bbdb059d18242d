"""Writing what a user asked to have in a file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError


def write_text(path: Path, text: str) -> None:
    """Write all of `text` or leave the old file alone.

    Raises:
        HarnessError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.writing-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # newline="" keeps the bytes equal on every system
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise HarnessError(f"{path}: cannot be written: {error.strerror or error}") from error
