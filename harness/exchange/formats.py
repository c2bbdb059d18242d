"""The formats of other programs by name, and what reads and writes each; a module is loaded when it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from harness.exchange.types import Contents, ExportedFile, ForeignFile
    from harness.records import CellResult
    from harness.store import Store

ReadFormat = Callable[["ForeignFile"], "Contents | None"]
"""Gives what a file says; None for a file of something else.

A file that is damaged, or has a value that the program does not write there, is refused by a `HarnessError` that names
file and key.
"""
WriteFormat = Callable[[Iterable["CellResult"], "Store"], Iterator["ExportedFile"]]
"""Gives the files that hold results; the documents of these are read from the store."""


class FormatReader(NamedTuple):
    """What reads the files of a program."""

    function: str
    """`module:function` of this package, the function being a `ReadFormat`."""
    names: tuple[str, ...]
    """Names of the files that are looked at in a folder, with `*` for any text; a file that the user names may be
    called anything."""
    files: str
    """Which files these are, for people."""
    holds: str
    """What shows that a file is one of them, for people."""

    def load(self) -> ReadFormat:
        """The function."""
        found: ReadFormat = _loaded(self.function)
        return found


class FormatWriter(NamedTuple):
    """What writes results as a program reads them."""

    function: str
    """`module:function` of this package, the function being a `WriteFormat`."""
    about: str
    """What is written, for people."""
    is_folder: bool = True
    """Whether there can be several files; one file can be printed too."""

    def load(self) -> WriteFormat:
        """The function."""
        found: WriteFormat = _loaded(self.function)
        return found


READERS: Mapping[str, FormatReader] = {
    "table": FormatReader(
        "tables:read_results_table",
        ("*.csv", "*.csv.gz", "*.parquet", "*.jsonl"),
        files="tables as `--table` takes them, .csv, .parquet or .jsonl",
        holds="a table",
    ),
    "lm-eval": FormatReader(
        "lm_eval_results:read_lm_eval", ("*.json",), files="results_*.json", holds="`results`, `versions` and `config`"
    ),
    "every-eval-ever": FormatReader(
        "every_eval_ever:read_every_eval_ever",
        ("*.json",),
        files="aggregate files of schema 0.2 or 0.3",
        holds="`schema_version` and `evaluation_results`",
    ),
    "helm": FormatReader(
        "helm:read_helm",
        ("stats.json",),
        files="stats.json with run_spec.json beside it",
        holds="a list of statistics, each with a name",
    ),
    "inspect": FormatReader(
        "inspect_logs:read_inspect",
        ("*.eval", "*.json"),
        files="logs, *.eval or *.json",
        holds="a log with `eval`, `status` and `results`",
    ),
    "olmes": FormatReader(
        "olmes_results:read_olmes",
        ("*metrics.json",),
        files="TASK-metrics.json of OLMES, or metrics.json of olmo-eval",
        holds="`task_name`, `metrics` and their configs, or `tasks`, `config` and `summary`",
    ),
    "hf": FormatReader(
        "hub_results:read_hub",
        ("README.md",),
        files="README.md of a model with `model-index`, or a file of `.eval_results` by its name",
        holds="`model-index`, or entries with `dataset` and `value`",
    ),
    "lighteval": FormatReader(
        "lighteval_results:read_lighteval",
        ("results_*.json",),
        files="results_*.json",
        holds="`config_general` and `results`",
    ),
    "oellm": FormatReader(
        "oellm:read_oellm",
        ("*.csv",),
        files="the CSV of `oellm collect`; jobs.csv alone has no scores, its result files are those of lm-eval",
        holds="the columns model_name, task, n_shot, performance and metric_name",
    ),
    "open-llm": FormatReader(
        "open_llm:read_open_llm",
        ("*.parquet", "*.csv", "*.json", "*.jsonl"),
        files="the table `contents` of the leaderboard, version 1 or 2",
        holds="a column of models such as fullname, and columns of benchmarks such as `IFEval Raw` or ARC",
    ),
}
"""Name of a format -> what reads it."""
WRITERS: Mapping[str, FormatWriter] = {
    "lm-eval": FormatWriter("lm_eval_writing:lm_eval_files", about="its result and sample files"),
    "every-eval-ever": FormatWriter(
        "every_eval_ever_writing:every_eval_ever_files", about="a JSON for each cell by schema 0.3, with documents"
    ),
    "inspect": FormatWriter("inspect_writing:inspect_logs", about="a JSON log for each cell"),
    "open-llm": FormatWriter(
        "open_llm_writing:open_llm_table",
        about="a CSV with the columns of the Open LLM Leaderboard, version 2",
        is_folder=False,
    ),
    "hf": FormatWriter("hub_writing:hub_files", about="`.eval_results` and `model-index` of each model"),
}
"""Name of a format -> what writes it."""


def _loaded(function: str) -> Any:
    module, _, name = function.partition(":")
    return getattr(import_module(f"harness.exchange.{module}"), name)
