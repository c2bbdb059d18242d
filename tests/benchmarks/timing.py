"""Two programs timed in turns, so that a busy moment of the machine meets both."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

PRODUCTS = 16
"""Matrix products in a row that tell a machine's rate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """Something that is timed."""

    make: Callable[[], Any]
    """A fresh object, so that nothing is remembered from the round before; not timed."""
    ask: Callable[[Any], Any]
    """What is timed: gets that object, returns its answers."""
    documents: int
    """Documents answered in one round."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """What one contender took."""

    seconds: tuple[float, ...]
    """CPU seconds of each round, all threads together."""
    documents: int
    """Documents of each round."""
    asked: Any
    """The object of the last round."""
    answers: Any
    """Answers of the last round."""

    @property
    def per_document(self) -> Spread:
        """Milliseconds per document."""
        return spread([1000.0 * seconds / self.documents for seconds in self.seconds])


class Spread(NamedTuple):
    """A number measured several times."""

    median: float
    """The middle one."""
    low: float
    """The smallest."""
    high: float
    """The largest."""

    def __str__(self) -> str:
        if self.low == self.high:
            return digits(self.median)
        return f"{digits(self.median)} ({digits(self.low)}-{digits(self.high)})"


def spread(values: Sequence[float]) -> Spread:
    """Median, smallest and largest of `values`.

    >>> str(spread([30.0, 1.25, 2048.4]))
    '30.0 (1.25-2048)'
    """
    return Spread(statistics.median(values), min(values), max(values))


def digits(number: float) -> str:
    """`number` in three digits, or as many as it has before the point.

    >>> digits(0.5), digits(14.04), digits(2048.4)
    ('0.500', '14.0', '2048')
    """
    return f"{number:.0f}" if number >= 100 else f"{number:#.3g}"


def in_turns(contenders: Mapping[str, Contender], rounds: int) -> dict[str, Timing]:
    """Times every contender once per round, one after the other.

    CPU time and not the clock on the wall: with one thread each they are the same on an idle machine, and on a busy one
    only CPU time says what a program needed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    last: dict[str, tuple[Any, Any]] = {}
    for _ in range(rounds):
        for name, contender in contenders.items():
            last.pop(name, None)  # its memory, before the next object takes its own
            made = contender.make()
            start = time.process_time()
            answers = contender.ask(made)
            seconds[name].append(time.process_time() - start)
            last[name] = (made, answers)
    return {
        name: Timing(
            seconds=tuple(seconds[name]),
            documents=contender.documents,
            asked=last[name][0],
            answers=last[name][1],
        )
        for name, contender in contenders.items()
    }


def multiplication_rate(dtype: torch.dtype) -> float:
    """FLOP per second that this machine keeps up in a product that fits it well, 2048 x 1024 by 1024 x 1024.

    The mean over products in a row and not the best of them, as what it is compared with cannot choose either.
    """
    a, b = torch.randn(2048, 1024).to(dtype), torch.randn(1024, 1024).to(dtype)
    a @ b  # the kernel is chosen at the first product
    start = time.process_time()
    for _ in range(PRODUCTS):
        a @ b
    return PRODUCTS * 2.0 * 2048 * 1024 * 1024 / (time.process_time() - start)


def load() -> str:
    """How busy the machine is: processes that ran or wanted to, over the last minute."""
    return f"{os.getloadavg()[0]:.1f}"
