"""Limits on the size of files from other people, all defined here, and the one setting that raises them all."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from harness.errors import MachineError
from harness.wording import count, quoted

SETTING = "EMERGENCE_LIMITS"
"""Variable of the environment with a factor for every limit; 1 where it is not set."""


HINT = f" ({SETTING}=10 in the environment allows ten times as much)"
"""End of every message about a limit."""


class UnreadableError(ValueError):
    """One line on what is wrong with a file, without the file's name, which the caller that catches the error adds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """The largest permitted amount of something in a file."""

    most: int
    """The limit when `SETTING` is not set."""
    unit: str
    """The unit that is counted, in the plural."""
    of: str
    """The kind of file or value that the limit applies to, as the documentation names it."""
    ceiling: int | None = None
    """The largest value that `SETTING` can raise the limit to; None without such a bound."""

    @property
    def allowed(self) -> int:
        """The limit under the current value of `SETTING`."""
        allowed = math.floor(self.most * factor())
        return allowed if self.ceiling is None else min(allowed, self.ceiling)

    def check(self, found: int) -> None:
        """Check an amount against the limit.

        Raises:
            UnreadableError: the amount exceeds the limit.
        """
        if found > self.allowed:
            raise self.exceeded(found)

    def exceeded(self, found: int | None = None, where: str = "") -> UnreadableError:
        """The error for a file that exceeds the limit.

        Args:
            found: how many there are; None where nobody counted to the end.
            where: which part of the file, such as `line 3`.
        """
        has = f"more than {count(self.allowed)}" if found is None else count(found)
        place = f"{where} " if where else ""
        return UnreadableError(f"{place}has {has} {self.unit}; expected at most {count(self.allowed)}{HINT}")


YAML_BYTES = Limit(most=10_000_000, unit="bytes", of="a file of families, suites or tasks")
YAML_VALUES = Limit(most=200_000, unit="values", of="such a file, each alias counted as what it stands for")
DEPTH = Limit(most=100, unit="levels of lists and mappings", of="YAML and JSON", ceiling=250)
"""Beyond the ceiling Python's own bound is near, and that of the parsers in C."""
FOLDERS = Limit(most=32, unit="folders inside each other", of="a folder of tasks or results")
DATA_BYTES = Limit(most=2_000_000_000, unit="bytes", of="a data file of a task")
LINE_BYTES = Limit(most=16_000_000, unit="bytes", of="a line of a data file or a table")
ROWS = Limit(most=2_000_000, unit="rows", of="documents of a data file or of a cell, rows of a table")
FIELDS = Limit(most=10_000, unit="different fields", of="the documents of a data file")
TABLE_COLUMNS = Limit(most=1_000, unit="columns", of="a table")
TABLE_CELLS = Limit(most=100_000_000, unit="cells", of="a table: rows times columns")
TABLE_BYTES = Limit(most=500_000_000, unit="bytes", of="a table, or the answers of a cell, when they are unpacked")
PARQUET_PAGES = Limit(most=100_000, unit="pages", of="a column of a Parquet file, in one row group")
FOOTER_BYTES = Limit(most=10_000_000, unit="bytes in its footer", of="a Parquet file")
TEMPLATE = Limit(most=100_000, unit="characters", of="a template of a task")
PATTERN = Limit(most=10_000, unit="characters", of="a regular expression of a task")
RENDER_TIME = Limit(
    most=1_000, unit="milliseconds", of="a template for one document or chat, a regular expression on one text"
)
"""Time on the processor, so that a busy machine hardly changes anything."""
RENDER_MEMORY = Limit(most=500_000_000, unit="bytes of memory", of="the process that renders templates of tasks")
RENDERED = Limit(most=10_000_000, unit="characters", of="the text that a template gives for a document")
PROMPTS = Limit(most=200_000_000, unit="characters", of="all prompts of a cell")
REPEATS = Limit(most=10_000, unit="repeats", of="`repeats` of a task: texts for each document")
VARIANTS = Limit(most=100, unit="prompts", of="`prompts` of a task")
FILTER_STEPS = Limit(most=100, unit="filters", of="`filter_list` of a task, in all its entries")
DELIMITER = Limit(most=1_000, unit="characters", of="`target_delimiter` and `fewshot_delimiter` of a task")
STOPS = Limit(most=1_000, unit="texts", of="`until` of a task: each is looked for after every token")
NUMBER = Limit(most=1_000_000, unit="tokens", of="any whole number in `generation_kwargs` of a task")
BEAMS = Limit(most=1_000, unit="beams", of="`num_beams` of a task")
HEADER_BYTES = Limit(most=4_000_000, unit="bytes", of="`cell.json` and `failure.json` of a cell")
RECORD_BYTES = Limit(most=16_000_000, unit="bytes", of="the record of a run")
JUDGED_BYTES = Limit(most=200_000_000, unit="bytes", of="a file of verdicts that were kept")
RESULT_FILE_BYTES = Limit(most=100_000_000, unit="bytes", of="a result file of another program")
RESULT_VALUES = Limit(
    most=6_000_000, unit="values", of="such a file, or the documents of a log: lists, mappings, and what commas part"
)
ARCHIVE_BYTES = Limit(most=500_000_000, unit="bytes", of="a zip file of several files, when it is unpacked")
ARCHIVE_FILE_BYTES = Limit(most=100_000_000, unit="bytes", of="each file in it, when it is unpacked")
ARCHIVE_DIRECTORY = Limit(most=10_000_000, unit="bytes in its list of files", of="such a file")
CONFIG_BYTES = Limit(most=10_000_000, unit="bytes", of="`config.json` of a model, a Python file of a task")
TENSOR_BYTES = Limit(most=25_000_000, unit="bytes in its header", of="a safetensors file of a model")
REFERENCE_BYTES = Limit(most=200, unit="bytes", of="the name of a commit in the hub's cache")
MODEL_TEXT_BYTES = Limit(most=200_000_000, unit="bytes", of="a tokenizer's file, or another text, of a model")
TOKENIZER_BYTES = Limit(most=80_000_000, unit="bytes", of="a JSON file of a model's tokenizer")
TOKENIZER_VALUES = Limit(most=3_000_000, unit="values", of="such a file: tokens, merges of tokens, their numbers")
ADDED_TOKENS = Limit(most=100_000, unit="added tokens", of="such a file")
TOKENIZER_TIME = Limit(most=8_000, unit="milliseconds", of="loading a tokenizer with parts of an unknown cost")
TOKENIZER_MEMORY = Limit(most=800_000_000, unit="bytes of memory", of="such a tokenizer, and each text that it encodes")
MODEL_LAYERS = Limit(most=10_000, unit="layers", of="`config.json` of a model")
EXPERTS = Limit(most=200_000, unit="experts in all layers", of="`config.json` of a model")
WIDTH = Limit(most=100_000_000, unit="units", of="a size in `config.json` of a model, such as its vocabulary")

LIMITS = tuple(limit for limit in [*globals().values()] if isinstance(limit, Limit))
"""Every limit, in the order of the documentation."""


def factor() -> float:
    """The factor by which every limit is multiplied.

    Raises:
        MachineError: the environment says something else than a positive number.
    """
    given = os.environ.get(SETTING)
    if not given:
        return 1.0
    try:
        read = float(given)
    except ValueError:
        read = math.nan
    if not 0 < read < 1e6:
        raise MachineError(f"{SETTING} is {quoted(given)}; expected a factor for every limit, such as 10")
    return read
