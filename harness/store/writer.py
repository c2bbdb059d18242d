"""Writes outcomes in several threads: a disk that is forced to keep a file holds up its writer alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

from harness.records import Outcome

THREADS = 16
"""Outcomes that are written at the same time."""
MOST_WAITING = 64
"""Outcomes that are in memory to be written; more wait where they come from."""


class OutcomeWriter:
    """Hands each outcome to a thread, and back once it is stored.

    with OutcomeWriter(keep) as writer:
        for outcome in outcomes:
            for stored in writer.write(outcome, more=True):
                ...
    """

    def __init__(self, keep: Callable[[Outcome], bool | None]) -> None:
        """`keep` stores one outcome, or says False to leave it to another run; several threads call it."""
        self._keep = keep
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="writer")
        self._pending: dict[Future[bool | None], Outcome] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()  # what was begun is stored, also where the run ends early

    def write(self, outcome: Outcome, *, more: bool) -> Iterator[Outcome]:
        """Store an outcome.

        Args:
            outcome: what to store.
            more: True when others are there already. When none is, this one is stored before the call is over.

        Yields:
            Outcomes that have been stored since, in the order in which they were.

        Raises:
            StoreError: one cannot be written.
        """
        self._pending[self._pool.submit(self._keep, outcome)] = outcome
        yield from self._stored(0 if not more else MOST_WAITING - 1)

    def rest(self) -> Iterator[Outcome]:
        """Everything that is not stored yet, once it is; errors as of `write`."""
        return self._stored(0)

    def _stored(self, most: int) -> Iterator[Outcome]:
        """What is stored, until at most so many outcomes are left to be."""
        done = {future for future in self._pending if future.done()}
        while done or len(self._pending) > most:
            if not done:
                done = wait(self._pending, return_when=FIRST_COMPLETED).done
            for future in done:
                outcome = self._pending.pop(future)
                if future.result() is not False:
                    yield outcome
            done = {future for future in self._pending if future.done()}
