"""Results of other programs, read into the store, and results written as other programs read them.

A reader per format turns a file into `Published` results, which say what the file says and nothing more. What a file
does not say (parameters, chance levels) comes from families and from a table of known tasks, or is asked for.
"""

from harness.exchange.importing import Import, Imported, import_files
from harness.exchange.latex import latex_table
from harness.exchange.lm_eval_writing import lm_eval_files
from harness.exchange.sizes import Sizes, told_sizes
from harness.exchange.tasks import KnownTasks, told_chances
from harness.exchange.types import Published, PublishedScore

__all__ = [
    "Import",
    "Imported",
    "KnownTasks",
    "Published",
    "PublishedScore",
    "Sizes",
    "import_files",
    "latex_table",
    "lm_eval_files",
    "told_chances",
    "told_sizes",
]
