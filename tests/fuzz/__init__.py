"""Files that nobody would write, handed to every reader of files of others.

A reader ends with a value or with one sentence, within seconds and a gigabyte, whatever the file holds. `test_readers`
tries a few hundred files of each kind in the ordinary tests. `make fuzz` tries a million, led by what the code that
reads them has not done yet (atheris), and ends with a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.reader import Reader


def load_readers() -> Mapping[str, Reader]:
    """Every reader by its name in the table; imported when it is asked, so that atheris can watch the import."""
    from tests.fuzz.readers import READERS

    return READERS
