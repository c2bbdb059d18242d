"""One reader of files of others, and how it must end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from harness.errors import HarnessError
from harness.wording import visible
from tests.fuzz.changes import as_json, changed_bytes, changed_value

Make = Callable[[Random], bytes]
"""The bytes of a file, changed at random from a good one."""
LONGEST = 6_000
"""Characters of a message; a list of what is known instead may take 2,000 of them."""


class Reader(NamedTuple):
    """One reader, and what it is tried with."""

    file: str
    """Path of the file below a folder made for it."""
    make: Make
    """A changed file."""
    read: Callable[[Path], Any]
    """Asks the reader all that the program asks of such a file, given the folder; returns the messages it gave."""
    prepare: Callable[[Path], Any] = lambda folder: None
    """Writes what has to be there besides."""
    files: int = 60
    """Files that the ordinary tests try; fewer where each takes long."""
    share: float = 1.0
    """Files that `make fuzz` hands to it for each that it hands to a quick reader."""

    def takes(self, folder: Path, data: bytes) -> bool:
        """Whether it takes a file of these bytes; any error but a `HarnessError` of one line passes through."""
        (folder / self.file).write_bytes(data)
        try:
            told = self.read(folder)
        except HarnessError as error:
            check_line(str(error))
            return False
        for message in told or ():
            check_line(message)
        return not told


class UnfitError(AssertionError):
    """A message that is more than one printable line of a bounded length."""


def check_line(message: str) -> None:
    if not message or visible(message) != message or len(message) > LONGEST:
        raise UnfitError(f"no printable line: {message[:300]!r}")


def of_json(*good: Any) -> Make:
    def make(random: Random) -> bytes:
        value = random.choice(good)
        changed = changed_value(value, random) if random.randrange(10) else value
        data = as_json(changed)
        return data if random.randrange(4) else changed_bytes(data, random)

    return make
