"""Names with braces, as a shell expands them: one line for the many checkpoints or training runs of a model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.wording import count

_MOST = 10_000
"""Names that one line may stand for."""
_BRACES = re.compile(r"(?P<before>[^{}]*)\{(?P<inside>[^{}]*)\}(?P<after>[^{}]*)")
_RANGE = re.compile(r"(?P<first>\d{1,15})\.\.(?P<last>\d{1,15})(\.\.(?P<by>\d{1,15}))?", re.ASCII)


class Braced(NamedTuple):
    """One of the names that a name with braces stands for."""

    name: str
    """The whole name."""
    inside: str
    """What stands in the place of the braces."""


def expanded(text: str) -> tuple[Braced, ...]:
    """The names that a text with one pair of braces stands for; none for a text without braces.

    Numbers of a range have as many digits as its first one where that begins with a 0.

    Raises:
        ValueError: the braces are not a list or a range, or stand for too many names; it says what is expected.

    >>> [name for name, _ in expanded("step{0,1,512}")], [name for name, _ in expanded("step{1000..3000..1000}")]
    (['step0', 'step1', 'step512'], ['step1000', 'step2000', 'step3000'])
    >>> expanded("step_{008..012..4}")[1]
    Braced(name='step_012', inside='012')
    """
    if not {"{", "}"} & set(text):
        return ()
    found = _BRACES.fullmatch(text)
    inside = () if found is None else tuple(_inside(found["inside"]))
    if found is None or not inside or not all(inside) or len(set(inside)) < len(inside):
        raise ValueError("one pair of braces with a list such as {1,2,4} or a range such as {1000..143000..1000}")
    return tuple(Braced(f"{found['before']}{one}{found['after']}", one) for one in inside)


def _inside(text: str) -> Iterator[str]:
    found = _RANGE.fullmatch(text)
    if found is None:
        yield from (part.strip() for part in text.split(","))
        return
    numbers = range(int(found["first"]), int(found["last"]) + 1, int(found["by"] or 1) or 1)
    if len(numbers) > _MOST:
        raise ValueError(f"a range of at most {count(_MOST)} names")
    width = len(found["first"]) if found["first"].startswith("0") else 0
    yield from (str(number).zfill(width) for number in numbers)
