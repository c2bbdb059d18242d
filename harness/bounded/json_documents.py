"""Documents in JSON: an object on each line, a list of objects, or one object whose list `data` has them.

`datasets` reads the same forms, the last one when it is told `field: data`. A file is read piece by piece, whatever its
form, because a list may be as long as a file of lines.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.bounded.files import Content, decoded, lines, unpacked
from harness.bounded.json_text import Found, parsed_json, value_at
from harness.bounded.limits import DATA_BYTES, LINE_BYTES, ROWS, UnreadableError
from harness.wording import cut, quoted

_FIELD = "data"
"""Name of the list that holds the documents of a file that is one object."""
_ONE_PER_LINE = "expected JSONL, one object per line"
_ANY_FORM = f"{_ONE_PER_LINE}, a list of objects, or an object whose list `{_FIELD}` has them"
_KINDS = {list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number"}
_PIECE = 1 << 20
_BLANK = re.compile(r"[ \t\r\n]*")


class Document(NamedTuple):
    """One document of a data file."""

    characters: int
    """Length of what stands for it in the file."""
    fields: dict[str, Any]
    """Its fields by name."""


def json_documents(path: Path) -> Iterator[Document]:
    """The documents of a file, one in memory at a time; blank lines are skipped.

    Raises:
        UnreadableError: it cannot be read, holds more than the limits allow, or something else than objects.
    """
    with unpacked(path, DATA_BYTES) as content:
        start = _start(content)
    with unpacked(path, DATA_BYTES, ROWS if start.form == "lines" else None) as content:
        if start.only is not None:
            yield from _rows_within_limit(iter(start.only))
        elif start.form == "lines":
            yield from _on_lines(content)
        elif start.form == "list":
            yield from _rows_within_limit(_list(_Scanner(content)))
        else:
            yield from _rows_within_limit(_in_object(_Scanner(content), start))


# --- an object on each line -----------------------------------------------------------------------------------------


class _Start(NamedTuple):
    """How a file begins."""

    number: int
    """Number of the first line that is not blank."""
    form: Literal["lines", "list", "object"] = "lines"
    """What the file seems to be: a value on each line, a list of them, or one object over several lines."""
    is_long: bool = False
    """Whether the line is longer than a line may be."""
    only: tuple[Document, ...] | None = None
    """The documents of an object that is the only line and has a list of them; None for any other file."""


def _start(content: Content) -> _Start:
    number, found, longest, most = 0, b"", LINE_BYTES.allowed, ROWS.allowed
    while not found and (line := content.line(longest + 2)):
        number += 1
        found = line.removeprefix(codecs.BOM_UTF8).strip()
        if number > most:
            raise ROWS.exceeded()
    if found[:1] == b"[":
        return _Start(number, "list")
    if len(found) > longest:
        return _Start(number, "object", is_long=True)
    try:
        value = parsed_json(found)
    except UnreadableError as error:
        return _Start(number, "object" if found[:1] == b"{" and str(error) == "is not JSON" else "lines")
    blank = number
    while line := content.line(longest):
        blank += 1
        if line.strip():
            return _Start(number)
        if blank > most:
            raise ROWS.exceeded()
    return _Start(number, only=_inside(value))


def _inside(value: Any) -> tuple[Document, ...] | None:
    """The documents of an object whose list `data` has them; None where it may be a document itself."""
    listed = value.get(_FIELD) if isinstance(value, dict) else None
    if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) for one in listed):
        return None
    if any(isinstance(other, dict | list) for name, other in value.items() if name != _FIELD):
        return None
    return tuple(Document(len(str(one)), one) for one in listed)


def _on_lines(content: Content) -> Iterator[Document]:
    for number, line in enumerate(lines(content, length=LINE_BYTES, rows=ROWS), start=1):
        if line.isspace():
            continue
        try:
            text = decoded(line.rstrip(b"\r\n"))
            if not text.strip():  # a byte order mark alone
                continue
            document = parsed_json(text)
        except UnreadableError as error:
            raise UnreadableError(f"line {number} {error}; {_ONE_PER_LINE}") from error
        yield _document(Found(document, text), number)


def _document(found: Found, number: int) -> Document:
    if not isinstance(found.value, dict):
        kind = _KINDS.get(type(found.value), "null")
        raise UnreadableError(f"line {number} is {kind}; expected a JSON object")
    return Document(len(found.text), found.value)


def _rows_within_limit(found: Iterator[Document]) -> Iterator[Document]:
    most = ROWS.allowed
    for number, document in enumerate(found, start=1):
        if number > most:
            raise ROWS.exceeded()
        yield document


# --- objects in a list ----------------------------------------------------------------------------------------------


def _list(scanner: _Scanner) -> Iterator[Document]:
    """The objects of the list that begins here, which is the whole file."""
    scanner.next()
    yield from _items(scanner)
    if scanner.next():
        raise UnreadableError(f"line {scanner.line}: something stands after the list; {_ANY_FORM}")


def _items(scanner: _Scanner) -> Iterator[Document]:
    scanner.skip()
    if scanner.next() == "]":
        scanner.skip()
        return
    while True:
        scanner.next()
        number = scanner.line
        yield _document(scanner.value(), number)
        sign = scanner.next()
        if sign not in (",", "]"):
            found = f"has {quoted(sign)}" if sign else "is the last"
            raise UnreadableError(f"line {scanner.line} {found}; expected a comma or ] after an object of a list")
        scanner.skip()
        if sign == "]":
            return


def _in_object(scanner: _Scanner, start: _Start) -> Iterator[Document]:
    """The objects of the list `data` of one object over several lines."""
    try:
        others = _up_to_data(scanner)
    except UnreadableError as error:
        if start.is_long:
            raise LINE_BYTES.exceeded(where=f"line {start.number}") from error
        raise UnreadableError(f"line {start.number} is not JSON; {_ANY_FORM}") from error
    if others is None:
        raise UnreadableError(f"is one object without a list `{_FIELD}`; {_ANY_FORM}")
    yield from _items(scanner)
    while scanner.next() == ",":
        scanner.skip()
        others.append(scanner.pair())
    if scanner.next() != "}":
        raise UnreadableError(f"line {scanner.line} is not JSON; expected a comma or }} after the list `{_FIELD}`")
    if lists := [name for name, value in others if isinstance(value, dict | list)]:
        raise UnreadableError(
            f"has the list `{_FIELD}` and {cut(', '.join(map(quoted, lists)))}; expected one list of documents"
        )


def _up_to_data(scanner: _Scanner) -> list[tuple[str, Any]] | None:
    """Names and values before the list `data`, where the scanner stands then; None where there is no such list."""
    others: list[tuple[str, Any]] = []
    scanner.next()
    scanner.skip()
    while scanner.next() != "}":
        name = scanner.name()
        if name == _FIELD and scanner.next() == "[":
            return others
        others.append((name, scanner.value().value))
        if scanner.next() == ",":
            scanner.skip()
    return None


class _Scanner:
    """JSON that is read as far as its values have been asked for."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self._line, self._counted = 1, 0
        self._ended = False

    @property
    def line(self) -> int:
        """Number of the line where the scanner stands."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def next(self) -> str:
        """The next sign that is no white space, where the scanner stands then; empty at the end."""
        while True:
            blank = _BLANK.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read():
                return ""

    def skip(self) -> None:
        """Pass the sign that `next` gave."""
        self._at += 1

    def value(self) -> Found:
        """The value that begins here.

        Raises:
            UnreadableError: there is none, or it is longer than a line may be.
        """
        self.next()
        while True:
            found = value_at(self._text, self._at)
            # a number may go on in the next piece
            if found is not None and (self._ended or self._at + len(found.text) < len(self._text)):
                self._at += len(found.text)
                return found
            if len(self._text) - self._at > LINE_BYTES.allowed:
                raise LINE_BYTES.exceeded(where=f"what begins on line {self.line}")
            if not self._read() and found is None:
                raise UnreadableError(f"line {self.line}: what begins there is not JSON; expected an object")

    def name(self) -> str:
        """A name of an object, with the colon behind it."""
        name = self.value().value
        if not isinstance(name, str) or self.next() != ":":
            raise UnreadableError(f"line {self.line} is not JSON")
        self.skip()
        return name

    def pair(self) -> tuple[str, Any]:
        """A name of an object, and its value."""
        return self.name(), self.value().value

    def _read(self) -> bool:
        if self._ended:
            return False
        piece = self._content.read(_PIECE)
        try:
            more = self._decoder.decode(piece, not piece)
        except UnicodeDecodeError as error:
            number = self.line + self._text.count("\n", self._at) + piece[: error.start].count(b"\n")
            raise UnreadableError(f"line {number} is not UTF-8") from error
        self._line, self._ended = self.line, not piece
        self._text, self._at, self._counted = self._text[self._at :] + more, 0, 0
        return True
