"""Errors that a user can fix. All others keep their traceback."""

from collections.abc import Iterable

from harness.wording import cut, one_line, quoted


class HarnessError(Exception):
    """An error that the user can fix: the message says what is wrong, where, and what is expected.

    It is one line without control characters, whatever names and values of others it repeats.
    """

    def __init__(self, message: str) -> None:
        """`message`: with foreign text as it was found."""
        super().__init__(one_line(message))

    key: str | None = None
    """The key of a task's config whose template failed, where the message does not name it."""
    item: int | None = None
    """Position of the document or the text that failed, among those that were given; None where nobody counted."""


class CatalogError(HarnessError):
    """A file of a family, a suite, a task or its data is wrong."""


class DocumentError(CatalogError):
    """One document of a task cannot be asked or scored."""

    def __init__(self, message: str, *, doc_id: int | None = None) -> None:
        """`doc_id`: its position in the evaluated split."""
        super().__init__(message)
        self.doc_id = doc_id


class ComputationError(HarnessError):
    """A template or a regular expression of a task takes more time or memory than is allowed."""

    def __init__(self, message: str, *, item: int | None = None) -> None:
        super().__init__(message)
        self.item = item


class PlanError(HarnessError):
    """The run that was asked for is not possible: an unknown name, or more shots than a task has examples."""


class ModelError(HarnessError):
    """The folder of a model is not complete: it has no config, no weights or no tokenizer."""


class StoreError(HarnessError):
    """The results folder cannot be read or written."""


class TableError(HarnessError):
    """A table of results lacks a column, or has a value that is not possible."""


class MachineError(HarnessError):
    """This machine lacks what the request needs: a package, a sandbox, a browser."""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for an unknown name: `unknown engine 'tre'; known: lm-eval, simulated`."""
    return f"unknown {what} {quoted(name)}; known: {cut(', '.join(sorted(known)), 2000) or 'none'}"
