"""Results of other programs, read into the store, and results written as other programs read them.

`formats` names the formats. A reader turns a file into `Published` results, which say what the file says and nothing
more. What a file does not say (parameters, chance levels) comes from families and from a table of known tasks, or is
asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazy_names

if TYPE_CHECKING:
    from harness.exchange.cells import Import
    from harness.exchange.formats import READERS, WRITERS
    from harness.exchange.importing import Imported, import_files
    from harness.exchange.latex import latex_table
    from harness.exchange.sizes import Sizes, told_sizes
    from harness.exchange.tasks import KnownTasks, told_chances
    from harness.exchange.types import ExportedFile, Published, PublishedScore

__all__ = [
    "READERS",
    "WRITERS",
    "ExportedFile",
    "Import",
    "Imported",
    "KnownTasks",
    "Published",
    "PublishedScore",
    "Sizes",
    "import_files",
    "latex_table",
    "told_chances",
    "told_sizes",
]

__getattr__ = lazy_names(
    __name__,
    {
        "READERS": "formats",
        "WRITERS": "formats",
        "ExportedFile": "types",
        "Import": "cells",
        "Imported": "importing",
        "KnownTasks": "tasks",
        "Published": "types",
        "PublishedScore": "types",
        "Sizes": "sizes",
        "import_files": "importing",
        "latex_table": "latex",
        "told_chances": "tasks",
        "told_sizes": "sizes",
    },
)
