"""What somebody hostile may hand to the harness, tried: `make security` ends with a table of what was held.

A *case* is one thing tried in one place: a hostile program in one kind of sandbox, a task file, a name. Cases come from
providers, each a function that yields them; to add one, write it and name it in `PROVIDERS`. The table has a row for
each class that the cases name, whoever provides them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import NamedTuple


class NotHereError(Exception):
    """This machine cannot try the case, and why: it is neither contained nor escaped."""


class Case(NamedTuple):
    """One thing tried in one place."""

    kind: str
    """The class it counts for, a row of the table."""
    name: str
    """What is tried."""
    where: str
    """In which set-up; empty where there is only one."""
    attempt: Callable[[], str | None]
    """Tries it: None when it was contained, else what happened that must not. May raise `NotHereError`."""


Provider = Callable[[], Iterator[Case]]

PROVIDERS: dict[str, str] = {
    "programs": "tests.security.programs:cases",
    "computations": "tests.security.computations:cases",
    "task files": "tests.security.task_files:cases",
    "files": "tests.security.files:cases",
    "cells": "tests.security.cells:cases",
    "names": "tests.security.names:cases",
    "models": "tests.security.models:cases",
}
"""Name -> `module:function` of a `Provider`; imported when it is asked."""


def provider(name: str) -> Provider:
    """The function behind a name of `PROVIDERS`."""
    module, function = PROVIDERS[name].split(":")
    found: Provider = getattr(importlib.import_module(module), function)
    return found
