"""Output for people: lines, paragraphs, tables. Data go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import zip_longest
from typing import Any, TextIO

from harness.wording import one_line, visible, visible_json

_NUMBER = re.compile(r"[-+<]?[\d,.]+(e-?\d+)?[kMBT%]?")
"""A number as `harness.wording` writes it."""


_WIDTH = 118
"""Characters in a line of a paragraph."""
_NARROWEST = 16
"""Characters that a folded column has at least."""


def print_json(data: Any) -> None:
    """Print JSON on stdout; floats keep all their digits, and None is null."""
    text = visible_json(data, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a small locale; what the stream would write instead of a letter is no JSON
        text = json.dumps(data, indent=2, allow_nan=False)
    print(text)


def print_line(text: str = "") -> None:
    """Print a line on stdout; control characters in names are shown and not obeyed."""
    print(one_line(text))


def print_paragraph(text: str) -> None:
    """Print a long line on stdout, broken between words and indented from its second line on."""
    print(textwrap.fill(one_line(text), width=_WIDTH, subsequent_indent="    "))


def print_file(text: str) -> None:
    """Print the content of a file on stdout: byte for byte, except that a terminal gets no control characters."""
    whole = text if text.endswith("\n") else f"{text}\n"
    if sys.stdout.isatty():
        whole = "".join(f"{visible(line)}\n" for line in whole.split("\n")[:-1])
    sys.stdout.write(whole)


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line on stderr for the person at the terminal. The work goes on when stderr has been closed."""
    stream = sys.stderr if stream is None else stream
    try:
        print(one_line(text), file=stream, flush=True)
    except BrokenPipeError:
        mute(stream)


def timely(*, at_once: bool, every_seconds: float = 2.0) -> Callable[[str], None]:
    """A function that says on stderr what is being done, when there is somebody waiting for it.

    Args:
        at_once: say the first thing too, because the work will take long.
        every_seconds: least time between two lines.
    """
    said_at = time.monotonic() - (every_seconds if at_once else 0.0)

    def tell(text: str) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= every_seconds:
            said_at = time.monotonic()
            say(text)

    return tell


def mute(stream: TextIO) -> None:
    """Discard everything that is still to be written to a stream that cannot be written any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, fold: Collection[str] = ()) -> str:
    """A plain table; columns whose cells are all numbers are right-aligned, None is empty.

    Args:
        head: names of the columns.
        rows: one cell per column.
        fold: columns of sentences and lists, whose cells take several lines where the terminal is too narrow.
    """
    head = [visible(name) for name in head]
    cells = [["" if value is None else visible(str(value)) for value in row] for row in rows]
    if fold:
        cells = _folded(head, cells, [i for i, name in enumerate(head) if name in fold])
    widths = [max(len(text) for text in column) for column in zip(head, *cells, strict=True)]
    right = [all(_is_number(row[i]) for row in cells) and bool(cells) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        parts = [text.rjust(w) if r else text.ljust(w) for text, w, r in zip(row, widths, right, strict=True)]
        return "  ".join(parts).rstrip()

    return "\n".join([line(head), line(["-" * width for width in widths]), *(line(row) for row in cells)])


def _folded(head: Sequence[str], cells: Sequence[Sequence[str]], columns: Sequence[int]) -> list[list[str]]:
    """The cells with each row on as many lines as it needs; the columns to fold share what the others leave."""
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    fixed = sum(width + 2 for i, width in enumerate(widths) if i not in columns)
    room = shutil.get_terminal_size((_WIDTH, 24)).columns - fixed
    needs = sorted((widths[i], i) for i in columns)
    limits = {}
    for place, (need, i) in enumerate(needs):  # the narrowest first: what it leaves is for the others
        limits[i] = max(_NARROWEST, min(need, room // (len(needs) - place) - 2))
        room -= limits[i] + 2
    folded: list[list[str]] = []
    for row in cells:
        parts = [textwrap.wrap(text, limits[i]) if i in limits else [text] for i, text in enumerate(row)]
        folded += [list(line) for line in zip_longest(*parts, fillvalue="")]
    return folded


def telling(
    head: Sequence[str], rows: Sequence[Sequence[object]], optional: Sequence[str]
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Head and rows without the optional columns whose value is the same in every row.

    >>> telling(("family", "task"), [("toy", "a"), ("toy", "b")], ("family",))
    (('task',), [('a',), ('b',)])
    """
    kept = [i for i, name in enumerate(head) if name not in optional or len({row[i] for row in rows}) > 1]
    return tuple(head[i] for i in kept), [tuple(row[i] for i in kept) for row in rows]


def _is_number(text: str) -> bool:
    return not text or _NUMBER.fullmatch(text) is not None
