"""Errors a user can fix. Everything else keeps its traceback."""

from collections.abc import Iterable

from harness.wording import cut, quoted


class HarnessError(Exception):
    """Something the user can put right: the message says what is wrong, where, and what is expected."""


class CatalogError(HarnessError):
    """A family, suite, task or data file does not say what it must."""


class PlanError(HarnessError):
    """The requested run makes no sense: a shot count that no task can give, an unknown name."""


class ModelError(HarnessError):
    """A model folder cannot be read: no config, no weights, no tokenizer."""


class StoreError(HarnessError):
    """The results folder cannot be read or written."""


class TableError(HarnessError):
    """A table of somebody's results lacks something, or says something that cannot be."""


class MachineError(HarnessError):
    """This machine lacks what the request needs: a package, a sandbox, a browser."""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """One line for an unknown name: `unknown engine 'tre'; known: lm-eval, simulated`."""
    return f"unknown {what} {quoted(name)}; known: {cut(', '.join(sorted(known)), 2000) or 'none'}"
