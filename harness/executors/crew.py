"""This process and helpers beside it, which share out call after call: whoever is free takes the next one."""

from __future__ import annotations

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple, Self, TypeVar

from harness.executors.mapping import MOST_PROCESSES, answer_of, call_name, serve_shares, usable_cores
from harness.executors.process import Process, ProcessEndedError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Crew:
    """This process and helpers beside it, which share out call after call: whoever is free takes the next one.

    A helper takes most of a second to start, and longer where Python lies on a network. This process works meanwhile,
    and waits for none that is not ready. It also does what is left when a helper is ended from outside, or when none
    can be started.
    """

    def __init__(self, module: str, helpers: int | None = None) -> None:
        """Nothing is started yet.

        Args:
            module: what helpers import before they are ready.
            helpers: how many to start; None starts one for each further core, so that at most `MOST_PROCESSES` work.
        """
        self._module = module
        self._wanted = min(usable_cores(), MOST_PROCESSES) - 1 if helpers is None else helpers
        self._helpers = list[_Helper]()

    def __enter__(self) -> Self:
        """Start the helpers."""
        try:
            while len(self._helpers) < self._wanted:
                process = Process(f"{serve_shares.__module__}:serve_shares")
                thread = ThreadPoolExecutor(1, thread_name_prefix="crew")
                started = thread.submit(answer_of, process, f"{__name__}:ready", self._module)
                self._helpers.append(_Helper(process, thread, started))
        except OSError as error:
            log.info("no helper could be started, and the work is done without: %s", error)
        return self

    def __exit__(self, *_: object) -> None:
        for helper in self._helpers:
            helper.process.kill()
            helper.thread.shutdown()

    @property
    def is_free(self) -> bool:
        """Whether every helper has started, is still there, and has answered all that it was asked."""
        return all(one.started.done() and not one.process.has_message() for one in self._helpers)

    def each(self, function: Callable[..., T], arguments: Sequence[tuple[Any, ...]], /) -> list[T]:
        """The answers of a function, in the order of its arguments.

        Args:
            function: a function of a module of ours. Its arguments and answers can be pickled.
            arguments: those of each call.

        Raises:
            HarnessError: the function raised it.
        """
        left, answers = deque(enumerate(arguments)), dict[int, T]()
        helpers = self._helpers if len(arguments) > 1 else []
        helping = [one.thread.submit(_help, one.process, function, left, answers) for one in helpers]
        try:
            _work(function, left, answers)
        except BaseException:
            left.clear()
            raise
        for one in helping:
            if not one.cancel():  # it has begun
                one.result()
        _work(function, left, answers)
        return [answers[place] for place in range(len(arguments))]


class StandingCrews:
    """Crews that stay for whoever asks next, so that helpers start once and not for every question."""

    def __init__(self, idle_seconds: float = 120.0) -> None:
        """There is none yet.

        Args:
            idle_seconds: a crew that nobody asks for so long is dismissed, and so are all when this process ends.
        """
        self._idle_seconds = idle_seconds
        self._waiting: list[tuple[Crew, threading.Timer]] = []
        atexit.register(self.dismiss)

    @contextmanager
    def lent(self, module: str) -> Generator[Crew, None, None]:
        """A crew that nobody else has meanwhile: one that waits, or a new one.

        Args:
            module: what the helpers of a new crew import before they are ready.
        """
        crew = self._taken() or Crew(module).__enter__()
        try:
            yield crew
        except BaseException:
            crew.__exit__()  # a helper may be busy with what nobody wants any more
            raise
        if not crew.is_free:
            crew.__exit__()
            return
        timer = threading.Timer(self._idle_seconds, lambda: self._expire(waiting))
        timer.daemon = True
        waiting = (crew, timer)
        self._waiting.append(waiting)
        timer.start()

    def dismiss(self) -> None:
        """End all helpers that wait for work."""
        while crew := self._taken():
            crew.__exit__()

    def _taken(self) -> Crew | None:
        """A crew that waits, which then is nobody else's; None where none does. One that lost a helper is dismissed."""
        while self._waiting:
            try:
                crew, timer = self._waiting.pop()
            except IndexError:  # another thread took the last one
                return None
            timer.cancel()
            if crew.is_free:
                return crew
            crew.__exit__()
        return None

    def _expire(self, waiting: tuple[Crew, threading.Timer]) -> None:
        try:
            self._waiting.remove(waiting)
        except ValueError:  # somebody has just taken it
            return
        waiting[0].__exit__()


STANDING = StandingCrews()
"""Those of this process."""


class _Helper(NamedTuple):
    """One of a crew."""

    process: Process
    """The helper."""
    thread: ThreadPoolExecutor
    """One thread, which asks it and waits for its answers."""
    started: Future[None]
    """Is done when the helper has imported what it needs."""


def _work(call: Callable[..., T], left: deque[tuple[int, tuple[Any, ...]]], answers: dict[int, T]) -> None:
    """Make the calls that are left, as long as some are; others may do the same."""
    while left:
        try:
            place, arguments = left.popleft()
        except IndexError:  # somebody else took the last one
            return
        try:
            answers[place] = call(*arguments)
        except ProcessEndedError:
            left.append((place, arguments))
            raise


def _help(
    helper: Process, function: Callable[..., T], left: deque[tuple[int, tuple[Any, ...]]], answers: dict[int, T]
) -> None:
    """As `_work`, with the calls made in a helper."""
    try:
        _work(partial(answer_of, helper, call_name(function)), left, answers)
    except ProcessEndedError as error:
        log.info("a helper is gone, and its work is done without it: %s", error)


def ready(module: str) -> None:
    """Import what will be called, which takes a helper longer than a call."""
    import_module(module)
