"""Whether a process goes on with its work: its pulse changes, or at least it computes."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.engines.pulse import Pulse

STUCK_SECONDS = 60.0
"""Time without a document and without computing after which a process that has answered documents is taken for hung."""
IDLE_SECONDS = 600.0
"""The same for one that has answered none: it may wait for a download, or for a file system."""
_SAMPLE_SECONDS = 5.0
"""Time between two looks at what the process has computed."""
_BUSY = 0.02
"""Part of a core from which on a process computes; signs of life take less."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Still:
    """What is said of a worker that is still at what it was asked."""

    documents: int = 0
    """Number of documents that it has answered of this cell."""
    of: int | None = None
    """Number of documents of the cell; None when it is not known, and while a model is loaded."""
    quiet_seconds: float = 0.0
    """Time since it last answered a document or ran the model."""
    idle_seconds: float = 0.0
    """Time since it last did so or computed anything."""
    longest_seconds: float | None = None
    """Longest time between two such steps of this cell so far; None before the first."""
    waits_for: str = ""
    """What a model waits for before it is loaded; empty when it waits for nothing."""
    doing: str = ""
    """What it does before it answers documents, such as `training, step 20 of 200`; empty while it answers."""

    @property
    def is_stuck(self) -> bool:
        """True when it will hardly go on."""
        return self.idle_seconds > (STUCK_SECONDS if self.documents else IDLE_SECONDS)


class Vigil:
    """Watches one process while it does one thing."""

    def __init__(self, computed: Callable[[], float | None], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to watch.

        Args:
            computed: tells the time that the process has computed so far; None where nobody knows.
            clock: tells seconds that only grow.
        """
        self._computed, self._clock = computed, clock
        self._pulse: Pulse | None = None
        self._longest: float | None = None
        self._moved = self._active = self._sampled = clock()
        self._cpu: float | None = None  # looked at later: most cells are answered before

    def look(self, pulse: Pulse | None) -> Still:
        """How it goes on, with its pulse as of the last sign of life; None before the first."""
        now = self._clock()
        if pulse is not None and pulse != self._pulse:
            if self._pulse is not None:
                self._longest = max(self._longest or 0.0, now - self._moved)
            self._pulse, self._moved, self._active = pulse, now, now
        if now - self._sampled >= _SAMPLE_SECONDS:
            before, self._cpu = self._cpu, self._computed()
            if before is None or self._cpu is None or self._cpu - before > _BUSY * (now - self._sampled):
                self._active = now
            self._sampled = now
        at = self._pulse or Pulse()
        return Still(
            documents=at.documents,
            of=at.of,
            quiet_seconds=now - self._moved,
            idle_seconds=now - self._active,
            longest_seconds=self._longest,
            doing=at.doing,
        )


def family_cpu_seconds(pid: int) -> float | None:
    """Time that a process and all that it started have computed; None on machines without /proc."""
    own: dict[int, float] = {}
    children: defaultdict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = stat.read_text().rpartition(")")[2].split()
            number = int(stat.parent.name)
            own[number] = sum(map(int, fields[11:15]))  # with those of its children that have ended
            children[int(fields[1])].append(number)
    if pid not in own:
        return None
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        total += own.get(one, 0.0)
        waiting += children[one]
    return total / os.sysconf("SC_CLK_TCK")
