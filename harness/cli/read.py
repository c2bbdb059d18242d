"""Reading the results folder for verbs that present it."""

from __future__ import annotations

from pathlib import Path

from harness.cli.output import say
from harness.errors import StoreError
from harness.records import CellFailure, CellResult
from harness.store import Problem, Store


def read_store(root: Path) -> tuple[tuple[CellResult, ...], tuple[CellFailure, ...], tuple[Problem, ...]]:
    """Results, failures and skipped files below `root`; the last are also reported on stderr.

    Raises:
        StoreError: nothing is there to present.
    """
    done, failures, problems = Store(root).outcomes()
    for problem in problems:
        say(f"skipped {problem}")
    if not done and not failures:
        raise StoreError(f"{root}: no results; expected a folder that `emergence run` wrote to")
    return done, failures, problems
