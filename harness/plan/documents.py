"""Documents that are chosen by their numbers, such as `17,19-25`: a trial that repeats a part of a cell."""

from __future__ import annotations

import re
from functools import lru_cache

from harness.errors import PlanError
from harness.wording import count, quoted

_PART = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_LARGEST = 2_000_000
"""No task has more documents."""
_LONGEST = 1_000
"""Characters of a choice: it is kept with each result."""


@lru_cache(maxsize=64)
def chosen_documents(text: str) -> tuple[int, ...]:
    """The numbers of documents that a text chooses, ascending, the first document being 0.

    Raises:
        PlanError: it is no list of numbers and ranges.

    >>> chosen_documents("17, 19-21,17")
    (17, 19, 20, 21)
    """
    ranges = []
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not first <= last < _LARGEST:
            raise PlanError(f"--docs {quoted(text)}: expected numbers of documents such as 17,19-25, the first being 0")
        ranges.append(range(first, last + 1))
    if sum(map(len, ranges)) > _LARGEST:
        raise PlanError(f"--docs {quoted(text)}: expected at most {count(_LARGEST)} documents")
    return tuple(sorted({number for some in ranges for number in some}))


def written_documents(text: str) -> str:
    """The same choice, always written in the same way.

    Raises:
        PlanError: it is no list of numbers and ranges, or has too many of them.

    >>> written_documents("21, 17,19-20,18 ,25")
    '17-21,25'
    """
    ranges: list[list[int]] = []
    for number in chosen_documents(text):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    written = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    if len(written) > _LONGEST:
        raise PlanError(f"--docs has {count(len(ranges))} ranges of documents; expected fewer")
    return written
