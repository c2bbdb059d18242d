"""Every reader of files of others; a module for each kind of file."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz import exchanged, models, published, results, specs, tables
from tests.fuzz.reader import Reader

READERS: Mapping[str, Reader] = {
    **specs.READERS,
    **tables.READERS,
    **results.READERS,
    **models.READERS,
    **published.READERS,
    **exchanged.READERS,
}
"""Name in the table -> reader."""
