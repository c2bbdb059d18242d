"""All trackers of one run: what they are told of it, and what becomes of the run when they fail, which is nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from harness.plan import Cell
from harness.records import CellResult, Outcome
from harness.runs import Progress
from harness.tracking.asked import AskedTracker
from harness.tracking.follower import PATIENCE_SECONDS, Follower
from harness.tracking.messages import EndOfTracking, Message, ProgressOfTracking, StartOfTracking, TrackedEnding
from harness.tracking.series import Series
from harness.wording import duration

_STOPPED_SECONDS = 10.0
"""Longest time that trackers may take at the end of a run that was interrupted or stopped by an error."""
_SILENT_SECONDS = 2.0
"""Time that each tracker may take at the end before people are told who is waited for."""
_PROGRESS_SECONDS = 5.0
"""Least time between two notes of how far a run is."""


class Followers:
    """The trackers of one run, from its beginning to its end.

    with Followers(asked, start=start, cells=plan.cells) as followers:
        for outcome in outcomes:
            followers.update(outcome, progress)
    """

    def __init__(
        self,
        asked: Sequence[AskedTracker],
        *,
        start: StartOfTracking,
        cells: Iterable[Cell],
        done: Iterable[CellResult] = (),
        say: Callable[[str], None],
        given_up: Callable[[AskedTracker, str], None],
        patience: float = PATIENCE_SECONDS,
        finishing: float | None = PATIENCE_SECONDS,
    ) -> None:
        """Start nothing yet.

        Args:
            asked: the trackers; none is fine.
            start: what they are told first.
            cells: all cells of the run, by which curves are named.
            done: results that are there already and belong to the same curves.
            say: called with where people can look.
            given_up: called once with each tracker that is given up on, and why.
            patience: seconds that a tracker may take to answer.
            finishing: seconds that all of them may take together when the run is over; None waits as long as they
                answer.
        """
        self._asked, self._start, self._done = tuple(asked), start, done
        self._series = Series(cells) if asked else None
        self._say, self._given_up = say, given_up
        self._patience, self._finishing = patience, finishing
        self._followers: list[Follower] = []
        self._noted_at = float("-inf")
        self._progress: Progress | None = None

    @property
    def followers(self) -> tuple[Follower, ...]:
        """Those whose process was started."""
        return tuple(self._followers)

    def __enter__(self) -> Self:
        for one in self._asked:
            try:
                self._followers.append(Follower(one, say=self._say, given_up=self._given_up, patience=self._patience))
            except (OSError, RuntimeError) as error:  # no process, or no thread, can be started
                self._given_up(one, str(error))
        self._tell([self._start])
        for result in self._done if self._followers else ():
            self._tell(self._scores(result))
        return self

    def update(self, outcome: Outcome, progress: Progress) -> None:
        """Tell them an outcome, and how far the run is with it; returns at once."""
        if not self._followers:
            return
        messages: list[Message] = [*self._scores(outcome)] if isinstance(outcome, CellResult) else []
        if time.monotonic() - self._noted_at >= _PROGRESS_SECONDS:
            self._noted_at = time.monotonic()
            messages.append(_note(progress))
        self._progress = progress
        self._tell(messages)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ending: TrackedEnding = "finished" if error is None else "stopped"
        if isinstance(error, KeyboardInterrupt):
            ending = "interrupted"
        last = [] if self._progress is None else [_note(self._progress)]
        self._tell([*last, EndOfTracking(ending=ending)])
        seconds = self._finishing
        if error is not None:  # somebody waits at a terminal, or a batch system will not wait
            seconds = _STOPPED_SECONDS if seconds is None else min(seconds, _STOPPED_SECONDS)
        end = None if seconds is None else time.monotonic() + seconds
        if busy := [one.asked.name for one in self._followers if not one.has_finished(_SILENT_SECONDS)]:
            most = "" if seconds is None else f", {duration(seconds)} at most"
            self._say(f"waiting for {', '.join(busy)}{most}")
        for follower in self._followers:
            follower.finish(None if end is None else end - time.monotonic())

    def _scores(self, result: CellResult) -> Iterator[Message]:
        if self._series is not None:
            yield from self._series.places(result)

    def _tell(self, messages: Iterable[Message]) -> None:
        told = tuple(messages)
        for follower in self._followers:
            follower.tell(*told)


def _note(progress: Progress) -> ProgressOfTracking:
    return ProgressOfTracking(
        done=progress.done, failed=progress.failed, total=progress.total, seconds=progress.elapsed_seconds
    )
