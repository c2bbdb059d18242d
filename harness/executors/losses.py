"""Which tries are repeated: a machine that is lost is nobody's fault, an error of a cell is. Pure.

What was lost with its machine (the node, the network, memory that others took, preemption) is tried again elsewhere,
three times, after longer and longer waits. What a cell does to its own process (a crash in C, an exit) fails the cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from harness.executors.process import ProcessEnd

WAITS = (1.0, 5.0, 20.0)
"""Seconds before a second, a third and a fourth try."""
OPENING_TRIES = 2
"""Processes that may die while they load one model, by a fault of their own, before the model is given up."""
OPENING_FAILURES = 2
"""Workers that a node may lose while they start, before it is put aside."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """One try that ended without an answer."""

    kind: Literal["machine", "cell"]
    """Whose fault it was."""
    node: str
    """Name of the machine, empty when it is not known."""
    words: str
    """What happened, in half a sentence."""
    pid: int | None = None
    """Number of the process; None when it never started, or nothing is known of it."""
    signal: str | None = None
    """Signal that ended it; None for none."""
    lines: tuple[str, ...] = ()
    """The last lines that it printed; empty when they went with the machine."""
    begun: bool = True
    """False when the machine was gone before the worker began: then nothing was tried."""

    @classmethod
    def by(cls, ending: ProcessEnd) -> Loss:
        """The loss that the end of a model's process is."""
        return cls(
            kind="machine" if ending.from_outside else "cell",
            node=ending.node,
            words=ending.in_words(),
            pid=ending.pid,
            signal=ending.signal,
            lines=ending.lines,
        )


class Losses:
    """Counts losses, and decides what is tried again and which nodes are used."""

    def __init__(self, waits: tuple[float, ...] = WAITS) -> None:
        self._waits = waits
        self._of: dict[Hashable, list[Loss]] = {}
        self._crashes: Counter[Hashable] = Counter()
        self._openings: Counter[str] = Counter()

    def wait_after(self, what: Hashable, loss: Loss, *, opening: bool = False) -> float | None:
        """Seconds until another try, or None when it has failed for good.

        Args:
            what: what was tried: a cell, or the loading of a model.
            loss: how the try ended.
            opening: True when the model was being loaded.
        """
        if loss.kind == "cell":
            self._crashes[what] += 1
            return 0.0 if opening and self._crashes[what] < OPENING_TRIES else None
        if not loss.begun:
            return self._waits[0]
        before = self._of.setdefault(what, [])
        if len(before) >= len(self._waits):
            return None
        before.append(loss)
        return self._waits[len(before) - 1]

    def before(self, what: Hashable) -> tuple[str, ...]:
        """What became of earlier tries, in half a sentence each."""
        return tuple(loss.words for loss in self._of.get(what, ()))

    def put_aside(self, node: str) -> bool:
        """Note that a worker could not start on a node; True when it is no longer to be used, the first time only."""
        self._openings[node] += 1
        return self._openings[node] == OPENING_FAILURES

    def put_aside_at_once(self, node: str) -> None:
        """Use a node no longer, since it lacks something."""
        self._openings[node] = OPENING_FAILURES

    def nodes_aside(self) -> frozenset[str]:
        """Nodes that are no longer used."""
        return frozenset(node for node, times in self._openings.items() if times >= OPENING_FAILURES)

    def started(self, node: str) -> None:
        """Note that a worker has started on a node: what went wrong there before is over."""
        if self._openings[node] < OPENING_FAILURES:
            del self._openings[node]
