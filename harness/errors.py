"""Errors that a user can fix. All others keep their traceback."""

from collections.abc import Iterable, Sequence
from typing import Self

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
    doc_id: int | None = None
    """Position in the evaluated split of the document that is to blame; None where no single one is."""
    option: int | None = None
    """Position of the option that is to blame, among those of the document; None where no single one is."""

    def about(self, doc_id: int | None, option: int | None = None) -> Self:
        """The same error, which tells the document and the option that are to blame."""
        self.doc_id, self.option = doc_id, option
        return self


class CatalogError(HarnessError):
    """A file of a family, a suite, a task or its data is wrong."""


class DocumentError(CatalogError):
    """One document of a task cannot be asked or scored."""

    def __init__(self, message: str, *, doc_id: int | None = None) -> None:
        """`doc_id`: its position in the evaluated split."""
        super().__init__(message)
        self.doc_id = doc_id


class AtDocument:
    """Tells any error that is raised inside which document it is about; the error stays what it is.

    >>> try:
    ...     with AtDocument(17):
    ...         raise ValueError("no number")
    ... except ValueError as error:
    ...     document_of(error)
    17
    """

    def __init__(self, doc_id: int | None) -> None:
        """`doc_id`: position of the document in the evaluated split."""
        self._doc_id = doc_id

    def __enter__(self) -> None:
        """Nothing to be done."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Note the document, unless the error knows it."""
        if isinstance(error, Exception) and document_of(error) is None:
            error.doc_id = self._doc_id  # type: ignore[attr-defined]


def document_of(error: BaseException) -> int | None:
    """Position of the document that an error is about; None where no single one is to blame."""
    found = getattr(error, "doc_id", None)
    return found if isinstance(found, int) else None


class FaultsError(CatalogError):
    """Several things are wrong with files of the catalogue."""

    def __init__(self, faults: Sequence[str]) -> None:
        """`faults`: each in a line of its own."""
        super().__init__(cut("; ".join(faults), 5_000))
        self.faults = tuple(faults)

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[str, ...]]]:
        """The same error in another process."""
        return type(self), (self.faults,)


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


class Faults:
    """Collects what is wrong with a file, so that everything is named and not the first fault alone.

    >>> faults = Faults("x.yaml")
    >>> with faults:
    ...     raise CatalogError("x.yaml: one")
    >>> with faults:
    ...     raise CatalogError("x.yaml: two")
    >>> faults.lines
    ('x.yaml: one', 'x.yaml: two')
    """

    def __init__(self, name: object = "") -> None:
        """`name`: the file; empty to name every fault, for faults that a file's own limit counts already."""
        self._name = str(name)
        self._found: dict[str, None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Collect an error of a catalogue file, which may stand for several."""
        if not isinstance(error, CatalogError):
            return False
        self.add(error.faults if isinstance(error, FaultsError) else [str(error)])
        return True

    def add(self, lines: Iterable[str]) -> None:
        """Collect faults, one in each line; one that stands there already is left out."""
        self._found.update(dict.fromkeys(lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """What was found, in order."""
        return tuple(self._found)

    def check(self) -> None:
        """Check that nothing was found.

        Raises:
            CatalogError: something was; a line for each fault, of one file the first ten.
        """
        lines = self.lines
        if self._name and len(lines) > _MOST_FAULTS:
            lines = (*lines[:_MOST_FAULTS], f"{self._name}: and {len(lines) - _MOST_FAULTS} more")
        if lines:
            raise FaultsError(lines) if len(lines) > 1 else CatalogError(lines[0])


_MOST_FAULTS = 10
"""Faults of one file that are named."""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for an unknown name: `unknown engine 'tre'; known: lm-eval, simulated`."""
    return f"unknown {what} {quoted(name)}; known: {cut(', '.join(sorted(known)), 2000) or 'none'}"
