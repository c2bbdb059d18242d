"""Output for people: lines, paragraphs, tables. Data go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_NUMBER = re.compile(r"[-+<]?[\d,.]+(e-?\d+)?[kMBT%]?")
"""A number as `harness.wording` writes it."""


def print_json(data: Any) -> None:
    """`data` as JSON on stdout; floats keep their digits, absence is null."""
    json.dump(data, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    print()


def say(text: str, stream: TextIO | None = None) -> None:
    """A line for the person at the terminal, on stderr. When nobody reads it any more, the work goes on."""
    stream = sys.stderr if stream is None else stream
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        mute(stream)


def mute(stream: TextIO) -> None:
    """Send what is still to come on `stream` to nowhere, because it cannot be written."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A plain table; columns whose cells are all numbers are right-aligned, None is empty."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(head, *cells, strict=True)]
    right = [all(_is_number(row[i]) for row in cells) and bool(cells) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        parts = [text.rjust(w) if r else text.ljust(w) for text, w, r in zip(row, widths, right, strict=True)]
        return "  ".join(parts).rstrip()

    return "\n".join([line(list(head)), line(["-" * width for width in widths]), *(line(row) for row in cells)])


def telling(
    head: Sequence[str], rows: Sequence[Sequence[object]], optional: Sequence[str]
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Head and rows without those optional columns that are the same in every row.

    >>> telling(("family", "task"), [("toy", "a"), ("toy", "b")], ("family",))
    (('task',), [('a',), ('b',)])
    """
    kept = [i for i, name in enumerate(head) if name not in optional or len({row[i] for row in rows}) > 1]
    return tuple(head[i] for i in kept), [tuple(row[i] for i in kept) for row in rows]


def _is_number(text: str) -> bool:
    return not text or _NUMBER.fullmatch(text) is not None
